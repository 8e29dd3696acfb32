// What every command is handed: where to write, whether to colour, and when to stop.

import type { ChalkInstance } from 'chalk'
import { createProgress, type Progress, silentProgress } from '../../support/progress.ts'

export interface Context {
  /** Results go here: standard output. A newline is added. */
  out(text: string): void
  /** Everything else goes here: standard error. A newline is added. */
  note(text: string): void
  /** Colours for `out`, off unless the stream or the environment wants them; loaded only by who asks. */
  colors(): Promise<ChalkInstance>
  /** Columns of the terminal that `out` writes to; else what `COLUMNS` says, as many programs have it, or 120. */
  readonly width: number
  /** Aborted, with a LeakscopeError `cancelled` as its reason, on Ctrl-C and on SIGTERM. */
  readonly signal: AbortSignal
  /** Makes the exit code 1: something was found. */
  fail(): void
  readonly failed: boolean
  /** Ends the process when the command is done, whatever may still be open: code of the user's has been run in it. */
  endAtOnce(): void
  readonly endsAtOnce: boolean
  /** A progress bar on standard error when that is a terminal. */
  progress(quiet: boolean): Progress
}

export function createContext(signal: AbortSignal): Context {
  let failed = false
  let endsAtOnce = false
  return {
    fail: () => {
      failed = true
    },
    get failed() {
      return failed
    },
    endAtOnce: () => {
      endsAtOnce = true
    },
    get endsAtOnce() {
      return endsAtOnce
    },
    out: (text) => void process.stdout.write(`${text}\n`),
    note: (text) => void process.stderr.write(`${text}\n`),
    async colors() {
      const { Chalk } = await import('chalk')
      return new Chalk({ level: colorLevel(process.stdout) })
    },
    width: process.stdout.columns ?? (Number(process.env.COLUMNS) || 120),
    signal,
    progress: (quiet) => createProgress(process.stderr, quiet),
  }
}

/** For a program that calls what a command does: nothing is printed, and notes go to `onNotice`. */
export const silentContext = (signal: AbortSignal, onNotice: (sentence: string) => void): Context => ({
  ...createContext(signal),
  out() {},
  note: (text) => onNotice(text.replace(/^leakscope: /, '')),
  progress: () => silentProgress,
})

/** Node knows NO_COLOR, NODE_DISABLE_COLORS and FORCE_COLOR, but only asks them for terminals. */
function colorLevel(stream: NodeJS.WriteStream): 0 | 1 | 2 | 3 {
  const { FORCE_COLOR, NO_COLOR, NODE_DISABLE_COLORS } = process.env
  if (stream.isTTY) return ({ 1: 0, 4: 1, 8: 2, 24: 3 } as const)[stream.getColorDepth() as 1 | 4 | 8 | 24] ?? 0
  if (NO_COLOR || NODE_DISABLE_COLORS || FORCE_COLOR === undefined) return 0
  return FORCE_COLOR === '0' || FORCE_COLOR === 'false' ? 0 : FORCE_COLOR === '2' ? 2 : FORCE_COLOR === '3' ? 3 : 1
}
