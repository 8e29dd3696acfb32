// `leakscope watch` at work.

import type { Point } from '../analysis/trend.ts'
import { pause } from '../capture/pause.ts'
import { ledger } from '../process/ledger.ts'
import { lookOf } from '../process/look.ts'
import { type ProcessMemory, readProcessMemory } from '../process/read-memory.ts'
import { type Look, openRecording } from '../process/recording.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import { withInspector } from '../target/attach.ts'
import { readOsFacts } from '../target/os-facts.ts'
import type { TargetName } from '../target/target.ts'
import { attachWorkers } from '../target/workers.ts'
import type { Context } from './context.ts'
import type { Condition } from './watch-condition.ts'

export interface WatchWanted {
  readonly everyMs: number
  /** Infinity for until Ctrl-C. */
  readonly count: number
  readonly waitMs: number | undefined
  readonly record: string | undefined
  readonly conditions: readonly Condition[]
  readonly takesSnapshot: boolean
  readonly json: boolean
}

/** Of each condition, so many points are kept; of more, each second one goes. */
const MOST_POINTS = 2000

export async function runWatch(context: Context, name: TargetName, wanted: WatchWanted): Promise<void> {
  const { conditions, json, takesSnapshot } = wanted
  const recorder = wanted.record === undefined ? undefined : openRecording(wanted.record)
  const histories = new Map<Condition, Point[]>(conditions.map((condition) => [condition, []]))
  let met: Condition | undefined
  try {
    await watch(context, name, wanted, (look, atMs, number) => {
      recorder?.add(look)
      if (!json && number % HEAD_EVERY === 0) context.out(HEAD)
      context.out(json ? JSON.stringify(look) : lineOf(look))
      for (const [condition, points] of histories) {
        const value = look.values[condition.id]
        if (value != null) points.push({ atMs, value })
        if (points.length > MOST_POINTS) histories.set(condition, thinned(points))
      }
      met = conditions.find((condition) => condition.holds(histories.get(condition)!))
      return met === undefined
    })
  } finally {
    recorder?.close()
  }
  if (!met) return
  context.note(`leakscope: ${met.text} holds`)
  if (takesSnapshot) await takeSnapshot(context, name, wanted)
}

const thinned = (points: readonly Point[]): Point[] => points.filter((_, i) => i % 2 === 1)

/** Calls `onLook` after each look until it returns false, the count is full, or the user has seen enough. */
async function watch(
  context: Context,
  name: TargetName,
  { everyMs, count, waitMs }: WatchWanted,
  onLook: (look: Look, atMs: number, number: number) => boolean,
): Promise<void> {
  const { signal } = context
  const pid = name.kind === 'process' ? name.pid : undefined
  const onNotice = (notice: string) => context.note(`leakscope: ${notice}`)
  let number = 0
  try {
    await withInspector(name, { signal, onNotice, waitMs }, async (session, target) => {
      const workers = await attachWorkers(session)
      let before: ProcessMemory | undefined
      try {
        const { nodeVersion } = target
        for (; number < count; number++) {
          if (number > 0) await pause(everyMs, session.closed, signal)
          const memory = await readProcessMemory({ session, workers, pid, nodeVersion })
          const os = pid === undefined ? undefined : readOsFacts(pid)
          const seen = { at: new Date(), pid: target.pid, nodeVersion, memory, ledger: ledger(memory), os, before }
          if (!onLook(lookOf(seen), performance.now(), number)) return
          before = memory
        }
      } finally {
        await workers.leave()
      }
    })
  } catch (error) {
    // A series without an end is ended by whoever has seen enough.
    if (!signal.aborted || Number.isFinite(count) || number === 0) throw error
  }
}

/** As a user would who types it now: with its price, and no more than the process has room for. */
async function takeSnapshot(context: Context, name: TargetName, { waitMs }: WatchWanted): Promise<void> {
  const { snapshotCommand } = await import('./snapshot.ts')
  const target = name.kind === 'process' ? String(name.pid) : name.kind === 'agent' ? `unix:${name.path}` : undefined
  const address =
    name.kind === 'inspector' ? `${name.host.includes(':') ? `[${name.host}]` : name.host}:${name.port}` : ''
  const wait = waitMs === undefined ? [] : ['--wait', `${waitMs}ms`]
  await snapshotCommand(context).parseAsync([target ?? address, ...wait], { from: 'user' })
}

const COLUMNS: readonly (readonly [title: string, of: (values: Look['values']) => string])[] = [
  ['RSS', ({ rss }) => bytes(rss)],
  ['heap', ({ heap }) => bytes(heap)],
  ['buffers', (values) => bytes(values['array-buffers'])],
  ['native', (values) => bytes(values['native-heap'])],
  ['idle', (values) => bytes(values['allocator-slack'])],
  ['threads', ({ threads }) => (threads == null ? '?' : formatCount(threads))],
  ['files', ({ files }) => (files == null ? '?' : formatCount(files))],
  ['loop', (values) => (values['event-loop'] == null ? '' : `${Math.round(100 * values['event-loop'])} %`)],
]
const WIDTH = 9
const HEAD_EVERY = 20
const HEAD = `${'UTC'.padEnd(8)}${COLUMNS.map(([title]) => title.padStart(WIDTH)).join('')}`

const bytes = (value: number | null | undefined): string => (value == null ? '?' : formatBytes(value))

function lineOf({ at, values }: Look): string {
  return `${at.slice(11, 19)}${COLUMNS.map(([, of]) => of(values).padStart(WIDTH)).join('')}`
}
