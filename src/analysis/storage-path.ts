// How the program reaches a collection, by variable and property, as the heap has it: what a search of the source starts from.

import { blockVariable } from '../graph/block-scope.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { isFunction, isObject, nodeName } from '../graph/look.ts'
import { exportsOf, findEdge } from '../graph/retaining-path.ts'
import { suspendedBy } from '../graph/suspended.ts'
import { isRequiredModule } from '../node-internals/modules.ts'
import { calledWith } from '../node-internals/timers.ts'
import { EdgeType } from '../snapshot/meta.ts'
import { edgeType } from '../snapshot/snapshot.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { isOwn } from '../source/origins.ts'
import type { StoragePath, StoredName, Trees } from '../source/storage.ts'
import { packageOf, type ReadSource } from '../support/sources.ts'

/**
 * @param way ordinals, from where it is kept to the collection and further
 * @returns undefined where nothing on the way has a name, or Node's own modules keep it
 */
export function storagePathOf(graph: HeapGraph, way: readonly number[], container: number): StoragePath | undefined {
  const { moduleScopes, ownership, snapshot } = graph
  const { owner } = ownership
  const at = way.findLastIndex((node) => node === container || owner[node] === container)
  const last = at < 0 ? way.length - 2 : at
  let home: string | undefined
  /** Of the innermost function or class on the way so far. */
  let script: string | undefined
  let names: StoredName[] = []
  let depth = 0
  const begin = (url: string | undefined, ...from: StoredName[]): void => {
    home = url
    names = from
    depth = 0
  }
  const note = (stored: StoredName): void => {
    // Links of a list are one name.
    if (names.at(-1)?.name === stored.name && names.at(-1)?.kind === stored.kind) return
    if (depth > 0) names.push({ name: '' })
    depth = 0
    names.push(stored)
  }
  for (let i = 0; i <= last; i++) {
    const node = way[i]!
    const before = way[i - 1]
    const edge = before === undefined ? -1 : findEdge(graph, before, node)
    if (edge >= 0) {
      const packed = snapshot.edges[edge]!
      const type = edgeType(packed)
      // These have a number there: no string need go by it.
      const isNumbered = type === EdgeType.element || type === EdgeType.hidden
      const name = isNumbered ? '' : snapshot.strings.get(snapshot.edgeNameOrIndex[edge]!)
      const variable = type === EdgeType.context ? name : blockVariable(snapshot, before!, edge)
      if (variable !== undefined) {
        const ofModule = moduleScopes.has(before!)
        begin(ofModule ? moduleScopes.get(before!) : script, { name: variable, kind: 'variable', ofModule })
      } else if (type === EdgeType.property || type === EdgeType.shortcut) {
        if (name !== '__proto__')
          note({
            ...{ name: plainSymbol(name), kind: 'property', className: classOf(graph, way, i - 1) },
            ...(name.startsWith('<symbol') && { isSymbol: true }),
          })
      } else if (name === 'value' && exportsOf(graph).has(before!)) {
        begin(undefined, { name: exportsOf(graph).get(before!)!, kind: 'variable', ofModule: true })
      } else if (suspendedBy(graph, before!) !== undefined) {
        const url = graph.sourceLocation(suspendedBy(graph, before!)!)?.url
        const local = graph.locals.get(edge)
        begin(url, ...(local === undefined ? [] : [{ name: local, kind: 'variable' as const }]))
      } else if (graph.locals.has(edge)) {
        const called = calledWith(graph, before!)
        const url = called === undefined ? undefined : graph.sourceLocation(called)?.url
        script = url
        begin(url, { name: graph.locals.get(edge)!, kind: 'variable', ofModule: false })
      } else if (type === EdgeType.element || (/^\d+$/.test(name) && owner[before!] !== before)) depth++
    }
    const url = moduleScopes.get(node)
    if (url !== undefined) begin(url)
    // Whose class the collection itself is says nothing of who keeps it.
    if (!(i === last && names.length > 0) && !hasOfPrograms(graph, way, i))
      script = url ?? graph.sourceLocation(node)?.url ?? script
    if (names.length === 0) home = script
  }
  return names.length === 0 || home?.startsWith('node:') || script?.startsWith('node:')
    ? undefined
    : { home, names, depth }
}

/** The class that a property is one of: that of the object, or, of a prototype, of what it is the prototype of. */
function classOf(graph: HeapGraph, way: readonly number[], at: number): string {
  const { edges, edgeNameOrIndex, strings } = graph.snapshot
  const edge = at === 0 ? -1 : findEdge(graph, way[at - 1]!, way[at]!)
  const isNamed = edge >= 0 && edgeType(edges[edge]!) === EdgeType.property
  const isPrototype = isNamed && /^(__proto__|prototype)$/.test(strings.get(edgeNameOrIndex[edge]!))
  return nodeName(graph, way[isPrototype ? at - 1 : at]!)
}

/**
 * Whether an object of one of Node's classes leads on by a property that the program gave it, as `module.exports` and
 * `server.sessions` are: Node's own are hidden, or begin with `_`.
 */
function hasOfPrograms(graph: HeapGraph, way: readonly number[], at: number): boolean {
  const [node, next] = [way[at]!, way[at + 1]]
  if (next === undefined || !isObject(graph, node) || isFunction(graph, node)) return false
  if (graph.moduleScopes.has(node) || !graph.sourceLocation(node)?.url.startsWith('node:')) return false
  const edge = findEdge(graph, node, next)
  const { edges, edgeNameOrIndex, strings } = graph.snapshot
  if (edge < 0 || edgeType(edges[edge]!) !== EdgeType.property) return false
  const name = strings.get(edgeNameOrIndex[edge]!)
  return isRequiredModule(graph, node) ? name === 'exports' : !/^(<symbol |[#_])/.test(name)
}

const plainSymbol = (name: string): string => name.replace(/^<symbol (?:Symbol\()?(.*?)\)?>$/, '$1')

/** The trees of the program's modules and, where a package keeps the collection, of that package's on the way. */
export function treesFor(graph: HeapGraph, readSource: ReadSource, way: readonly number[]): Trees {
  const scripts = [...graph.moduleScopes.values(), ...graph.scriptUrls.values()]
  const near = way.flatMap((node) => graph.moduleScopes.get(node) ?? graph.sourceLocation(node)?.url ?? [])
  const packages = new Set(near.map(packageOf).filter((name) => name !== null))
  const wanted = scripts.filter((url) => {
    const name = packageOf(url)
    return isOwn(url) || (name !== null && packages.has(name))
  })
  return sourcesOf(readSource).trees([...near.filter((url) => !url.startsWith('node:')), ...wanted])
}
