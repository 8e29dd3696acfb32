/** Latencies in milliseconds, and requests that failed. */
export interface LoadReport {
  readonly requests: number
  readonly failed: number
  readonly p50: number
  readonly p99: number
  readonly most: number
}

export interface Pictures {
  readonly pictures: number
  /** By what was said: how often. */
  readonly refusals: Readonly<Record<string, number>>
  readonly isAlive: boolean
  readonly failed: number
  readonly without: LoadReport
  readonly during: LoadReport
  readonly pauseMs: { readonly median: number; readonly p99: number; readonly most: number }
  /** How many needed no stop. */
  readonly idle: number
  readonly heapGrowth: number
  readonly residentGrowth: number
  readonly peakGrowth: number
}
export function takePictures(
  count: number,
  options?: {
    readonly node?: string
    readonly beforeMs?: number
    readonly mostMs?: number
    readonly onPicture?: (number: number) => void
  },
): Promise<Pictures>

export interface Kills {
  readonly kills: number
  /** In how many the server was stopped at the moment. */
  readonly whileStopped: number
  /** In how many leakscope had ended before. */
  readonly done: number
  /** In how many the server was left stopped. */
  readonly stayed: number
  readonly failed: number
  readonly isAlive: boolean
}
export function killAtRandom(count: number, options?: { readonly onKill?: (number: number) => void }): Promise<Kills>

export interface Situation {
  readonly name: string
  readonly rounds: number
  readonly pictures: number
  readonly refusals: readonly string[]
  /** In how many the process went on as if nothing had been. */
  readonly ranOn: number
}
export function readInSituations(rounds: number, options?: { readonly only?: readonly string[] }): Promise<Situation[]>
export function readAtBothEnds(rounds: number): Promise<Situation[]>
