// All commands by name, with what the list of them says; one is loaded when it is asked for.

import type { Command } from 'commander'
import type { Context } from './context.ts'

interface Entry {
  readonly summary: string
  /** What it takes, as the list of commands shows it. */
  readonly takes: string
  /** The command with its arguments, options and action; name and summary are given to it. */
  load(): Promise<(context: Context) => Command>
}

export const COMMANDS: Readonly<Record<string, Entry>> = {
  ps: {
    takes: '',
    summary: 'list the Node processes on this machine',
    load: async () => (await import('./ps.ts')).psCommand,
  },
  diagnose: {
    takes: '<target>',
    summary: 'find what is leaking in a running process: its pattern, its line, what holds it, what to change',
    load: async () => (await import('./diagnose.ts')).diagnoseCommand,
  },
  snapshot: {
    takes: '<target>',
    summary: 'capture a heap snapshot of a running process',
    load: async () => (await import('./snapshot.ts')).snapshotCommand,
  },
  profile: {
    takes: '<target>',
    summary: 'sample what a running process spends its time on, or who allocates',
    load: async () => (await import('./profile.ts')).profileCommand,
  },
  diff: {
    takes: '<before> [after] [more...]',
    summary: 'compare heap snapshots: known leaks, and what grew, by class and by what holds it',
    load: async () => (await import('./diff.ts')).diffCommand,
  },
  analyze: {
    takes: '<snapshot>',
    summary: 'look into one heap snapshot: what is big, and what holds it',
    load: async () => (await import('./analyze.ts')).analyzeCommand,
  },
  top: {
    takes: '<profile>',
    summary: 'look into a CPU or heap profile: which functions take most',
    load: async () => (await import('./top.ts')).topCommand,
  },
  check: {
    takes: '[files-or-program...]',
    summary: 'fail when memory grows with the work: for CI',
    load: async () => (await import('./check.ts')).checkCommand,
  },
  init: {
    takes: '',
    summary: 'write leakscope.config.json, and a scenario, for `leakscope check` to be run by',
    load: async () => (await import('./init.ts')).initCommand,
  },
  memory: {
    takes: '<target>',
    summary: 'account for the memory of a running process: heap, buffers, malloc, stacks, libraries',
    load: async () => (await import('./memory.ts')).memoryCommand,
  },
  watch: {
    takes: '<targets...>',
    summary: 'look at running processes again and again: memory by the ledger, threads, files, event loop',
    load: async () => (await import('./watch.ts')).watchCommand,
  },
  trend: {
    takes: '<recording>',
    summary: 'judge a recording of `leakscope watch`: leak, plateau, sawtooth, warm-up, flat or undecided',
    load: async () => (await import('./trend.ts')).trendCommand,
  },
  explain: {
    takes: '[pattern]',
    summary: 'explain a leak pattern: how to confirm it, how to fix it, what only looks like it',
    load: async () => (await import('./explain.ts')).explainCommand,
  },
  redact: {
    takes: '<snapshot> <output>',
    summary: 'write a copy of a heap snapshot without the passwords and other texts in it',
    load: async () => (await import('./redact.ts')).redactCommand,
  },
  index: {
    takes: '<ls|clear>',
    summary: 'the indexes that make large snapshots open at once',
    load: async () => (await import('./index.ts')).indexCommand,
  },
}
