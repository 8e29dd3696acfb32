// The table that `go tool pprof -top` made common: what each function took itself (flat), and with all it called (cum).

import type { CallTree } from './call-tree.ts'
import { type Group, type Grouped, NO_GROUP } from './group.ts'
import { sumsBelow, type Weighed } from './weigh.ts'

export interface Row extends Group {
  readonly group: number
  readonly flat: number
  readonly cum: number
}

/** Groups that took anything, the largest first; where something was taken off, the largest change first. */
export function tableOf(tree: CallTree, { self }: Pick<Weighed, 'self'>, grouped: Grouped, byCum: boolean): Row[] {
  const flat = new Float64Array(grouped.groups.length)
  const cum = new Float64Array(grouped.groups.length)
  const sums = sumsBelow(tree, self)
  const groupOf = (node: number): number => (grouped.of[node] === NO_GROUP ? -1 : grouped.of[node]!)
  walkOutermost(tree, groupOf, (node, group, outermost) => {
    flat[group]! += self[node]!
    // Below a call of the same group, all is in that one's sum already.
    if (outermost) cum[group]! += sums[node]!
  })
  const size = ({ flat, cum }: Row): number => Math.abs(byCum ? cum : flat)
  const second = ({ flat, cum }: Row): number => Math.abs(byCum ? flat : cum)
  return grouped.groups
    .map((each, group) => ({ ...each, group, flat: flat[group]!, cum: cum[group]! }))
    .filter(({ flat, cum }) => flat !== 0 || cum !== 0)
    .sort((a, b) => size(b) - size(a) || second(b) - second(a) || (a.name < b.name ? -1 : 1))
}

/**
 * Calls `visit` for each node that has a key (others have -1), and says whether no node above has the same: what is
 * counted there alone is counted once, however deep a function calls itself.
 */
export function walkOutermost(
  tree: CallTree,
  keyOf: (node: number) => number,
  visit: (node: number, key: number, outermost: boolean) => void,
): void {
  /** By key: how many nodes of the path have it. */
  const open = new Map<number, number>()
  const path: number[] = []
  for (let node = 0; node < tree.parent.length; node++) {
    while (path.length > tree.depth[node]!) {
      const left = path.pop()!
      open.set(left, open.get(left)! - 1)
    }
    const key = keyOf(node)
    const above = open.get(key) ?? 0
    path.push(key)
    open.set(key, above + 1)
    if (key >= 0) visit(node, key, above === 0)
  }
}
