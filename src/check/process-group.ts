// A command with all that it starts, so that all of it can be ended.

import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'

/** What a command wrote is kept up to so many characters, from its end. */
const KEPT = 32_768
/** From the polite signal to the other one. */
const GRACE_MS = 3000

export interface ProcessGroup {
  readonly pid: number
  readonly child: ChildProcess
  /** The end of what it wrote, to either stream. */
  output(): string
  /** How it ended, as a phrase; undefined as long as it runs. */
  ended(): string | undefined
  /** Resolves when it has ended, or could not be started. */
  readonly done: Promise<void>
  /** Ends it, and what it has started, and waits until it is gone; may be called twice. */
  stop(): Promise<void>
}

export interface GroupOptions {
  readonly env: NodeJS.ProcessEnv
  /** Where to run it; here, if undefined. */
  readonly folder?: string | undefined
  readonly shell?: boolean
  /** Opens a channel for messages. */
  readonly ipc?: boolean
  /** Told of all that it writes, as it comes. */
  readonly onOutput?: (text: string) => void
}

const posix = process.platform !== 'win32'
const running = new Set<ProcessGroup>()
/** Whoever presses Ctrl-C twice leaves without a goodbye: nothing of ours may stay behind. */
const endAll = () => {
  for (const { pid } of running) signal(pid, 'SIGKILL')
}

/** Starts a command in a process group of its own. One that cannot be started has ended at once. */
export function startGroup(command: string, args: readonly string[], options: GroupOptions): ProcessGroup {
  const { env, folder, shell = false, ipc = false, onOutput } = options
  const child = spawn(command, args, {
    ...{ env, cwd: folder, shell, detached: posix, windowsHide: true },
    stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? (['ipc'] as const) : [])],
  })
  let text = ''
  let ending: string | undefined
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (piece: string) => {
      text = (text + piece).slice(-KEPT)
      onOutput?.(piece)
    })
  }
  const done = new Promise<void>((resolve) => {
    child.on('error', (error) => {
      ending ??= `could not be started: ${error.message}`
      resolve()
    })
    child.on('exit', (code, name) => {
      ending ??= name ? `was ended by ${name}` : `ended with exit code ${code}`
      // What it has started and left behind keeps the number of the group from being given to anybody else.
      signal(child.pid, 'SIGKILL')
      resolve()
    })
  }).then(() => {
    running.delete(group)
    if (running.size === 0) process.off('exit', endAll)
  })
  const group: ProcessGroup = {
    pid: child.pid ?? 0,
    child,
    output: () => text,
    ended: () => ending,
    done,
    async stop() {
      if (ending !== undefined) return done
      signal(child.pid, 'SIGTERM')
      const over = new AbortController()
      const grace = sleep(GRACE_MS, undefined, { signal: over.signal }).catch(() => {})
      await Promise.race([done, grace])
      over.abort()
      if (ending === undefined) signal(child.pid, 'SIGKILL')
      await done
    },
  }
  if (child.pid !== undefined) {
    if (running.size === 0) process.on('exit', endAll)
    running.add(group)
  }
  return group
}

function signal(pid: number | undefined, name: NodeJS.Signals): void {
  if (!pid) return
  try {
    process.kill(posix ? -pid : pid, name)
  } catch {
    // Gone already.
  }
}

/** The last lines of what a command wrote, for a message. */
export function lastLines({ output }: ProcessGroup, most = 12): string {
  return output().trimEnd().split('\n').slice(-most).join('\n')
}
