// Of which classes certain nodes are: of the hundreds of thousands that a leak reaches, most questions are about a few.

import { loopsFor } from '../graph/kernel-loops.ts'
import { arenaOf, arenaUint8, arenaUint32 } from '../support/arena.ts'
import type { Classes } from './classes.ts'

export interface ClassCount {
  /** Of the class. */
  readonly number: number
  readonly name: string
  readonly count: number
  /** Ordinal of the first of them. */
  readonly one: number
}

const known = new WeakMap<Uint32Array, readonly ClassCount[]>()

/** How many of the nodes are of each class, those first of which there are most. */
export function classCounts({ of, names }: Classes, nodes: Uint32Array): readonly ClassCount[] {
  let rows = known.get(nodes)
  if (!rows) {
    const arena = arenaOf(of)
    const count = arenaUint32(arena, names.length)
    const first = arenaUint32(arena, names.length)
    loopsFor(nodes, of, count, first).countAmong(nodes, of, count, first)
    rows = names
      .map((name, number) => ({ number, name, count: count[number]!, one: first[number]! }))
      .filter((row) => row.count > 0)
      .sort((a, b) => b.count - a.count)
    known.set(nodes, rows)
  }
  return rows
}

/** Those of the nodes whose class has such a name. */
export function nodesOfClasses(classes: Classes, nodes: Uint32Array, isWanted: (name: string) => boolean): Uint32Array {
  const wanted = classCounts(classes, nodes).filter(({ name }) => isWanted(name))
  if (wanted.length === 0) return new Uint32Array(0)
  const arena = arenaOf(classes.of)
  const marks = arenaUint8(arena, classes.names.length)
  for (const { number } of wanted) marks[number] = 1
  const list = arenaUint32(
    arena,
    wanted.reduce((sum, { count }) => sum + count, 0),
  )
  loopsFor(nodes, classes.of, marks, list).listAmong(nodes, classes.of, marks, list)
  return list
}
