// `leakscope memory`: accounts for the resident memory of a process, once, or again and again.

import { Command, Option } from 'commander'
import { parseTarget, type TargetName } from '../target/target.ts'
import type { Context } from './context.ts'
import { duration, positiveInteger } from './options.ts'
import { WAYS, type Way } from './ways.ts'

interface Options {
  readonly every?: number
  readonly count?: number
  readonly wait?: number | true
  readonly limit: number
  readonly via?: Way
  readonly maxPause?: number
  readonly json?: true
}

const DEFAULT_EVERY_MS = 10_000
const DEFAULT_WAIT_MS = 600_000
const DEFAULT_MAX_PAUSE_MS = 1000

const help = `
Every resident byte is in exactly one line. What V8 says of its heaps and buffers is held against what the system says of
the mappings (/proc, so on Linux only); what malloc has handed out and what lies idle in it is read from the headers of
its memory, which needs the right to trace the process and works for glibc. Elsewhere the lines that only the system
could tell are "unexplained". The process is asked, not stopped.

With --via outside it is not even asked: its heap is read from its memory, for which it may stand still for --max-pause.
That tells what V8's pages consist of: what is alive, garbage that waits for its collection, and free space.`

export function memoryCommand(context: Context): Command {
  return new Command('memory')
    .argument(
      '<target>',
      'a pid, host:port of an open inspector, its ws:// URL, or unix:<socket of an agent>',
      parseTarget,
    )
    .option(
      '--count <n>',
      'how often to look, in one visit (default: 1; with --every: until Ctrl-C)',
      positiveInteger('--count'),
    )
    .option(
      '--every <time>',
      'how long from one look to the next: 500ms, 10s, 2min (default: 10s)',
      duration('--every'),
    )
    .option(
      '--wait [time]',
      'wait while another process has the port that the target needs (default: 10min)',
      duration('--wait'),
    )
    .addOption(
      new Option(
        '--via <way>',
        'outside: ask nothing, and read the heap as well; inspector, agent: ask V8 (default: ask)',
      ).choices(WAYS),
    )
    .option(
      '--max-pause <time>',
      'for how long it may stand still, --via outside (default: 1s)',
      duration('--max-pause'),
    )
    .option('--limit <n>', 'parts of each line to show', positiveInteger('--limit'), 5)
    .option('--json', 'as JSON on standard output, once all is done')
    .addHelpText('after', help)
    .action(async (target: TargetName, { every, count, wait, limit, via, maxPause, json }: Options) => {
      const { runMemory } = await import('./memory-series.ts')
      return runMemory(context, target, {
        everyMs: every ?? DEFAULT_EVERY_MS,
        count: count ?? (every === undefined ? 1 : Number.POSITIVE_INFINITY),
        waitMs: wait === true ? DEFAULT_WAIT_MS : wait,
        ...{ limit, via, maxPauseMs: maxPause ?? DEFAULT_MAX_PAUSE_MS },
        json: json ?? false,
      })
    })
}
