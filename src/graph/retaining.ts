// Which edges keep their target alive: the rules of Chrome DevTools' heap view, so that retained sizes agree with it.

import { findEphemerons } from '../snapshot/ephemerons.ts'
import { EdgeType } from '../snapshot/meta.ts'
import { EXCEPTION, edgeType, peek, type Snapshot } from '../snapshot/snapshot.ts'
import { nodesWithIds } from './named.ts'
import { ROOT } from './roots.ts'

// An edge retains or not by its type, with exceptions that are marked in the edge itself (see `retains`):
//
// - Weak edges never retain. Neither do shortcut edges, which repeat what other edges say; at the root they do, where
//   they mark the user's global objects.
// - A WeakMap's value lives as long as both key and table; the edge from the key counts, the one from the table doesn't.
// - An edge from a node that the global objects cannot reach (V8's own, a debugger's) to one that they can reach does
//   not count, or every object that a debugger has seen would be retained by it.

function except({ edges }: Snapshot, edge: number): void {
  edges[edge] = (edges[edge]! | EXCEPTION) >>> 0
}

/** Marks the exceptions that the edges tell themselves: the root's shortcuts, and a WeakMap's to its values. */
export function markKnown(snapshot: Snapshot): void {
  const { firstEdge, edges } = snapshot
  for (let edge = firstEdge[ROOT]!; edge < firstEdge[ROOT + 1]!; edge++) {
    if (edgeType(edges[edge]!) === EdgeType.shortcut) except(snapshot, edge)
  }
  const tableOf = ephemeronTables(snapshot)
  if (!tableOf) return
  for (const [table, id] of nodesWithIds(snapshot, new Set(tableOf.values()))) {
    const first = firstEdge[table]!
    const names = peek(snapshot, 'edgeNameOrIndex', first, firstEdge[table + 1]!)
    for (let i = 0; i < names.length; i++) {
      if (edgeType(edges[first + i]!) === EdgeType.internal && tableOf.get(names[i]!) === id)
        except(snapshot, first + i)
    }
  }
}

/** By string index of an ephemeron edge's name: the id of the WeakMap's table; undefined if there is none. */
export function ephemeronTables({ ephemerons, strings }: Snapshot): Map<number, number> | undefined {
  const { names, tables } = ephemerons ?? findEphemerons(strings)
  if (names.length === 0) return undefined
  const tableOf = new Map<number, number>()
  for (let i = 0; i < names.length; i++) tableOf.set(names[i]!, tables[i]!)
  return tableOf
}
