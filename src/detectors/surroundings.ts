// What stands around the container of a candidate: the names on the way to it, the objects that it belongs to, and what is in it.

import { type ClassCount, classesAmong, nodesAmong } from '../analysis/among.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { numberOf, type Reference, referencesOf } from '../graph/look.ts'
import { nameOfStep } from '../graph/retaining-path.ts'
import { EdgeType } from '../snapshot/meta.ts'
import type { Candidate, IsolateHeap } from './detector.ts'

/** A name by which something is kept, and whose it is. */
export interface Place {
  /** As in the source. */
  readonly name: string
  /** Ordinal of the object, or of the scope, that has it. */
  readonly host: number
  /** Ordinal of what goes by the name. */
  readonly node: number
}

/** So far above what is too many, in steps that a reader sees, something still is its container's. */
const FAR = 8

/** The names on the way to what is too many, the innermost first, as far as they can be its container's. */
export function placesOf({ of, path }: Candidate): Place[] {
  const places: Place[] = []
  for (let i = path.length - 2; i > 0 && i >= path.length - 1 - FAR; i--) {
    const name = nameOfStep(path[i])
    if (name === undefined || !isOld(of, path[i - 1]!.ordinal)) continue
    places.push({ name, host: path[i - 1]!.ordinal, node: path[i]!.ordinal })
  }
  return places
}

/** Whether what a candidate piles up in is one of Node's own collections, rather than one that the program has made. */
export function isKeptByNode({ of: { graph }, path, suspect: { container } }: Candidate): boolean {
  const at = path.findLastIndex(({ ordinal }) => ordinal === container)
  const urls = path
    .slice(0, at < 0 ? path.length - 1 : at + 1)
    .map(({ ordinal }) => graph.moduleScopes.get(ordinal) ?? graph.sourceLocation(ordinal)?.url)
  return urls.findLast((url) => url !== undefined)?.startsWith('node:') === true
}

const isOld = (of: IsolateHeap, node: number): boolean => !isNew(of, node) || of.heap.lineage === undefined

/** Whether the node came after the first snapshot; where ids tell nothing everything may have. */
export const isNew = ({ heap }: IsolateHeap, node: number): boolean =>
  heap.lineage === undefined || heap.lineage.born[node]! > 0

/** `_bufs`, `#queue` and `Symbol(queue)` in plain letters. */
export const plainName = (name: string): string =>
  name.replace(/^<symbol (?:Symbol\()?(.*?)\)?>$/, '$1').replace(/^[_#$]+/, '')

/** The properties, fields and variables that a node has. */
export function* membersOf(graph: HeapGraph, node: number, most = 400): Generator<Reference> {
  for (const reference of referencesOf(graph, node, most)) {
    const { type, name } = reference
    if ((type === EdgeType.property || type === EdgeType.context) && name !== '__proto__') yield reference
  }
}

/** The numbers among them that go by names of a kind, by name. */
export function numbersOf(graph: HeapGraph, node: number, names: RegExp): Record<string, number> {
  const numbers: Record<string, number> = {}
  for (const { name, target } of membersOf(graph, node)) {
    const plain = plainName(name)
    const value = names.test(plain) ? numberOf(graph, target) : undefined
    if (value !== undefined) numbers[plain] = value
  }
  return numbers
}

/** Those that are too many: what came and is of the sample's class; `most` of them. */
export function thingsOf({ of, suspect }: Candidate, most = 300): number[] {
  const { classes } = of.heap.opened
  const things = [suspect.sample]
  for (const node of suspect.reached) {
    if (things.length === most) break
    if (node !== suspect.sample && classes.of[node] === classes.of[suspect.sample]) things.push(node)
  }
  return things
}

/** How many of those that came with a candidate are of each class, by ordinal of one of them; classes of V8's own left out. */
export const countClasses = ({ of, suspect }: Candidate): readonly ClassCount[] =>
  classesAmong(of.heap.opened.classes, suspect.reached)

/** Those that came with a candidate and whose class has such a name. */
export const reachedOf = (
  { of, suspect }: Pick<Candidate, 'of' | 'suspect'>,
  isWanted: (name: string) => boolean,
): Uint32Array => nodesAmong(of.heap.opened.classes, suspect.reached, isWanted)

/** Whether it is known what came into what a candidate says has a larger store, so that the store is told with that. */
export const hasGained = ({ of, suspect }: Candidate): boolean =>
  of.suspects.some(
    ({ kind, container, holders }) =>
      kind === 'added' && (container === suspect.container || holders.includes(suspect.container)),
  )

/** How many objects of the node's class there were in each snapshot. */
export function countsOver({ heap }: IsolateHeap, node: number): number[] {
  const { classes } = heap.opened
  const key = classes.keys[classes.of[node]!]!
  return heap.series.map((each) => each.classes.get(key)?.count ?? 0)
}

/** How much more there was a second, step by step: the steps of a look at many isolates are not equally long. */
export const ratesOf = (counts: readonly number[], seconds: readonly number[]): number[] =>
  counts.slice(1).map((count, step) => (count - counts[step]!) / Math.max(0.001, seconds[step + 1]! - seconds[step]!))

/** A word in English for so many of something. */
export const withArticle = (noun: string): string => `${/^[AEIOU]/i.test(noun) ? 'an' : 'a'} ${noun}`

export const plural = (count: number, one: string, many = `${one}s`): string => (count === 1 ? one : many)
