// Where in the source a node comes from: the line of a closure, or of the constructor of a class instance.

import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, type Snapshot } from '../snapshot/snapshot.ts'

/** A place in the source; line and column count from 1. */
export interface SourceLocation {
  readonly url: string
  readonly line: number
  readonly column: number
}

/** The place that a row of `snapshot.locations` tells, or undefined if the script's URL is not known. */
export function locationAt(
  { locations }: Snapshot,
  urls: ReadonlyMap<number, string>,
  row: number,
): SourceLocation | undefined {
  const site = locations.site[row]!
  const url = urls.get(locations.script[site]!)
  return url === undefined ? undefined : { url, line: locations.line[site]! + 1, column: locations.column[site]! + 1 }
}

/**
 * By V8's script id: the script's URL. A closure knows both: its location has the id, and its `shared` function info
 * leads over `script_or_debug_info` (`script` in newer versions) to a code node that is named with the URL.
 * Each script is resolved through the first closure that tells; costs one look at each closure with a location.
 */
export function scriptUrls(snapshot: Snapshot): Map<number, string> {
  const { locations, nodeType, nodeName, strings } = snapshot
  const urls = new Map<number, string>()
  const edgeNames = {
    shared: strings.indexOf('shared'),
    script: [strings.indexOf('script_or_debug_info'), strings.indexOf('script')].filter((index) => index >= 0),
  }
  // Closures and function infos that told nothing: a hostile file has a million closures ask one with a million edges.
  const silent = new Set<number>()
  /** By place: 1 once its script is known. */
  const told = new Uint8Array(locations.script.length)
  for (let row = 0; row < locations.node.length; row++) {
    const node = locations.node[row]!
    const site = locations.site[row]!
    if (told[site] === 1 || nodeType[node] !== NodeType.closure) continue
    const script = locations.script[site]!
    if (urls.has(script)) told[site] = 1
    if (told[site] === 1 || silent.has(node)) continue
    const shared = follow(snapshot, node, [edgeNames.shared])
    const code = shared < 0 || silent.has(shared) ? -1 : follow(snapshot, shared, edgeNames.script)
    const isScript = code >= 0 && nodeType[code] === NodeType.code
    // V8 15 says what it is in front of the name.
    const name = isScript ? strings.get(nodeName[code]!).replace(/^system \/ Script(?: \/ |$)/, '') : ''
    const url = name || (isScript ? sourceUrl(snapshot, code) : '')
    if (url !== '' && !url.startsWith('system / ')) urls.set(script, url)
    else silent.add(node).add(shared)
  }
  return urls
}

/** Fields of a script that are looked at. */
const MOST_FIELDS = 32
const URL_OR_FILE = /^(?!data:)(?:[a-z][\w+.-]*:\/\/|.*\.[cm]?[jt]sx?$)/i

/**
 * What a text that was evaluated calls itself by `//# sourceURL=`, as the modules of bundlers in development do; empty
 * where it has no name. V8 writes that field of a script as a hidden edge, in front of the one for its source map:
 * https://github.com/v8/v8/blob/main/src/objects/script.tq
 */
function sourceUrl({ firstEdge, edges, nodeType, nodeName, strings }: Snapshot, script: number): string {
  const last = Math.min(firstEdge[script + 1]!, firstEdge[script]! + MOST_FIELDS)
  for (let edge = firstEdge[script]!; edge < last; edge++) {
    const target = edgeTarget(edges[edge]!)
    if (edgeType(edges[edge]!) !== EdgeType.hidden || nodeType[target] !== NodeType.string) continue
    const text = strings.get(nodeName[target]!)
    return URL_OR_FILE.test(text) ? text : ''
  }
  return ''
}

/** Target of the node's first internal edge that has one of these names, or -1. */
function follow(snapshot: Snapshot, node: number, names: readonly number[]): number {
  const { firstEdge, edges, edgeNameOrIndex } = snapshot
  for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
    const packed = edges[edge]!
    if (edgeType(packed) === EdgeType.internal && names.includes(edgeNameOrIndex[edge]!)) return edgeTarget(packed)
  }
  return -1
}
