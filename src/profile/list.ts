// The source of functions with what each line took beside it.

import type { CallTree } from './call-tree.ts'
import { group } from './group.ts'
import { walkOutermost } from './table.ts'
import { sumsBelow, type Weighed } from './weigh.ts'

export interface ListedLine {
  readonly line: number
  readonly flat: number
  readonly cum: number
  /** Null where the source cannot be read. */
  readonly text: string | null
}

export interface Listing {
  readonly name: string
  readonly url: string
  /** Where the function begins. */
  readonly start: number
  readonly flat: number
  readonly cum: number
  /** Lines in order; there may be gaps only where no source can be read. */
  readonly lines: readonly ListedLine[]
  /** Whether nothing is known of single lines, and all stands at the first. */
  readonly startOnly: boolean
}

/** Lines shown in front of the first and behind the last that has a figure. */
const AROUND = 3
/** Of a long function, gaps without figures are not all of interest; of a minified one, nothing is. */
const MAX_LINES = 2000
const MAX_TEXT = 500

/** @param chosen frames of functions; those of one place are one */
export function list(
  tree: CallTree,
  weighed: Pick<Weighed, 'self'>,
  chosen: ReadonlySet<number>,
  readSource: (url: string) => string | undefined,
): Listing[] {
  const sums = sumsBelow(tree, weighed.self)
  const byLine = new Map<number, Map<number, { flat: number; cum: number }>>()
  const totals = new Map<number, { flat: number; cum: number }>()
  const functions = group(tree, 'function')
  const wanted = (node: number): number => (chosen.has(tree.frame[node]!) ? functions.of[node]! : -1)
  walkOutermost(tree, wanted, (node, key, outermost) => {
    const total = totals.get(key) ?? { flat: 0, cum: 0 }
    totals.set(key, total)
    total.flat += weighed.self[node]!
    if (outermost) total.cum += sums[node]!
  })
  const withLines = new Set<number>()
  const lineKey = (node: number): number => {
    const key = wanted(node)
    return key < 0 ? -1 : key * 2 ** 24 + Math.min(lineOf(tree, node), 2 ** 24 - 1)
  }
  walkOutermost(tree, lineKey, (node, _, outermost) => {
    const key = functions.of[node]!
    if (tree.line[node]! > 0) withLines.add(key)
    const lines = byLine.get(key) ?? new Map<number, { flat: number; cum: number }>()
    byLine.set(key, lines)
    const at = lines.get(lineOf(tree, node)) ?? { flat: 0, cum: 0 }
    lines.set(lineOf(tree, node), at)
    at.flat += weighed.self[node]!
    if (outermost) at.cum += sums[node]!
  })
  return [...byLine]
    .map(([key, lines]) => {
      const { name, url, line } = functions.groups[key]!
      const start = line ?? 0
      const figures = [...lines].filter(([, { flat, cum }]) => flat !== 0 || cum !== 0).sort(([a], [b]) => a - b)
      return {
        name,
        url: url ?? '',
        start,
        ...totals.get(key)!,
        lines: withText(figures, url === null ? undefined : readSource(url), start),
        startOnly: !withLines.has(key),
      }
    })
    .filter(({ lines }) => lines.length > 0)
    .sort((a, b) => Math.abs(b.cum) - Math.abs(a.cum))
}

/** The line that ran; where none is known, the one where the function begins. */
const lineOf = (tree: CallTree, node: number): number => tree.line[node]! || tree.frames.line(tree.frame[node]!)

function withText(
  figures: [line: number, { flat: number; cum: number }][],
  source: string | undefined,
  start: number,
): ListedLine[] {
  const bare = figures.map(([line, { flat, cum }]) => ({ line, flat, cum, text: null }))
  if (source === undefined || figures.length === 0) return bare
  const texts = source.split('\n')
  const first = Math.max(1, Math.min(start, figures[0]![0]) - AROUND)
  const last = Math.min(texts.length, figures.at(-1)![0] + AROUND)
  // Lines that the file does not have: it is another one now.
  if (figures.at(-1)![0] > texts.length || last - first >= MAX_LINES) return bare
  const at = new Map(figures)
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const { flat, cum } = at.get(first + i) ?? { flat: 0, cum: 0 }
    return { line: first + i, flat, cum, text: texts[first + i - 1]!.slice(0, MAX_TEXT).trimEnd() }
  })
}
