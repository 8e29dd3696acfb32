// All commands by name, with what the list of them says; one is loaded when it is asked for.

import type { Command } from 'commander'
import type { Context } from './common/context.ts'

interface Entry {
  /** Its heading in the list of commands. */
  readonly group: string
  readonly summary: string
  /** What it takes, as the list of commands shows it. */
  readonly takes: string
  /** The command with its arguments, options and action; name and summary are given to it. */
  load(): Promise<(context: Context) => Command>
}

export const COMMANDS: Readonly<Record<string, Entry>> = {
  ps: {
    group: 'Start here:',
    takes: '',
    summary: 'list the Node.js processes of this machine',
    load: async () => (await import('./ps.ts')).psCommand,
  },
  diagnose: {
    group: 'Start here:',
    takes: '<target>',
    summary: 'say what leaks in a running process: who holds it, which line, what to change',
    load: async () => (await import('./diagnose/command.ts')).diagnoseCommand,
  },
  explain: {
    group: 'Start here:',
    takes: '[pattern]',
    summary: 'explain a leak pattern: how to confirm it and fix it, and what only looks like it',
    load: async () => (await import('./explain.ts')).explainCommand,
  },
  snapshot: {
    group: 'Capture:',
    takes: '<target>',
    summary: 'write a heap snapshot of a running process',
    load: async () => (await import('./snapshot/command.ts')).snapshotCommand,
  },
  profile: {
    group: 'Capture:',
    takes: '<target>',
    summary: 'write a CPU or heap profile of a running process',
    load: async () => (await import('./profile.ts')).profileCommand,
  },
  diff: {
    group: 'Look into files:',
    takes: '<before> [after] [more...]',
    summary: 'compare heap snapshots: what leaks, and what grew, by class and by what holds it',
    load: async () => (await import('./diff.ts')).diffCommand,
  },
  analyze: {
    group: 'Look into files:',
    takes: '<snapshot>',
    summary: 'look into one heap snapshot or core file: what is big, and what holds it',
    load: async () => (await import('./analyze.ts')).analyzeCommand,
  },
  top: {
    group: 'Look into files:',
    takes: '<profile>',
    summary: 'look into a profile: which functions take most, callers, flame graph',
    load: async () => (await import('./top/command.ts')).topCommand,
  },
  memory: {
    group: 'Watch:',
    takes: '<target>',
    summary: 'say what the resident memory of a process consists of, byte for byte',
    load: async () => (await import('./memory/command.ts')).memoryCommand,
  },
  watch: {
    group: 'Watch:',
    takes: '<targets...>',
    summary: 'a live view of memory, threads, files and event loop; can act on a condition',
    load: async () => (await import('./watch/command.ts')).watchCommand,
  },
  trend: {
    group: 'Watch:',
    takes: '<recording>',
    summary: 'judge a recording of `leakscope watch`: leak, plateau, sawtooth, …',
    load: async () => (await import('./trend/command.ts')).trendCommand,
  },
  check: {
    group: 'CI:',
    takes: '[files-or-program...]',
    summary: 'make a program work and fail if its memory grows with the work',
    load: async () => (await import('./check/command.ts')).checkCommand,
  },
  init: {
    group: 'CI:',
    takes: '',
    summary: 'write a config and a scenario for `leakscope check`',
    load: async () => (await import('./init/command.ts')).initCommand,
  },
  redact: {
    group: 'Housekeeping:',
    takes: '<snapshot> <output>',
    summary: 'copy a heap snapshot without the passwords and other texts in it',
    load: async () => (await import('./redact.ts')).redactCommand,
  },
  index: {
    group: 'Housekeeping:',
    takes: '<ls|clear>',
    summary: 'list or remove the indexes that make large snapshots open at once',
    load: async () => (await import('./index.ts')).indexCommand,
  },
}
