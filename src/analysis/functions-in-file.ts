// Whether a file has the text that V8 compiled: by the functions of the heap, which V8 tells the places of.

import type { HeapGraph } from '../graph/heap-graph.ts'
import { NodeType } from '../snapshot/meta.ts'

interface NamedPlace {
  readonly name: string
  /** 0-based, as `column`. */
  readonly line: number
  readonly column: number
}

/** Functions of one script that are looked at. */
const MOST = 200
/** So far in front of its parameters a function's name stands, or that of what it is put into. */
const NEAR = 40
/** Of functions that stand in a file, so many times fewer may not: V8 names some by rules of its own. */
const FEW = 10

/**
 * Says of a file whether the functions that a heap has of it stand in it: each begins at its parameters, behind its name.
 * A file that was changed, or is what a tool compiled to what ran, has something else there. True where nothing tells.
 */
export function createFileCheck(graphs: readonly HeapGraph[]): (url: string, text: string) => boolean {
  const known = new Map<HeapGraph, ReadonlyMap<string, readonly NamedPlace[]>>()
  return (url, text) => {
    let [right, wrong] = [0, 0]
    const starts = [0]
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
    for (const graph of graphs) {
      const places = known.get(graph) ?? placesByScript(graph)
      known.set(graph, places)
      for (const { name, line, column } of places.get(url) ?? []) {
        const start = starts[line]
        const end = starts[line + 1] ?? text.length
        const found = start === undefined || start + column > end ? false : standsAt(text, start + column, name)
        if (found === true) right++
        else if (found === false) wrong++
      }
    }
    return FEW * wrong <= right
  }
}

/** Where no function begins. */
const NONE = /^(?:$|[\s)\]};,.=:?&|+\-<>!~^%'"`])/

/** Undefined where that can be so or not, as for a class, which V8 says to be where its constructor is. */
function standsAt(text: string, at: number, name: string): boolean | undefined {
  const before = text.slice(Math.max(0, at - NEAR - name.length), at)
  if (before.match(/[\p{ID_Continue}$]+/gu)?.includes(name)) return true
  if (text[at] === '(') return /constructor\s*$/.test(before) ? undefined : false
  return NONE.test(text.slice(at, at + 1)) ? false : undefined
}

function placesByScript({ snapshot, scriptUrls }: HeapGraph): Map<string, NamedPlace[]> {
  const { locations, nodeType, nodeName, strings } = snapshot
  const places = new Map<string, NamedPlace[]>()
  const seen = new Uint8Array(locations.script.length)
  for (let row = 0; row < locations.node.length; row++) {
    const site = locations.site[row]!
    const node = locations.node[row]!
    if (seen[site] === 1 || nodeType[node] !== NodeType.closure) continue
    seen[site] = 1
    const url = scriptUrls.get(locations.script[site]!)
    if (url === undefined || url.startsWith('node:')) continue
    const list = places.get(url) ?? []
    places.set(url, list)
    if (list.length >= MOST) continue
    const name = strings.get(nodeName[node]!)
    if (/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name)) {
      list.push({ name, line: locations.line[site]!, column: locations.column[site]! })
    }
  }
  return places
}
