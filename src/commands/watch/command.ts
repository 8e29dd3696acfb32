// `leakscope watch`: looks at a process again and again, one line each, until something happens that was waited for.

import { Command } from 'commander'
import { LeakscopeError } from '../../errors.ts'
import { parseTarget, showTarget, type TargetName } from '../../target/target.ts'
import type { Context } from '../common/context.ts'
import { examples, GROUP } from '../common/help-text.ts'
import { duration, positiveInteger, TARGET, viaOption, waitOption } from '../common/options.ts'
import type { Way } from '../common/ways.ts'
import { ACTIONS, type Action } from './actions.ts'

interface Options {
  readonly every: number
  readonly count?: number
  readonly wait?: number | true
  readonly record?: string
  readonly until: readonly string[]
  readonly then?: Action
  readonly via?: Way
  readonly plain?: true
  readonly json?: true
}

const DEFAULT_EVERY_MS = 1000
const SHORTEST_EVERY_MS = 200
const DEFAULT_WAIT_MS = 600_000

const help = `
In a terminal it is a live table: each value with its history and trend; keys at
the foot sort it, pause, take a snapshot or a profile, or diagnose. On a pipe, or
with --json, each look is a line of JSON with all values and the pid. With
--plain, or in a terminal without a cursor (TERM=dumb), it is a line of text.

--until takes conditions such as 'rss>400MB', 'threads>50',
'event-loop-delay>200ms', or 'heap.slope>5MB/h', which holds once the trend is a
leak and its slope is surely above. One of several is enough. --then profile
takes 10 s: of the CPU if the condition is about the event loop, else of the
heap.

While it is watched, a timer in the process measures the delay of its event loop
and an observer its garbage collections; both are removed at the end. If several
processes are watched, each inspector moves to a port of its own.
${examples(
  ['leakscope watch 4242', 'a live table, until q or Ctrl-C'],
  [
    'leakscope watch 4242 --every 10s --record run.jsonl',
    'record it; `leakscope trend run.jsonl` judges the recording',
  ],
  ["leakscope watch 4242 --until 'heap.slope>5MB/h' --then diagnose", 'stand guard, and diagnose when the heap leaks'],
)}`

export function watchCommand(context: Context): Command {
  return new Command('watch')
    .argument('<targets...>', `one or several: ${TARGET}`, (text: string, before: readonly TargetName[] = []) => [
      ...before,
      parseTarget(text),
    ])
    .optionsGroup(GROUP.how)
    .option('--every <time>', 'time from one look to the next (default: 1s)', duration('--every'), DEFAULT_EVERY_MS)
    .option('--count <n>', 'how often to look (default: until Ctrl-C)', positiveInteger('--count'))
    .addOption(waitOption())
    .optionsGroup('What to do when:')
    .option('--until <condition>', 'stop when this holds; may be repeated (default: never)', collect, [])
    .option('--then <action>', `what to do then: ${ACTIONS.join(', ')} (default: exit)`, action)
    .addOption(viaOption('as for these commands', 'how --then reads the heap; '))
    .optionsGroup(GROUP.output)
    .option('--record <file>', 'also append each look to this file')
    .option('--plain', 'print a line of text for each look')
    .option('--json', 'print a line of JSON for each look')
    .addHelpText('after', help)
    .action(async (targets: readonly TargetName[], options: Options) => {
      const { every, count, wait, record, until, json, plain } = options
      if (options.then && until.length === 0) throw new LeakscopeError('usage-invalid', '--then takes an --until')
      if (options.via && options.then !== 'snapshot' && options.then !== 'diagnose') {
        throw new LeakscopeError('usage-invalid', '--via is for --then snapshot and --then diagnose')
      }
      if (every < SHORTEST_EVERY_MS) {
        throw new LeakscopeError(
          'usage-invalid',
          '--every takes 200ms or more here, as each look costs the target a little',
        )
      }
      const [{ runWatch }, { parseCondition }, { isScreen }] = await Promise.all([
        import('./series.ts'),
        import('./condition.ts'),
        import('../../support/screen.ts'),
      ])
      const isTerminal = process.stdout.isTTY
      return runWatch(context, unique(targets), {
        everyMs: every,
        count: count ?? Number.POSITIVE_INFINITY,
        waitMs: wait === true ? DEFAULT_WAIT_MS : wait,
        record,
        conditions: until.map(parseCondition),
        action: options.then ?? 'exit',
        via: options.via,
        shown: json || !(isTerminal || plain) ? 'json' : plain || !isScreen(process.stdout) ? 'lines' : 'live',
      })
    })
}

const collect = (text: string, before: readonly string[]): string[] => [...before, text]

/** Whoever names one twice means it once. */
function unique(names: readonly TargetName[]): TargetName[] {
  return names.filter((name, i) => names.findIndex((other) => showTarget(other) === showTarget(name)) === i)
}

function action(text: string): Action {
  const found = ACTIONS.find((each) => each === text)
  if (found) return found
  throw new LeakscopeError('usage-invalid', `--then takes ${ACTIONS.join(', ')}, not '${text}'`)
}
