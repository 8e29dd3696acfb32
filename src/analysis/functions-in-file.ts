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

/**
 * Says of a file whether the functions that a heap has of it stand in it: each named one begins at its parameters, behind
 * its name. A file that was changed, or is what a tool compiled to what ran, has something else there. True where
 * nothing tells.
 */
export function createFileCheck(graphs: readonly HeapGraph[]): (url: string, text: string) => boolean {
  const known = new Map<HeapGraph, ReadonlyMap<string, readonly NamedPlace[]>>()
  return (url, text) => {
    let [right, wrong] = [0, 0]
    const lines = text.split('\n')
    for (const graph of graphs) {
      const places = known.get(graph) ?? placesByScript(graph)
      known.set(graph, places)
      for (const place of places.get(url) ?? []) {
        const found = standsAt(lines, place)
        if (found === true) right++
        else if (found === false) wrong++
      }
    }
    return wrong === 0 || wrong < right
  }
}

/** Undefined where that can be so or not, as for a function that has its name from what it was put into. */
function standsAt(lines: readonly string[], { name, line, column }: NamedPlace): boolean | undefined {
  const text = lines[line]
  if (text === undefined || column > text.length) return false
  const next = text.slice(column)
  // An arrow function begins with a parameter.
  if (!next.startsWith('(')) return /^(?:[\p{ID_Start}$_]|$)/u.test(next) ? undefined : false
  const before = text.slice(0, column).trimEnd()
  return before.endsWith(name) && !/[\w$]/.test(before[before.length - name.length - 1] ?? '') ? true : undefined
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
