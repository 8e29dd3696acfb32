// What the rows of a table stand for: functions, lines, files or packages; each node of the tree belongs to one.

import { packageOf } from '../support/sources.ts'
import { apartOf, type CallTree, type FrameTable } from './call-tree.ts'

export type Grouping = 'function' | 'line' | 'file' | 'package'

/** What one row is about; null is what does not apply, or nobody knows. */
export interface Group {
  /** Of the function; or the file's URL, or the package's name. */
  readonly name: string
  readonly url: string | null
  readonly line: number | null
  readonly column: number | null
  readonly package: string | null
}

export interface Grouped {
  /** By node: number of its group; {@link NO_GROUP} for what is no function. */
  readonly of: Uint32Array
  readonly groups: readonly Group[]
}

export const NO_GROUP = 0xffffffff

/** Names of packages that are none. */
const OWN = '(the program)'
const NODE = '(node)'
const NATIVE = '(native)'

export function group(tree: CallTree, by: Grouping): Grouped {
  const { frames } = tree
  const of = new Uint32Array(tree.parent.length)
  const groups: Group[] = []
  const numbers = new Map<string, number>()
  const number = (key: string, make: () => Group): number => {
    let found = numbers.get(key)
    if (found === undefined) {
      found = groups.push(make()) - 1
      numbers.set(key, found)
    }
    return found
  }
  const byFrame = new Uint32Array(frames.size).fill(NO_GROUP)
  for (let node = 0; node < of.length; node++) {
    const frame = tree.frame[node]!
    if (apartOf(frames, frame) !== undefined) {
      of[node] = NO_GROUP
      continue
    }
    if (by === 'line') {
      // Without a line that ran, the one where the function begins stands for it.
      const line = tree.line[node]! || frames.line(frame)
      const url = frames.url(frame)
      of[node] = number(`${url}\n${line || frames.name(frame)}`, () => ({
        ...functionGroup(frames, frame),
        line: line || null,
        column: null,
      }))
      continue
    }
    if (byFrame[frame] === NO_GROUP) {
      const url = frames.url(frame)
      byFrame[frame] =
        by === 'function'
          ? number(`${frame}`, () => functionGroup(frames, frame))
          : by === 'file'
            ? number(url || NATIVE, () => ({
                ...NOTHING,
                name: url || NATIVE,
                url: url || null,
                package: packageOf(url),
              }))
            : number(packageName(url), () => ({ ...NOTHING, name: packageName(url), package: packageOf(url) }))
    }
    of[node] = byFrame[frame]!
  }
  return { of, groups }
}

const NOTHING = { url: null, line: null, column: null, package: null }

function functionGroup(frames: FrameTable, frame: number): Group {
  const url = frames.url(frame)
  return {
    name: frames.name(frame),
    url: url || null,
    line: frames.line(frame) || null,
    column: frames.column(frame) || null,
    package: packageOf(url),
  }
}

function packageName(url: string): string {
  return packageOf(url) ?? (url === '' ? NATIVE : url.startsWith('node:') ? NODE : OWN)
}
