// `leakscope watch`: looks at a process again and again, one line each, until something happens that was waited for.

import { Command, Option } from 'commander'
import { LeakscopeError } from '../errors.ts'
import { parseTarget, showTarget, type TargetName } from '../target/target.ts'
import type { Context } from './context.ts'
import { duration, positiveInteger } from './options.ts'
import { ACTIONS, type Action } from './watch-actions.ts'
import { WAYS, type Way } from './ways.ts'

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
In a terminal there is a picture of all values, with their series and trends, kept up to date; keys at its foot sort it,
pause, take snapshots and profiles, and diagnose. With --plain, and in a terminal without a cursor (TERM=dumb), there is
a line of the main numbers for each look; on a pipe, and with --json, a line of JSON with all of them and the pid.

--until stops it: 'rss>400MB', 'threads>50', 'event-loop-delay>200ms', or 'heap.slope>5MB/h', which holds once the trend
is a leak and its slope surely beyond. Several may be given, and one is enough. With --then, a snapshot is taken then, a
profile (10 s: of the CPU if the condition was of the event loop, else of the heap), or the process is diagnosed, as the
commands of these names do it. \`leakscope trend\` judges what --record has written.

While it is watched, a clock in the process measures how late its event loop is, and an observer its garbage
collection; they go when leakscope goes. Where several processes are watched, each inspector moves to a port of its own.`

export function watchCommand(context: Context): Command {
  return new Command('watch')
    .argument(
      '<targets...>',
      'pids, host:port of open inspectors, their ws:// URLs, or unix:<socket of an agent>',
      (text: string, before: readonly TargetName[] = []) => [...before, parseTarget(text)],
    )
    .option('--every <time>', 'how long from one look to the next (default: 1s)', duration('--every'), DEFAULT_EVERY_MS)
    .option('--count <n>', 'how often to look (default: until Ctrl-C)', positiveInteger('--count'))
    .option('--record <file>', 'write each look into this file as well, or go on with it')
    .option('--until <condition>', 'stop when this holds; may be given several times (default: never)', collect, [])
    .option('--then <action>', `what to do then: ${ACTIONS.join(', ')} (default: exit)`, action)
    .option(
      '--wait [time]',
      'wait while another process has the port that the target needs for its inspector (default: 10min)',
      duration('--wait'),
    )
    .addOption(
      new Option(
        '--via <way>',
        'how --then snapshot and --then diagnose read the heap (default: by V8; outside where that costs too much)',
      ).choices(WAYS),
    )
    .option('--plain', 'a line for each look, also in a terminal')
    .option('--json', 'lines of JSON, also in a terminal')
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
        import('./watch-series.ts'),
        import('./watch-condition.ts'),
        import('../support/screen.ts'),
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
