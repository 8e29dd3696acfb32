// The classes of a heap, as far as they are asked for: by name, by size, by growth; and the nodes of each.

import type { ClassRow } from '../analysis/classes.ts'
import { grewInEachStep } from '../analysis/growth.ts'
import type { OpenedSnapshot } from '../analysis/open-snapshot.ts'
import { LeakscopeError } from '../errors.ts'
import type { PageOptions } from './page.ts'

export interface ClassFilter extends PageOptions {
  /** Contained in the name, in any case; or what the name has to match. */
  readonly name?: string | RegExp
  /** At least so many instances. */
  readonly minCount?: number
  /** At least so many bytes. */
  readonly minShallowBytes?: number
  readonly minRetainedBytes?: number
  /** Only those that gained instances, or else retained bytes, from each snapshot to the next; of a series. */
  readonly grew?: boolean
  /** The largest first, and of `name` the first in the alphabet; `growth`: by the retained bytes that came. Default `retained`. */
  readonly sort?: 'retained' | 'shallow' | 'count' | 'growth' | 'name'
}

/** A class in each snapshot of a series; undefined where it had nothing. */
export type ClassHistory = readonly (ClassRow | undefined)[]

/** The classes that a filter lets through, in its order. */
export function chooseClasses(
  rows: readonly ClassRow[],
  historyOf: ((key: string) => ClassHistory) | undefined,
  { name, minCount = 0, minShallowBytes = 0, minRetainedBytes = 0, grew = false, sort = 'retained' }: ClassFilter,
): ClassRow[] {
  if (!historyOf && (grew || sort === 'growth')) {
    throw new LeakscopeError('usage-invalid', 'what grew cannot be told from one snapshot', {
      hint: 'Open two or more of one process, in order of time.',
    })
  }
  const matches = typeof name === 'string' ? includes(name) : (text: string) => !name || text.search(name) >= 0
  const found = rows.filter(
    (row) =>
      row.count >= minCount &&
      row.shallowBytes >= minShallowBytes &&
      row.retainedBytes >= minRetainedBytes &&
      matches(row.name) &&
      (!grew || grewInEachStep(historyOf!(row.key))),
  )
  const came = ({ key, retainedBytes }: ClassRow): number => retainedBytes - (historyOf!(key)[0]?.retainedBytes ?? 0)
  const order: Record<NonNullable<ClassFilter['sort']>, (a: ClassRow, b: ClassRow) => number> = {
    retained: (a, b) => b.retainedBytes - a.retainedBytes,
    shallow: (a, b) => b.shallowBytes - a.shallowBytes,
    count: (a, b) => b.count - a.count,
    growth: (a, b) => came(b) - came(a),
    name: (a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)),
  }
  return found.sort(order[sort])
}

function includes(wanted: string): (text: string) => boolean {
  const lower = wanted.toLowerCase()
  return (text) => text.toLowerCase().includes(lower)
}

/** The nodes of each class, as the class table counts them: backing stores whose size went to their owner are left out. */
export interface ClassInstances {
  /** By class number, one more than classes: where the class's part of `list` starts. */
  readonly first: Uint32Array
  /** Ordinals. */
  readonly list: Uint32Array
}

/** O(nodes). */
export function sortByClass({ graph, classes: { of, names } }: OpenedSnapshot): ClassInstances {
  const { shallowSize } = graph.ownership
  const first = new Uint32Array(names.length + 1)
  for (let node = 0; node < of.length; node++) if (shallowSize[node]! > 0) first[of[node]!]!++
  // Each count becomes where its part ends; filling the parts from their ends turns that into where they start.
  for (let number = 1; number <= names.length; number++) first[number]! += first[number - 1]!
  const list = new Uint32Array(first[names.length]!)
  for (let node = of.length - 1; node >= 0; node--) if (shallowSize[node]! > 0) list[--first[of[node]!]!] = node
  return { first, list }
}
