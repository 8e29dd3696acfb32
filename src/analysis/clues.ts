// What a heap tells of where a leak comes from, as plain data: names and places along the path, functions and classes around the leaked object.

import type { HeapGraph } from '../graph/heap-graph.ts'
import type { SourceLocation } from '../graph/locations.ts'
import { nodeName } from '../graph/look.ts'
import { nameOfStep, type PathStep } from '../graph/retaining-path.ts'
import { ROOT } from '../graph/roots.ts'
import { suspendedName } from '../graph/suspended.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'
import { isOwn, originOf } from '../source/origins.ts'
import type { StoragePath } from '../source/storage.ts'
import { arenaOf, arenaUint8 } from '../support/arena.ts'
import { packageOf } from '../support/sources.ts'
import type { Lineage } from './lineage.ts'
import { storagePathOf } from './storage-path.ts'
import { lookAround, type NearClass, type NearFunction } from './surroundings.ts'
import type { Suspect } from './suspect.ts'

/** A leak as it is seen in the heap; a candidate is one. */
export interface Blamed {
  readonly graph: HeapGraph
  readonly suspect: Pick<Suspect, 'sample' | 'container' | 'count' | 'className' | 'bytes' | 'survivors' | 'reached'>
  /** Ordinals, from where the program keeps it to the sample. */
  readonly way: readonly number[]
  readonly path: readonly PathStep[]
  /** Says what came with the leak; without it, that is what only the sample leads to. */
  readonly lineage?: Lineage | undefined
}

export interface Clues {
  readonly className: string
  /** Of all that leaked. */
  readonly bytes: number
  /** How many leaked in each step; empty where that is not known. */
  readonly survivors: readonly number[]
  /** The function of the program's that the leaked object is, or will call. */
  readonly callback: NearFunction | undefined
  /** Names of the program's on the path to what leaks, the outermost first. */
  readonly names: readonly string[]
  /** The program's module that the path starts in. */
  readonly home: string | undefined
  /** What things pile up in is called so by the program; undefined where that is inside a library or Node. */
  readonly container: string | undefined
  /** The same as the search of the source wants it. */
  readonly storage?: StoragePath | undefined
  /** Names behind the program's, which say what the container is for: `_events`, `outgoingStore`. */
  readonly inside: readonly string[]
  /** The package inside of which they pile up. */
  readonly holder: string | undefined
  /** Packages and `node:` modules that what leaks, or what holds it, is of; from 0 to 1, how much of it. */
  readonly origins: ReadonlyMap<string, number>
  /** Names of classes that what leaks is made of; from 0 to 1, how well their number fits. */
  readonly classes: ReadonlyMap<string, number>
  /** Functions of the program's that what leaks leads to, the nearest first. */
  readonly functions: readonly NearFunction[]
  /** Functions and classes on the path, the nearest first; not Node's. */
  readonly steps: readonly { readonly name: string; readonly location: SourceLocation }[]
  /** All of the program's scripts, as far as they are known. */
  readonly scripts: readonly string[]
  /** The package that adds what leaks, where that is known: the program's call of it is looked for. */
  readonly via?: Via | undefined
}

/** How the program comes to what a package does. */
export interface Via {
  /** By the names that imports begin with: the package itself is 1, one that needs it is less. */
  readonly packages: ReadonlyMap<string, number>
  /** Names of the package's functions that lead to what it does, the innermost first. */
  readonly functions: readonly string[]
  /** What it is handed, as the program calls it: `shutdown.signal`. */
  readonly given: string | undefined
  /** Whether an instance of the package's came with each thing that leaks: something makes it each time. */
  readonly makesOne: boolean
}

type UrlOf = (location: SourceLocation) => string

/** Of what Node holds itself, so many are looked at. */
const SAMPLES = 6
/** Of what a leak reaches, so many are looked at for how many there are of each class. */
const MOST_WEIGHED = 20_000
/** Classes that everything has. */
const COMMON =
  /^(Object|Array|Map|Set|Function|Date|RegExp|Symbol|Generator|WeakRef|WeakMap|FinalizationRegistry|URL\w*|\w+Array|ArrayBuffer|DataView|system \/.*|\(.*)$/

/** @param urlOf which source a place in a script is of, where that was made of several, some of them packages' */
export function gatherClues(blamed: Blamed, urlOf: UrlOf = ({ url }) => url): Clues {
  const { graph, suspect, path, way, lineage } = blamed
  const { sample, container } = suspect
  const born = lineage?.born
  const isNew = (node: number): boolean => (born ? born[node]! > 0 : isWithin(graph, node, sample))
  // Of a module's scope only the script is known, which is the program's where it is a bundle.
  const scripts = path.map(({ ordinal }) => graph.moduleScopes.get(ordinal) ?? graph.sourceLocation(ordinal)?.url)
  const held = way.findLastIndex((node) => !isNew(node))
  const { functions, classes } = lookAround(
    graph,
    [...new Set([sample, ...way.slice(held + 1), ...others(suspect)])],
    isNew,
  )

  const urls = path.map(({ ordinal }, i) => {
    const location = graph.moduleScopes.has(ordinal) ? undefined : graph.sourceLocation(ordinal)
    return location ? urlOf(location) : scripts[i]
  })
  // A buffer is data, whoever's class it is of.
  path.forEach(({ thing }, i) => {
    if (/^(Buffer|FastBuffer)$/.test(thing.name)) urls[i] = undefined
  })
  const names = path.map(nameOfStep)
  const at = path.findLastIndex(({ ordinal }) => ordinal === container)
  const last = at > 0 ? at : Math.max(path.length - 2, 0)
  const { own, inside, home, isOwns, isNodes } = followNames(urls, names, last)
  const ownFunctions = functions.filter(({ location }) => isOwn(urlOf(location)))
  return {
    className: suspect.className,
    bytes: suspect.bytes,
    survivors: suspect.survivors,
    callback: findCallback(graph, sample, urlOf) ?? scopeOwner(graph, sample, ownFunctions),
    names: own,
    home: home < 0 ? undefined : scripts[home],
    container: isOwns ? own.at(-1) : undefined,
    storage: isOwns || isNodes ? storagePathOf(graph, way, container) : undefined,
    inside: [...inside, ...(at > 0 ? [nodeName(graph, container)] : [])].filter((name) => !COMMON.test(name)),
    holder:
      urls
        .slice(0, last + 1)
        .map((url) => (url === undefined ? null : packageOf(url)))
        .findLast((name) => name !== null) ?? undefined,
    origins: weighOrigins(urls, classes, urlOf),
    classes: weighClasses(graph, suspect, classes),
    functions: ownFunctions,
    steps: path.toReversed().flatMap(({ ordinal }) => {
      const location = graph.sourceLocation(ordinal)
      return location && !location.url.startsWith('node:')
        ? [{ name: suspendedName(graph, ordinal) ?? nodeName(graph, ordinal), location }]
        : []
    }),
    scripts: [...new Set([...graph.moduleScopes.values(), ...graph.scriptUrls.values()])].filter(isOwn),
  }
}

/** A few more of those that leak: what Node holds itself may be of several kinds. */
function others({ container, count, reached }: Blamed['suspect']): number[] {
  if (container !== ROOT) return []
  const all = Math.min(count, reached.length)
  return Array.from({ length: Math.min(SAMPLES, all) }, (_, i) => reached[Math.floor((i * all) / SAMPLES)]!)
}

/**
 * Which names on a path are the program's: those behind its modules, functions and classes, up to where a library's or
 * Node's begin. A path that starts at the global object may be the program's.
 * @param last the step to the container
 * @returns also the step to the last thing of the program's in front of that, or -1; and whether the container is the
 *   program's, or Node's
 */
function followNames(
  urls: readonly (string | undefined)[],
  names: readonly (string | undefined)[],
  last: number,
): { own: string[]; inside: string[]; home: number; isOwns: boolean; isNodes: boolean } {
  const own: string[] = []
  const inside: string[] = []
  let home = -1
  let isOwns = true
  let isNodes = false
  for (let i = 0; i <= last; i++) {
    const name = names[i]
    if (i > 0 && name !== undefined) (isOwns ? own : inside).push(name)
    const url = urls[i]
    if (url === undefined) continue
    const was = isOwns
    isOwns = isOwn(url)
    isNodes = url.startsWith('node:')
    if (isOwns) home = i
    // What a library calls by its names has led to the program's again.
    if (isOwns && !was) inside.length = 0
  }
  return { own, inside, home, isOwns, isNodes }
}

/** A scope that leaks is kept by a function that was made in it. */
function scopeOwner(
  { snapshot }: HeapGraph,
  sample: number,
  functions: readonly NearFunction[],
): NearFunction | undefined {
  if (!snapshot.strings.get(snapshot.nodeName[sample]!).startsWith('system / Context')) return undefined
  return functions.find(({ kind, distance }) => kind === 'callback' && distance <= 1)
}

/** Whether only `sample` leads to a node, over a few others at most. */
function isWithin(graph: HeapGraph, node: number, sample: number): boolean {
  for (let at = node, depth = 0; depth < 40; depth++) {
    if (at === sample) return true
    const above = graph.immediateDominator(at)
    if (above === at) return false
    at = above
  }
  return false
}

/** The object itself if it is a function, or, for an object of one of Node's own classes, what it is to call. */
function findCallback(graph: HeapGraph, node: number, urlOf: UrlOf): NearFunction | undefined {
  const { nodeType, firstEdge, edges } = graph.snapshot
  const own = (closure: number): NearFunction | undefined => {
    const location = graph.sourceLocation(closure)
    if (!location || !isOwn(urlOf(location))) return undefined
    return { name: nodeName(graph, closure), location, distance: 0, kind: 'callback' }
  }
  if (nodeType[node] === NodeType.closure) return own(node)
  if (!graph.sourceLocation(node)?.url.startsWith('node:')) return undefined
  for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
    const target = edgeTarget(edges[edge]!)
    const type = edgeType(edges[edge]!)
    if (nodeType[target] !== NodeType.closure || (type !== EdgeType.property && type !== EdgeType.element)) continue
    if (graph.immediateDominator(target) !== node) continue
    const found = own(target)
    if (found) return found
  }
  return undefined
}

/** What is nearer to what leaks counts more; Node's own modules, which everything uses, count half. */
function weighOrigins(
  urls: readonly (string | undefined)[],
  classes: readonly NearClass[],
  urlOf: UrlOf,
): Map<string, number> {
  const origins = new Map<string, number>()
  const add = (url: string | undefined, weight: number): void => {
    const origin = url === undefined ? undefined : originOf(url)
    if (origin === undefined) return
    const worth = origin.startsWith('node:') ? weight / 2 : weight
    origins.set(origin, Math.max(origins.get(origin) ?? 0, worth))
  }
  urls.forEach((url, i) => {
    add(url, Math.max(0.5, 1 - 0.1 * (urls.length - 1 - i)))
  })
  for (const { location, distance } of classes) {
    add(location && urlOf(location), Math.max(0.2, 0.9 - 0.07 * distance))
  }
  return origins
}

/** A class of which as many came as there are leaked objects is likelier to be what the program made. */
function weighClasses(
  { snapshot }: HeapGraph,
  { reached, count }: Blamed['suspect'],
  classes: readonly NearClass[],
): Map<string, number> {
  const { nodeName: names, nodeType, strings } = snapshot
  const wanted = arenaUint8(arenaOf(names), strings.count)
  for (const { node } of classes) wanted[names[node]!] = 1
  const counts = new Map<number, number>()
  // Only shares matter.
  const stride = Math.ceil(reached.length / MOST_WEIGHED)
  for (let at = 0; at < reached.length; at += stride) {
    const node = reached[at]!
    const name = names[node]!
    if (wanted[name] === 0 || (nodeType[node] !== NodeType.object && nodeType[node] !== NodeType.native)) continue
    counts.set(name, (counts.get(name) ?? 0) + stride)
  }
  const weights = new Map<string, number>()
  for (const { name: whole, distance, node } of classes) {
    const name = whole.replace(/^Node \/ /, '')
    if (COMMON.test(name)) continue
    const share = reached.length === 0 ? 1 : (counts.get(names[node]!) ?? 0) / Math.max(1, count)
    const fit = share >= 0.5 && share <= 2.5 ? 1 : share < 0.02 ? 0.2 : 0.6
    weights.set(name, Math.max(weights.get(name) ?? 0, fit * Math.max(0.3, 1 - 0.04 * distance)))
  }
  return weights
}
