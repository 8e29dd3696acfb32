// What counts of a profile: the chosen measure, less what is not a function's, and only the stacks that were asked for.

import { LeakscopeError } from '../errors.ts'
import { type Apart, apartOf, type CallTree } from './call-tree.ts'

export interface Focus {
  /** Only stacks in which a function's name or URL matches. */
  readonly focus?: RegExp
  /** No stacks in which one does. */
  readonly ignore?: RegExp
}

export interface Weighed {
  /** By node: what counts of it. */
  readonly self: Float64Array
  /** What the engine spent outside of functions, whatever the focus is. */
  readonly apart: Readonly<Record<Apart, number>>
  /** All but idle time, whatever the focus is: what shares are of. */
  readonly total: number
}

/** The place of a sample type among the tree's; the last one if none is asked for, as in pprof. */
export function sampleTypeIndex(file: string, tree: CallTree, name: string | undefined): number {
  if (name === undefined) return tree.sampleTypes.length - 1
  const found = tree.sampleTypes.findIndex((type) => type.name === name)
  if (found >= 0) return found
  const names = tree.sampleTypes.map((type) => type.name).join(', ')
  throw new LeakscopeError('usage-invalid', `${file} has no samples '${name}', but ${names}`)
}

export function weigh(tree: CallTree, column: Float64Array, focus: Focus): Weighed {
  const self = restrict(tree, column, focus)
  const apart = { idle: 0, program: 0, 'garbage collector': 0 }
  let total = 0
  const kinds = Array.from({ length: tree.frames.size }, (_, frame) => apartOf(tree.frames, frame))
  for (let node = 0; node < self.length; node++) {
    const kind = kinds[tree.frame[node]!]
    if (kind !== 'idle') total += column[node]!
    if (kind === undefined) continue
    if (kind !== 'root') apart[kind] += column[node]!
    self[node] = 0
  }
  return { self, apart, total }
}

/** By node: what `column` has in stacks that are asked for, and 0 in others. */
export function restrict(tree: CallTree, column: Float64Array, { focus, ignore }: Focus): Float64Array {
  const self = column.slice()
  if (!focus && !ignore) return self
  const matches = (pattern: RegExp | undefined): Uint8Array | undefined =>
    pattern &&
    Uint8Array.from({ length: tree.frames.size }, (_, frame) =>
      pattern.test(tree.frames.name(frame)) || pattern.test(tree.frames.url(frame)) ? 1 : 0,
    )
  const wanted = matches(focus)
  const unwanted = matches(ignore)
  /** By node: bit 0 is set where it or a caller is wanted, bit 1 where one is unwanted. */
  const seen = new Uint8Array(self.length)
  for (let node = 0; node < self.length; node++) {
    const frame = tree.frame[node]!
    const above = tree.parent[node]! < 0 ? 0 : seen[tree.parent[node]!]!
    seen[node] = above | (wanted?.[frame] ?? 1) | ((unwanted?.[frame] ?? 0) << 1)
    if (seen[node] !== 1) self[node] = 0
  }
  return self
}

/** By node: what counts of it and of all that it called. */
export function sumsBelow(tree: CallTree, self: Float64Array): Float64Array {
  const sums = self.slice()
  for (let node = sums.length - 1; node > 0; node--) {
    const parent = tree.parent[node]!
    if (parent >= 0) sums[parent]! += sums[node]!
  }
  return sums
}
