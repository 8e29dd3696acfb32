// What the source calls variables, functions and classes that a minifier has given other names, as its source map says.

import type { AnyNode, Class, Identifier } from 'acorn'
import { localNames } from '../graph/block-scope.ts'
import type { PathStep } from '../graph/describe.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import type { SourceLocation } from '../graph/locations.ts'
import { internal, nodeName } from '../graph/look.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'
import {
  type Binding,
  bindingOf,
  childrenOf,
  type FunctionNode,
  functionAround,
  isFunctionNode,
  parentOf,
  type Scope,
  type SyntaxTree,
  scopeOf,
} from '../source/syntax-tree.ts'
import type { ScriptSources } from '../support/script-sources.ts'
import type { Sources } from './app-modules.ts'
import { isOwn } from './origins.ts'
import { offsetOf, placeOf } from './source-outline.ts'

/** Places where a variable is used that are asked for its name. */
const MOST_USES = 20

/** A path as the source has it, and which names in it are others than those of the script. */
export interface NamedPath {
  readonly path: readonly PathStep[]
  /** By name in the script; a name that stands for several is left out. */
  readonly names: ReadonlyMap<string, string>
}

export class OriginalNames {
  readonly #graph: HeapGraph
  readonly #trees: Sources
  readonly #scripts: ScriptSources
  readonly #makersOf = new Map<number, readonly number[]>()

  /** @param trees of the scripts as they ran */
  constructor(graph: HeapGraph, trees: Sources, scripts: ScriptSources) {
    this.#graph = graph
    this.#trees = trees
    this.#scripts = scripts
  }

  /** The path with the names of variables, functions and classes that its scripts' maps know. */
  path(path: readonly PathStep[]): NamedPath {
    const own = new Set([...this.#graph.scriptUrls.values()].filter(isOwn))
    if (![...own].some((url) => this.#scripts.hasMap(url))) return { path, names: new Map() }
    const names = new Map<string, string | undefined>()
    const note = (name: string, original: string): void => {
      const known = names.has(name) ? names.get(name) : original
      names.set(name, known === original ? original : undefined)
    }
    const named = path.map((step, i): PathStep => {
      const [, kind, variable] = /^(context|local) variable '(.*)'$/.exec(step.edge) ?? []
      const before = path[i - 1]?.ordinal
      const find = kind === 'local' ? this.#local : this.#variable
      const original = variable === undefined ? undefined : find.call(this, before, variable)
      if (original !== undefined) note(variable!, original)
      const edge = original === undefined ? step.edge : `${kind} variable '${original}'`
      const name = nodeName(this.#graph, step.ordinal)
      const called = this.nameOfNode(step.ordinal)
      if (called === undefined) return { ...step, edge }
      note(name, called)
      const isFunction = this.#graph.snapshot.nodeType[step.ordinal] === NodeType.closure
      return { ...step, edge, node: isFunction ? `function ${called}` : called }
    })
    return { path: named, names: new Map([...names].flatMap(([name, to]) => (to === undefined ? [] : [[name, to]]))) }
  }

  /** Of a function, or of an instance of a class; undefined where it goes by the same name, or that is not known. */
  nameOfNode(node: number): string | undefined {
    const { nodeType } = this.#graph.snapshot
    if (nodeType[node] !== NodeType.closure && nodeType[node] !== NodeType.object) return undefined
    const place = this.#graph.sourceLocation(node)
    return place && this.nameAt(place, nodeName(this.#graph, node))
  }

  /** Of the function or class that V8 says stands at a place of a script. */
  nameAt(place: SourceLocation, name: string): string | undefined {
    const found = this.#find(place)
    if (name === '' || !found) return undefined
    const { tree, offset } = found
    const made = functionAt(tree, offset)
    const method = made && parentOf(made)
    const isConstructor = method?.type === 'MethodDefinition' && method.kind === 'constructor'
    const declared = identifierOf(!made || isConstructor ? classAt(tree, offset) : made)
    return declared?.name === name ? this.#nameOf(declared, tree) : undefined
  }

  /** Of the function that is called so around a place of a script, or stands there. */
  functionAround(place: SourceLocation, name: string): string | undefined {
    const found = this.#find(place)
    if (name === '' || !found) return undefined
    const { tree, offset } = found
    for (let node: FunctionNode | undefined = functionAt(tree, offset) ?? innermost(tree, offset); node; ) {
      const declared = identifierOf(node)
      if (declared?.name === name) return this.#nameOf(declared, tree)
      node = functionAround(node)
    }
    return undefined
  }

  /** Only what has a map is read for its names. */
  #find({ url, line, column }: SourceLocation): { tree: SyntaxTree; offset: number } | undefined {
    if (!this.#scripts.mapPosition(url, line, column)) return undefined
    const tree = this.#trees.tree(url)
    const outline = this.#trees.outline(url)
    return tree && outline && { tree, offset: offsetOf(outline, line, column) }
  }

  /** What the map calls a variable: where it is declared, or else where it is used. */
  #nameOf(declared: Identifier, tree: SyntaxTree): string | undefined {
    const outline = this.#trees.outline(tree.url)
    const uses = bindingOf(declared)?.references.slice(0, MOST_USES) ?? []
    for (const { start } of [declared, ...uses]) {
      const { line, column } = placeOf(outline!, start)
      const name = this.#scripts.mapPosition(tree.url, line, column)?.name
      if (name !== undefined) return name === declared.name ? undefined : name
    }
    return undefined
  }

  #variable(context: number | undefined, name: string): string | undefined {
    if (context === undefined) return undefined
    for (const closure of this.#makers(context)) {
      const place = this.#graph.sourceLocation(closure)
      const found = place && this.#find(place)
      const made = found && functionAt(found.tree, found.offset)
      const binding = made && bindingIn(scopeOf(made), name, variablesOf(this.#graph, context))
      if (binding) return this.#nameOf(binding.declared, found.tree)
    }
    return undefined
  }

  /** A local variable of a function that is suspended, or of a module that awaits at its top. */
  #local(suspended: number | undefined, name: string): string | undefined {
    const place = suspended === undefined ? undefined : this.#graph.sourceLocation(suspended)
    const found = place && this.#find(place)
    if (!found) return undefined
    const { tree, offset } = found
    const owner = functionAt(tree, offset)
    const binding = tree.bindings.get(name)?.find(({ declared }) => functionAround(declared) === owner)
    return binding && this.#nameOf(binding.declared, tree)
  }

  /** A few functions that were made in a context: among its own variables, or else the first that the snapshot has. */
  #makers(context: number): readonly number[] {
    const known = this.#makersOf.get(context)
    if (known) return known
    const { firstEdge, edges, locations, nodeType } = this.#graph.snapshot
    const makers: number[] = []
    this.#makersOf.set(context, makers)
    const note = (node: number): void => {
      if (nodeType[node] === NodeType.closure && internal(this.#graph, node, 'context') === context) makers.push(node)
    }
    for (let edge = firstEdge[context]!; edge < firstEdge[context + 1]! && makers.length < MOST_MAKERS; edge++) {
      note(edgeTarget(edges[edge]!))
    }
    const rows = makers.length > 0 ? 0 : locations.node.length
    for (let row = 0; row < rows && makers.length < MOST_MAKERS; row++) note(locations.node[row]!)
    return makers
  }
}

/** Functions of one scope that are asked where that is. */
const MOST_MAKERS = 5

/** Variables that nobody declares. */
const IMPLICIT = /^(?:\.|(?:this|arguments|new\.target)$)/

/** Names of the variables that a context keeps. */
function variablesOf({ snapshot }: HeapGraph, context: number): string[] {
  const { firstEdge, edges, edgeNameOrIndex, strings } = snapshot
  const names: string[] = []
  for (let edge = firstEdge[context]!; edge < firstEdge[context + 1]!; edge++) {
    if (edgeType(edges[edge]!) !== EdgeType.context) continue
    const name = strings.get(edgeNameOrIndex[edge]!)
    if (!IMPLICIT.test(name)) names.push(name)
  }
  return names.length > 0 ? names : localNames(snapshot, context)
}

/**
 * The variable of a context: of the innermost scope that has all of the context's variables, and in which this one is
 * used by functions. Scopes without such variables have no context.
 */
function bindingIn(from: Scope | undefined, name: string, all: readonly string[]): Binding | undefined {
  for (let scope = from; scope; scope = scope.outer) {
    const { bindings } = scope
    const binding = bindings.get(name)
    if (binding && isCaptured(binding) && all.every((each) => bindings.has(each))) return binding
  }
  return undefined
}

function isCaptured({ scope, references }: Binding): boolean {
  const home = isFunctionNode(scope.node) ? scope.node : functionAround(scope.node)
  return references.some((use) => functionAround(use) !== home)
}

/** The function that V8 says begins at an offset: between its first character and its body. */
function functionAt({ functions }: SyntaxTree, offset: number): FunctionNode | undefined {
  let best: FunctionNode | undefined
  for (const node of functions) {
    if (node.start <= offset && offset <= node.body.start && (!best || node.start > best.start)) best = node
  }
  return best
}

function classAt({ classes }: SyntaxTree, offset: number): Class | undefined {
  let best: Class | undefined
  for (const node of classes) {
    if (node.start <= offset && offset < node.end && (!best || node.start > best.start)) best = node
  }
  return best
}

/** The innermost function around an offset. */
function innermost({ program }: SyntaxTree, offset: number): FunctionNode | undefined {
  let found: FunctionNode | undefined
  for (let node: AnyNode | undefined = program; node; ) {
    if (isFunctionNode(node)) found = node
    node = childrenOf(node).find(({ start, end }) => start <= offset && offset < end)
  }
  return found
}

/** What a function or class is called by: its own name, or the variable that it is given to. */
function identifierOf(node: FunctionNode | Class | undefined): Identifier | undefined {
  if (!node) return undefined
  if ('id' in node && node.id) return node.id
  const parent = parentOf(node as AnyNode)
  const target =
    parent?.type === 'VariableDeclarator'
      ? parent.id
      : parent?.type === 'AssignmentExpression'
        ? parent.left
        : undefined
  return target?.type === 'Identifier' ? target : undefined
}
