// `leakscope watch`: looks at a process again and again, one line each, until something happens that was waited for.

import { Command } from 'commander'
import { LeakscopeError } from '../errors.ts'
import { parseTarget, type TargetName } from '../target/target.ts'
import type { Context } from './context.ts'
import { duration, positiveInteger } from './options.ts'

interface Options {
  readonly every: number
  readonly count?: number
  readonly wait?: number | true
  readonly record?: string
  readonly until: readonly string[]
  readonly then?: 'exit' | 'snapshot'
  readonly json?: true
}

const DEFAULT_EVERY_MS = 1000
const SHORTEST_EVERY_MS = 200
const DEFAULT_WAIT_MS = 600_000

const help = `
In a terminal there is a line of the main numbers for each look; on a pipe, and with --json, a line of JSON with all of
them. --until stops it: 'rss>400MB', 'threads>50', 'native-heap>100MB', or 'heap.slope>5MB/h', which holds once the trend
is a leak and its slope surely beyond. Several may be given, and one is enough. With --then snapshot, a heap snapshot is
taken then, at the conditions of \`leakscope snapshot\`. \`leakscope trend\` judges what --record has written.`

export function watchCommand(context: Context): Command {
  return new Command('watch')
    .argument(
      '<target>',
      'a pid, host:port of an open inspector, its ws:// URL, or unix:<socket of an agent>',
      parseTarget,
    )
    .option('--every <time>', 'how long from one look to the next (default: 1s)', duration('--every'), DEFAULT_EVERY_MS)
    .option('--count <n>', 'how often to look (default: until Ctrl-C)', positiveInteger('--count'))
    .option('--record <file>', 'write each look into this file as well, or go on with it')
    .option('--until <condition>', 'stop when this holds; may be given several times', collect, [])
    .option('--then <action>', 'what to do then: exit or snapshot (default: exit)', action)
    .option(
      '--wait [time]',
      'wait while another process has the port that the target needs for its inspector (default: 10min)',
      duration('--wait'),
    )
    .option('--json', 'lines of JSON, also in a terminal')
    .addHelpText('after', help)
    .action(async (target: TargetName, options: Options) => {
      const { every, count, wait, record, until, json } = options
      if (options.then && until.length === 0) throw new LeakscopeError('usage-invalid', '--then takes an --until')
      if (every < SHORTEST_EVERY_MS) {
        throw new LeakscopeError(
          'usage-invalid',
          '--every takes 200ms or more here, as each look costs the target a little',
        )
      }
      const [{ runWatch }, { parseCondition }] = await Promise.all([
        import('./watch-series.ts'),
        import('./watch-condition.ts'),
      ])
      return runWatch(context, target, {
        everyMs: every,
        count: count ?? Number.POSITIVE_INFINITY,
        waitMs: wait === true ? DEFAULT_WAIT_MS : wait,
        record,
        conditions: until.map(parseCondition),
        takesSnapshot: options.then === 'snapshot',
        json: json ?? !process.stdout.isTTY,
      })
    })
}

const collect = (text: string, before: readonly string[]): string[] => [...before, text]

function action(text: string): 'exit' | 'snapshot' {
  if (text === 'exit' || text === 'snapshot') return text
  throw new LeakscopeError('usage-invalid', `--then takes exit or snapshot, not '${text}'`)
}
