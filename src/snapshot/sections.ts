// Where the sections of rows lie in a file that V8 wrote, found by looking at a few places instead of at all.

import { fstatSync } from 'node:fs'
import { readFully } from '../support/descriptors.ts'
import type { Layout } from './meta.ts'

export interface Section {
  /** Offset of the first row's first byte. */
  readonly start: number
  /** Offset of the `]` behind the last row. */
  readonly end: number
}

export interface Sections {
  readonly nodes: Section
  readonly edges: Section
  readonly fileBytes: number
}

const WINDOW = 1 << 13
/** Numbers that are looked at in one place; what is no row of a kind has no chance of looking like so many. */
const MIN_NUMBERS = 64

/**
 * Rows of nodes and of edges can be told by their numbers (types are small, an edge's target is a multiple of the
 * node's fields), so a section's end is found by bisection. Undefined if that does not work out; whatever is found
 * still has to be proved by parsing it.
 * @param fd a regular file
 * @param nodesAt where the key "nodes" stands
 */
export function findSections(fd: number, nodesAt: number, nodeCount: number, layout: Layout): Sections | undefined {
  const fileBytes = fstatSync(fd).size
  const window = Buffer.alloc(WINDOW)
  const read = (at: number): Buffer => window.subarray(0, readFully(fd, window, 0, at, WINDOW))

  const nodes = {
    opening: '"nodes":[',
    fields: layout.nodeFieldCount,
    isRow: (numbers: readonly number[], at: number) =>
      numbers[at + layout.type]! < layout.nodeTypeOf.length && !(numbers[at + layout.detachedness]! > 2),
  }
  const edges = {
    opening: '],\n"edges":[',
    fields: layout.edgeFieldCount,
    isRow: (numbers: readonly number[], at: number) => {
      const target = numbers[at + layout.edgeToNode]! / layout.nodeFieldCount
      return (
        numbers[at + layout.edgeType]! < layout.edgeTypeOf.length && target < nodeCount && target === Math.floor(target)
      )
    },
  }

  /** Whether all there is behind `at` is rows of one kind, wherever the first of them may begin. */
  function isInside(at: number, { fields, isRow }: typeof nodes): boolean {
    const text = read(at).toString('latin1')
    if (!/^[\d,\n]+$/.test(text)) return false
    // The first and the last one may be cut.
    const numbers = text.split(',').slice(1, -1).map(Number)
    if (numbers.length < MIN_NUMBERS) return false
    for (let phase = 0; phase < fields; phase++) {
      let row = phase
      while (row + fields <= numbers.length && isRow(numbers, row)) row += fields
      if (row + fields > numbers.length) return true
    }
    return false
  }
  function find(at: number, kind: typeof nodes): Section | undefined {
    if (read(at).toString('latin1', 0, kind.opening.length) !== kind.opening) return undefined
    const start = at + kind.opening.length
    let inside = start
    let behind = fileBytes
    while (behind - inside > WINDOW / 2) {
      const middle = Math.floor((inside + behind) / 2)
      if (isInside(middle, kind)) inside = middle
      else behind = middle
    }
    // A window that reaches over the end is not inside, so the end may be a window further on.
    for (let from = inside; from <= behind + WINDOW && from < fileBytes; from += WINDOW) {
      const end = read(from).indexOf(']')
      if (end >= 0) return { start, end: from + end }
    }
    return undefined
  }

  const nodeSection = find(nodesAt, nodes)
  const edgeSection = nodeSection && find(nodeSection.end, edges)
  return edgeSection && { nodes: nodeSection, edges: edgeSection, fileBytes }
}
