// `leakscope memory`: accounts for the resident memory of a process, once, or again and again.

import { Command, Option } from 'commander'
import { parseTarget, type TargetName } from '../../target/target.ts'
import type { Context } from '../common/context.ts'
import { examples } from '../common/help-text.ts'
import { duration, positiveInteger, TARGET, waitOption } from '../common/options.ts'
import { WAYS, type Way } from '../common/ways.ts'

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
Every resident byte is in exactly one line. What V8 says of its heaps and buffers
is compared with the mappings that the system has (/proc, so on Linux only).
What malloc has handed out, and what lies idle in it, is read from the memory of
the process: that needs the right to trace it, and glibc. Elsewhere these bytes
are "unexplained". The process answers questions meanwhile; it is not stopped.

With --via outside it is not even asked: its heap is read from its memory, for
which it may stand still for --max-pause. That shows what V8's pages consist of:
living objects, garbage that waits for its collection, and free space.
${examples(
  ['leakscope memory 4242', 'what the resident memory consists of'],
  ['leakscope memory 4242 --every 30s --count 10', 'look ten times, and say what changed'],
)}`

export function memoryCommand(context: Context): Command {
  return new Command('memory')
    .argument('<target>', TARGET, parseTarget)
    .option(
      '--count <n>',
      'how often to look, in one visit (default: 1; with --every: until Ctrl-C)',
      positiveInteger('--count'),
    )
    .option('--every <time>', 'time from one look to the next: 500ms, 10s, 2min (default: 10s)', duration('--every'))
    .addOption(waitOption())
    .addOption(
      new Option(
        '--via <way>',
        'inspector, agent: ask V8; outside: ask nothing, and read the heap from the memory of the process (default: ask)',
      ).choices(WAYS),
    )
    .option(
      '--max-pause <time>',
      'with --via outside: how long the process may stand still (default: 1s)',
      duration('--max-pause'),
    )
    .option('--limit <n>', 'parts of each line to show', positiveInteger('--limit'), 5)
    .option('--json', 'print JSON, once all looks are done')
    .addHelpText('after', help)
    .action(async (target: TargetName, { every, count, wait, limit, via, maxPause, json }: Options) => {
      const { runMemory } = await import('./series.ts')
      return runMemory(context, target, {
        everyMs: every ?? DEFAULT_EVERY_MS,
        count: count ?? (every === undefined ? 1 : Number.POSITIVE_INFINITY),
        waitMs: wait === true ? DEFAULT_WAIT_MS : wait,
        ...{ limit, via, maxPauseMs: maxPause ?? DEFAULT_MAX_PAUSE_MS },
        json: json ?? false,
      })
    })
}
