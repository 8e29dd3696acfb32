// What is around the container of a candidate: the names on the path to it, the objects that have it, and what is in it.

import { type ClassCount, classCounts, nodesOfClasses } from '../analysis/class-counts.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { numberOf, type Reference, referencesOf } from '../graph/look.ts'
import { nameOfStep } from '../graph/retaining-path.ts'
import { EdgeType } from '../snapshot/meta.ts'
import type { Candidate, IsolateHeap } from './detector.ts'

/** A name on the path to a container. */
export interface Place {
  /** As in the source. */
  readonly name: string
  /** Ordinal of the object, or of the scope, that has it. */
  readonly host: number
  /** Ordinal of what goes by the name. */
  readonly node: number
}

/** A name that is at most so many steps in front of what piles up may be one of the container. */
const FAR = 8

/** The names on the path that may be of the container, the innermost first. */
export function placesOf({ of, path }: Candidate): Place[] {
  const places: Place[] = []
  for (let i = path.length - 2; i > 0 && i >= path.length - 1 - FAR; i--) {
    const name = nameOfStep(path[i])
    if (name === undefined || !isOld(of, path[i - 1]!.ordinal)) continue
    places.push({ name, host: path[i - 1]!.ordinal, node: path[i]!.ordinal })
  }
  return places
}

/** Whether the container is a collection of Node, and not of the program. */
export function isKeptByNode({ of: { graph }, path, suspect: { container } }: Candidate): boolean {
  const at = path.findLastIndex(({ ordinal }) => ordinal === container)
  const urls = path
    .slice(0, at < 0 ? path.length - 1 : at + 1)
    .map(({ ordinal }) => graph.moduleScopes.get(ordinal) ?? graph.sourceLocation(ordinal)?.url)
  return urls.findLast((url) => url !== undefined)?.startsWith('node:') === true
}

const isOld = (of: IsolateHeap, node: number): boolean => !isNew(of, node) || of.heap.lineage === undefined

/** Whether the node came after the first snapshot, or that is not known, as objects were matched by place. */
export const isNew = ({ heap }: IsolateHeap, node: number): boolean =>
  heap.lineage === undefined || heap.lineage.born[node]! > 0

/** The name without its marks: `bufs` of `_bufs`, `queue` of `#queue` and of `Symbol(queue)`. */
export const plainName = (name: string): string =>
  name.replace(/^<symbol (?:Symbol\()?(.*?)\)?>$/, '$1').replace(/^[_#$]+/, '')

/** The properties, fields and variables that a node has. */
export function* membersOf(graph: HeapGraph, node: number, most = 400): Generator<Reference> {
  for (const reference of referencesOf(graph, node, most)) {
    const { type, name } = reference
    if ((type === EdgeType.property || type === EdgeType.context) && name !== '__proto__') yield reference
  }
}

/** The numbers of a node whose names fit, by plain name. */
export function numbersOf(graph: HeapGraph, node: number, names: RegExp): Record<string, number> {
  const numbers: Record<string, number> = {}
  for (const { name, target } of membersOf(graph, node)) {
    const plain = plainName(name)
    const value = names.test(plain) ? numberOf(graph, target) : undefined
    if (value !== undefined) numbers[plain] = value
  }
  return numbers
}

/** The things that pile up: new objects of the sample's class, `most` at most. */
export function thingsOf({ of, suspect }: Candidate, most = 300): number[] {
  const { classes } = of.heap.opened
  const things = [suspect.sample]
  for (const node of suspect.reached) {
    if (things.length === most) break
    if (node !== suspect.sample && classes.of[node] === classes.of[suspect.sample]) things.push(node)
  }
  return things
}

/** How many objects of each class came with a candidate, the largest class first. */
export const countClasses = ({ of, suspect }: Candidate): readonly ClassCount[] =>
  classCounts(of.heap.opened.classes, suspect.reached)

/** The objects that came with a candidate and whose class has such a name. */
export const reachedOf = (
  { of, suspect }: Pick<Candidate, 'of' | 'suspect'>,
  isWanted: (name: string) => boolean,
): Uint32Array => nodesOfClasses(of.heap.opened.classes, suspect.reached, isWanted)

/** Whether another suspect has what came into the container whose store grew: that one is reported with the store. */
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

/** The rate of each step, by its own length: with many isolates the steps are not equally long. */
export const ratesOf = (counts: readonly number[], seconds: readonly number[]): number[] =>
  counts.slice(1).map((count, step) => (count - counts[step]!) / Math.max(0.001, seconds[step + 1]! - seconds[step]!))

/** The noun with `a` or `an`. */
export const withArticle = (noun: string): string => `${/^[AEIOU]/i.test(noun) ? 'an' : 'a'} ${noun}`

export const plural = (count: number, one: string, many = `${one}s`): string => (count === 1 ? one : many)
