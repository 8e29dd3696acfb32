// A profile as a flame graph: what is drawn, how wide, and the page that draws it.

import { packageOf } from '../support/sources.ts'
import type { CallTree } from './call-tree.ts'
import { FLAME_SCRIPT, FLAME_STYLE } from './flame-page.ts'
import { group, NO_GROUP } from './group.ts'
import { StackTrie } from './stack-trie.ts'

/** What the page draws; calls in the order of a walk from the root, the widest of siblings first. */
export interface FlameGraph {
  readonly title: string
  readonly unit: string
  /** Whether something was taken off: frames are then as wide as the larger of the two, and coloured by the change. */
  readonly differential: boolean
  readonly functions: readonly (readonly [name: string, place: string, kind: string])[]
  /** By frame of the graph: its function, how deep it is, the amount, and what that was in the base. */
  readonly frames: readonly (readonly [fn: number, depth: number, amount: number, base: number, width: number])[]
  /** Frames that were too narrow to be drawn. */
  readonly leftOut: number
}

/** More than these a browser draws with delay, and nobody reads. */
const MAX_FRAMES = 20_000
const ALL = 'all'

/** @param base by node: what is taken off, if anything is */
export function flameGraph(
  tree: CallTree,
  self: Float64Array,
  { title, unit, base }: { title: string; unit: string; base?: Float64Array | undefined },
): FlameGraph {
  const { of, groups } = group(tree, 'function')
  const trie = new StackTrie(title)
  /** By node of the tree: the frame that it is part of. The root is frame 0, of no function. */
  const root = trie.below(-1, groups.length, 0)
  const place = new Uint32Array(of.length)
  for (let node = 0; node < of.length; node++) {
    const above = tree.parent[node]! < 0 ? root : place[tree.parent[node]!]!
    place[node] = of[node] === NO_GROUP ? above : trie.below(above, of[node]!, 0)
  }
  const { parent, frame: fn } = trie.columns()
  const amount = new Float64Array(trie.size)
  const before = new Float64Array(trie.size)
  for (let node = 0; node < of.length; node++) {
    amount[place[node]!]! += self[node]!
    if (base) before[place[node]!]! += base[node]!
  }
  const width = amount.map((own, frame) => Math.max(own, before[frame]!, 0))
  // A frame's number is larger than that of its caller.
  for (const column of [amount, before, width]) {
    for (let frame = column.length - 1; frame > 0; frame--) column[parent[frame]!]! += column[frame]!
  }

  const sorted = width.slice().sort().reverse()
  const narrowest = Math.max(sorted[MAX_FRAMES] ?? 0, width[root]! / 1e5)
  const children = new Map<number, number[]>()
  let leftOut = 0
  for (let frame = 1; frame < width.length; frame++) {
    if (!(width[frame]! > narrowest)) {
      leftOut += width[frame]! > 0 ? 1 : 0
      continue
    }
    const siblings = children.get(parent[frame]!)
    if (siblings) siblings.push(frame)
    else children.set(parent[frame]!, [frame])
  }
  const functions: [string, string, string][] = []
  const numbers = new Map<number, number>()
  const functionOf = (number: number): number => {
    let found = numbers.get(number)
    if (found === undefined) {
      const { name, url, line } = groups[number] ?? { name: ALL, url: null, line: null }
      found = functions.push([name, placeText(url, line), kindOf(url)]) - 1
      numbers.set(number, found)
    }
    return found
  }
  const frames: FlameGraph['frames'][number][] = []
  const waiting: [frame: number, depth: number][] = [[root, 0]]
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const [frame, depth] = next
    const round = (value: number): number => Math.round(value * 100) / 100
    frames.push([functionOf(fn[frame]!), depth, round(amount[frame]!), round(before[frame]!), round(width[frame]!)])
    const below = children.get(frame) ?? []
    below.sort((a, b) => width[a]! - width[b]!)
    for (const child of below) waiting.push([child, depth + 1])
  }
  return { title, unit, differential: base !== undefined, functions, frames, leftOut }
}

const placeText = (url: string | null, line: number | null): string =>
  url === null ? '' : `${url.replace(/^file:\/\//, '')}${line === null ? '' : `:${line}`}`

/** Whose the code is: a package's name, `node`, `native`, or nothing for the program's own. */
const kindOf = (url: string | null): string =>
  url === null ? 'native' : url.startsWith('node:') ? 'node' : (packageOf(url) ?? '')

/** One HTML file with everything in it, which the page's own policy keeps from asking for anything else. */
export function flamePage(graph: FlameGraph): string {
  // Names come out of a program that we do not trust: no `<` of theirs may end the script.
  const data = JSON.stringify(graph).replace(/[<\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
  const escaped = graph.title.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped}</title>
<style>${FLAME_STYLE}</style>
</head>
<body>
<header>
<h1>${escaped}</h1>
<form><input id="search" type="search" placeholder="Search names, files (regexp)" aria-label="Search" autocomplete="off"></form>
<output id="found"></output>
<button id="reset" type="button">Whole graph</button>
</header>
<svg id="graph" role="img" aria-label="Flame graph"></svg>
<footer id="details"></footer>
<script id="data" type="application/json">${data}</script>
<script>${FLAME_SCRIPT}</script>
</body>
</html>
`
}
