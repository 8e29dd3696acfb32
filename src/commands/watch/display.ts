// How `leakscope watch` shows what it sees, where that is line by line: JSON for machines, main numbers for people.

import type { Look } from '../../process/recording.ts'
import { formatBytes, formatCount, formatDuration } from '../../support/format.ts'
import type { Target } from '../../target/visit.ts'
import type { Context } from '../common/context.ts'

/** Told of each process by its place among those that are watched. */
export interface Display {
  begin(which: number, target: Target): void
  look(which: number, look: Look, atMs: number, notes: readonly string[]): void
  notice(which: number, text: string): void
  /** There will be no more looks at this one, for this reason. */
  ended(which: number, why: string): void
  /** Waited for before each look. */
  mayLook(): Promise<void>
  /** Resolves when whoever looks at it has seen enough, where there is somebody who can say so. */
  seen(): Promise<void>
  /** May be called more than once. */
  close(): Promise<void>
}

/** Those of several processes have their pid in front. */
export function lineDisplay(context: Context, names: readonly string[], json: boolean): Display {
  const isSeveral = names.length > 1
  const prefix = (which: number) => (isSeveral ? `${names[which]}: ` : '')
  let lines = 0
  return {
    begin() {},
    look(_, look) {
      if (!json && lines++ % HEAD_EVERY === 0) context.out(isSeveral ? `${PID_HEAD}${HEAD}` : HEAD)
      context.out(
        json
          ? JSON.stringify(look)
          : isSeveral
            ? `${String(look.pid).padEnd(PID_HEAD.length)}${lineOf(look)}`
            : lineOf(look),
      )
    },
    notice: (which, text) => context.note(`leakscope: ${prefix(which)}${text}`),
    ended(which, why) {
      // Of a single one, that is how the command ends.
      if (isSeveral) context.note(`leakscope: ${prefix(which)}${why}`)
    },
    mayLook: async () => {},
    seen: async () => {},
    close: async () => {},
  }
}

/** No wider than 80 columns all together. */
const COLUMNS: readonly (readonly [title: string, width: number, of: (values: Look['values']) => string])[] = [
  ['RSS', 8, ({ rss }) => bytes(rss)],
  ['heap', 8, ({ heap }) => bytes(heap)],
  ['buffers', 8, (values) => bytes(values['array-buffers'])],
  ['native', 8, (values) => bytes(values['native-heap'])],
  ['idle', 8, (values) => bytes(values['allocator-slack'])],
  ['threads', 8, ({ threads }) => count(threads)],
  ['files', 6, ({ files }) => count(files)],
  ['loop', 6, (values) => part(values['event-loop'])],
  ['delay', 7, (values) => (values['event-loop-delay'] == null ? '' : formatDuration(values['event-loop-delay']))],
  ['GC', 5, ({ gc }) => part(gc)],
]
const HEAD_EVERY = 20
const HEAD = `${'UTC'.padEnd(8)}${COLUMNS.map(([title, width]) => title.padStart(width)).join('')}`
const PID_HEAD = 'process  '

const bytes = (value: number | null | undefined): string => (value == null ? '?' : formatBytes(value))
const count = (value: number | null | undefined): string => (value == null ? '?' : formatCount(value))
const part = (value: number | null | undefined): string => (value == null ? '' : `${Math.round(100 * value)} %`)

function lineOf({ at, values }: Look): string {
  return `${at.slice(11, 19)}${COLUMNS.map(([, width, of]) => of(values).padStart(width)).join('')}`
}
