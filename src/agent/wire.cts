// What the agent and leakscope say to each other: the Chrome DevTools Protocol, one JSON text a line, in both
// directions. Beside V8's own domains there is one of ours, with a single question.

/** What is asked first, to learn who answers. */
export const DESCRIBE = 'LeakscopeAgent.describe'

/** Changes when an older leakscope could not make sense of what a newer agent says, or the other way round. */
export const WIRE_VERSION = 1

/** The answer to `DESCRIBE`. */
export interface Description {
  readonly wire: number
  /** As the process sees it. */
  readonly pid: number
  /** As `process.version`. */
  readonly nodeVersion: string
  readonly command: readonly string[]
  /** False where Node was built without it, or is forbidden to use it: the agent then makes do with less. */
  readonly inspector: boolean
}

export interface Request {
  readonly id: number
  readonly method: string
  readonly params?: object
}

export interface Event {
  readonly method: string
  readonly params?: object
}

/** The answer to a request is an object, or an error with a reason. */
export type Done = (error: Error | null, result?: object) => void

/** What answers requests. */
export interface Engine {
  /** Whether it is the inspector. */
  readonly inspector: boolean
  /** Never throws. */
  post(method: string, params: object, done: Done): void
  close(): void
}
