// The one model of a profile: a tree of calls in columns, and what was measured at each of its nodes.

import { LeakscopeError } from '../errors.ts'
import { TupleInterner } from '../support/tuple-interner.ts'

/** What was measured, as pprof names it: `cpu` in `microseconds`, `samples` in `count`, `space` in `bytes`. */
export interface SampleType {
  readonly name: string
  readonly unit: string
}

/** The functions of a profile, each once, by frame number from 0. */
export class FrameTable {
  readonly #strings: string[] = []
  readonly #numbers = new Map<string, number>()
  readonly #tuples = new TupleInterner(4)

  /** The frame's number. `line` and `column` are 1-based and where the function begins; 0 where nobody knows. */
  add(name: string, url: string, line: number, column: number): number {
    return this.#tuples.intern(this.#intern(name), this.#intern(url), line, column)
  }

  get size(): number {
    return this.#tuples.size
  }

  name(frame: number): string {
    return this.#strings[this.#tuples.part(frame, 0)]!
  }

  url(frame: number): string {
    return this.#strings[this.#tuples.part(frame, 1)]!
  }

  line(frame: number): number {
    return this.#tuples.part(frame, 2)
  }

  column(frame: number): number {
    return this.#tuples.part(frame, 3)
  }

  #intern(text: string): number {
    let number = this.#numbers.get(text)
    if (number === undefined) {
      number = this.#strings.push(text) - 1
      this.#numbers.set(text, number)
    }
    return number
  }
}

/**
 * Calls, in the order of a walk from the root: a node stands behind its parent and in front of its next sibling, so
 * that one pass forwards visits paths, and one backwards adds up what is below.
 *
 * A node is a function as called by the function of its parent, and where the file says so at which line it was: the
 * same function may have several nodes below one parent, one for each line that was seen running.
 */
export interface CallTree {
  readonly frames: FrameTable
  /** By node: the caller's node; -1 at roots. Smaller than the node itself. */
  readonly parent: Int32Array
  /** By node: how many callers are above. */
  readonly depth: Int32Array
  /** By node: frame number. */
  readonly frame: Uint32Array
  /** By node: the line that ran, 1-based; 0 where it is not known. */
  readonly line: Uint32Array
  readonly sampleTypes: readonly SampleType[]
  /** By sample type, then by node: what was measured in the node itself, without what it called. */
  readonly self: readonly Float64Array[]
  readonly durationMs: number | null
  /** Milliseconds between samples or bytes between them, in the unit of the last sample type; null where not known. */
  readonly period: number | null
}

/** A tree as a file gives it: nodes in any order, nothing checked. */
export interface LooseTree extends Omit<CallTree, 'depth'> {
  /** How the file calls a node, for complaints. */
  readonly nameOf: (node: number) => string
}

/** How many nodes a tree may have: 200 bytes each while it is put in order. */
export const MAX_NODES = 1 << 25

/**
 * Puts the nodes in order. Time and memory go by the number of nodes, whatever the tree's shape.
 * @throws LeakscopeError `profile-malformed` if nodes are their own callers
 */
export function arrange(file: string, tree: LooseTree): CallTree {
  const count = tree.parent.length
  // Children by parent: firstChild[p] to firstChild[p + 1]; those of no parent come last, as children of `count`.
  const firstChild = new Uint32Array(count + 2)
  const parentOrNone = (node: number): number => (tree.parent[node]! < 0 ? count : tree.parent[node]!)
  for (let node = 0; node < count; node++) firstChild[parentOrNone(node) + 1]!++
  for (let node = 0; node <= count; node++) firstChild[node + 1]! += firstChild[node]!
  const children = new Uint32Array(count)
  const filled = firstChild.slice()
  for (let node = 0; node < count; node++) children[filled[parentOrNone(node)]!++] = node

  /** By new node: the old one. */
  const order = new Uint32Array(count)
  /** By old node: the new one. */
  const place = new Int32Array(count).fill(-1)
  const parent = new Int32Array(count)
  const depth = new Int32Array(count)
  let placed = 0
  const waiting = new Uint32Array(count)
  let end = 0
  const open = (of: number): void => {
    for (let i = firstChild[of + 1]! - 1; i >= firstChild[of]!; i--) waiting[end++] = children[i]!
  }
  open(count)
  while (end > 0) {
    const node = waiting[--end]!
    const above = tree.parent[node]! < 0 ? -1 : place[tree.parent[node]!]!
    order[placed] = node
    parent[placed] = above
    depth[placed] = above < 0 ? 0 : depth[above]! + 1
    place[node] = placed++
    open(node)
  }
  if (placed < count) {
    const lost = place.indexOf(-1)
    throw malformed(file, `the calls go round in a circle at node ${tree.nameOf(lost)}`)
  }
  const pick = <T extends Uint32Array | Float64Array>(column: T, into: T): T => {
    for (let node = 0; node < count; node++) into[node] = column[order[node]!]!
    return into
  }
  return {
    frames: tree.frames,
    parent,
    depth,
    frame: pick(tree.frame, new Uint32Array(count)),
    line: pick(tree.line, new Uint32Array(count)),
    sampleTypes: tree.sampleTypes,
    self: tree.self.map((column) => pick(column, new Float64Array(count))),
    durationMs: tree.durationMs,
    period: tree.period,
  }
}

/** @param what what is wrong, to stand behind the file's name and a colon */
export function malformed(file: string, what: string, hint = 'Capture the profile again.', cause?: unknown) {
  return new LeakscopeError('profile-malformed', `${file}: ${what}`, { hint, cause })
}

/** What the engine spends outside of functions; V8 writes it as functions without a script. */
export type Apart = 'idle' | 'program' | 'garbage collector'

const APART: ReadonlyMap<string, Apart | 'root'> = new Map([
  ['(root)', 'root'],
  ['(idle)', 'idle'],
  ['(program)', 'program'],
  ['(garbage collector)', 'garbage collector'],
])

/** What a frame stands for if that is no function. */
export function apartOf(frames: FrameTable, frame: number): Apart | 'root' | undefined {
  return frames.url(frame) === '' ? APART.get(frames.name(frame)) : undefined
}
