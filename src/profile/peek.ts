// Who calls a function, whom it calls, and how much of its time or memory that is.

import type { CallTree } from './call-tree.ts'
import { type Group, type Grouped, NO_GROUP } from './group.ts'
import { type Row, tableOf, walkOutermost } from './table.ts'
import { sumsBelow, type Weighed } from './weigh.ts'

export interface Neighbour extends Group {
  /** What was measured in stacks with this call in it. */
  readonly amount: number
}

export interface Peek {
  readonly row: Row
  readonly callers: readonly Neighbour[]
  /** What of it no function called, but the event loop. */
  readonly fromRoot: number
  readonly callees: readonly Neighbour[]
}

/** Of each group that `chosen` names: its neighbours, the largest first. */
export function peek(
  tree: CallTree,
  weighed: Pick<Weighed, 'self'>,
  grouped: Grouped,
  chosen: ReadonlySet<number>,
): Peek[] {
  const sums = sumsBelow(tree, weighed.self)
  const groups = grouped.groups.length
  /** By call, caller × groups + callee: the sum of its stacks. */
  const calls = new Map<number, number>()
  const callOf = (node: number): number => {
    const callee = grouped.of[node]!
    if (callee === NO_GROUP) return -1
    const caller = tree.parent[node]! < 0 ? NO_GROUP : grouped.of[tree.parent[node]!]!
    if (!chosen.has(callee) && !chosen.has(caller)) return -1
    return (caller === NO_GROUP ? groups : caller) * groups + callee
  }
  walkOutermost(tree, callOf, (node, call, outermost) => {
    if (outermost) calls.set(call, (calls.get(call) ?? 0) + sums[node]!)
  })
  const neighbours = (of: (caller: number, callee: number) => number | undefined): Neighbour[] =>
    [...calls]
      .flatMap(([call, amount]) => {
        const other = of(Math.floor(call / groups), call % groups)
        return other === undefined || other === groups || amount === 0 ? [] : [{ ...grouped.groups[other]!, amount }]
      })
      .sort((a, b) => Math.abs(b.amount) - Math.abs(a.amount))
  return tableOf(tree, weighed, grouped, true)
    .filter(({ group }) => chosen.has(group))
    .map((row) => ({
      row,
      fromRoot: calls.get(groups * groups + row.group) ?? 0,
      callers: neighbours((caller, callee) => (callee === row.group ? caller : undefined)),
      callees: neighbours((caller, callee) => (caller === row.group ? callee : undefined)),
    }))
}
