// Statements of the program's source: calls by the name of what is called, and what is done with a thing of the heap by its name.

import type { AnyNode } from 'acorn'
import { type Culprit, packageOf, type ReadSource } from '../analysis/culprit.ts'
import { storagePathOf, treesFor } from '../analysis/storage-path.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { pathTo } from '../graph/paths.ts'
import { type AppModule, functionAt, type Sources, sourcesOf } from '../source/app-modules.ts'
import { calledBy, handedTo, type Named, namedBy, offsetOfCall, runsAgain } from '../source/calls.ts'
import { isNamed, nameOfMember } from '../source/expressions.ts'
import { type Call, startOf } from '../source/module.ts'
import { isOwn } from '../source/origins.ts'
import { nameOf, reachOf } from '../source/reach.ts'
import { placeOf } from '../source/source-outline.ts'
import { findStorage, type MethodCall, type Operation } from '../source/storage.ts'
import {
  type CallNode,
  classAround,
  type FunctionNode,
  nodesIn,
  outermost,
  plain,
  type SyntaxTree,
} from '../source/syntax-tree.ts'
import type { Candidate } from './detector.ts'

/** The most modules that are read. */
const MOST_MODULES = 300

/** Those scripts that are of the program; a file that was loaded under several queries counts once. */
const ownOf = (urls: Iterable<string>): string[] =>
  [...new Set([...urls].filter(isOwn).map((url) => url.replace(/[?#].*$/s, '')))].slice(0, MOST_MODULES)

export const scriptsOf = (graph: HeapGraph): string[] => ownOf(graph.moduleScopes.values())

/** The program's modules on the path of a candidate, the nearest to what leaks first. */
export const modulesNear = ({ of: { graph }, way }: Candidate): string[] =>
  ownOf(way.toReversed().flatMap((node) => graph.moduleScopes.get(node) ?? graph.sourceLocation(node)?.url ?? []))

/** Those modules, then all others. */
export const modulesOf = (candidate: Candidate): string[] =>
  ownOf([...modulesNear(candidate), ...scriptsOf(candidate.of.graph)])

/** A call, with the names of what it calls. */
export interface Called extends Named {
  readonly name: string
  readonly isNew: boolean
  /** Offset of the name. */
  readonly at: number
  /** Whether it may be made again and again. */
  readonly again: boolean
  /** Undefined where the source does not parse. */
  readonly node: CallNode | undefined
  readonly tree: SyntaxTree | undefined
}

const known = new WeakMap<AppModule, readonly Called[]>()

/** All calls of a module. */
export function callsIn(sources: Sources, url: string): readonly Called[] {
  const module = sources.module(url)
  if (!module) return []
  const { tree } = module
  const calls = known.get(module) ?? (tree ? tree.calls.map((node) => ofNode(tree, node)) : module.calls.map(asWritten))
  known.set(module, calls)
  return calls
}

const ofNode = (tree: SyntaxTree, node: CallNode): Called => ({
  ...calledBy(node),
  ...{ isNew: node.type === 'NewExpression', at: offsetOfCall(node), again: runsAgain(node), node, tree },
})

/** A call in a source that does not parse: only its text is known. */
const asWritten = ({ names, isNew, at, block }: Call): Called => ({
  ...{ from: undefined, names, root: 'value', name: names.at(-1)! },
  ...{ isNew, at, again: block !== undefined, node: undefined, tree: undefined },
})

/**
 * The first call in the scripts that fits, by the first of the kinds that fits any. A call that is made again and again goes
 * before one that a module makes once.
 */
export function whereCalls(
  sources: Sources,
  urls: readonly string[],
  ...kinds: readonly ((call: Called) => boolean)[]
): Culprit | undefined {
  for (const fits of kinds) {
    let once: Culprit | undefined
    for (const url of urls) {
      const found = callsIn(sources, url).filter(fits)
      const again = found.find((call) => call.again)
      if (again) return placeOfCall(sources, url, again)
      once ??= found[0] && placeOfCall(sources, url, found[0])
    }
    if (once) return once
  }
  return undefined
}

export const placeOfCall = (sources: Sources, url: string, { at }: Called): Culprit => placedAt(sources, url, at)

/** Where a package is used: a call of what was imported from it, best one that creates something. */
export function whereUsed(sources: Sources, urls: readonly string[], name: string): Culprit | undefined {
  for (const url of urls) {
    const calls = callsIn(sources, url).filter(({ from, root }) => root === 'import' && from === name)
    const best =
      calls.find((call) => CREATES.test(call.name)) ??
      calls.find(({ isNew }) => isNew) ??
      calls.find(({ name }) => name)
    if (best) return placeOfCall(sources, url, best)
  }
  return undefined
}

const CREATES = /^(create|make|connect|open|build|get|add|register|schedule)/

/**
 * The statement that hands a function to a call, also where the function is declared before (`const onTrade = …;
 * exchange.on('trade', onTrade)`); the function's own place if there is none.
 * @param fits which calls it may be handed to
 */
export function whereGiven(sources: Sources, place: Culprit, fits: (call: Called) => boolean): Culprit {
  const { tree, node } = functionNear(sources, place) ?? {}
  const call = tree && node && handedTo(tree, node, (each) => fits(ofNode(tree, each)))
  return call ? { ...placed(sources, tree, call), function: place.function, basis: place.basis } : place
}

/** The function at a place; else a function that begins in the same line: that of the same name, or the only one. */
export function functionNear(
  sources: Sources,
  place: Culprit,
): { readonly tree: SyntaxTree; readonly node: FunctionNode } | undefined {
  const { tree, node } = functionAt(sources, place) ?? {}
  if (!tree || node) return tree && node && { tree, node }
  const outline = sources.outline(place.url)!
  const inLine = tree.functions.filter((each) => placeOf(outline, startOf(tree.source, each)).line === place.line)
  const named = inLine.find((each) => nameOf(each) === place.function)
  const only = named ?? (inLine.length === 1 ? inLine[0] : undefined)
  return only && { tree, node: only }
}

const PUTS = /^(push|unshift|set|add|append|enqueue)$/

/** The program's statement that puts something into a candidate's collection, or into one of that name. */
export function findPut(candidate: Candidate, readSource: ReadSource, name: string): Found | undefined {
  const { of, way, suspect } = candidate
  const path = storagePathOf(of.graph, way, suspect.container)
  const { operations = [] } = path ? findStorage(treesFor(of.graph, readSource, way), path) : {}
  const rank = ({ node, depth }: Operation) => Math.abs(depth - path!.depth) + 2 * Number(!runsAgain(node))
  const [put] = operations
    .filter(({ kind, tree }) => kind === 'insert' && isOwn(tree.url))
    .sort((a, b) => rank(a) - rank(b))
  if (put) return put
  const flow = { sources: sourcesOf(readSource), urls: modulesOf(candidate), name }
  return find(flow, (node) => isCallOn(node, flow, PUTS)) ?? find(flow, (node) => isEntryOf(node, flow))
}

export function wherePut(candidate: Candidate, readSource: ReadSource, name: string): Culprit | undefined {
  const put = findPut(candidate, readSource, name)
  return put && placed(sourcesOf(readSource), put.tree, put.node)
}

/** An object whose statements are searched for, and where. */
export interface Flow {
  readonly sources: Sources
  /** Scripts, the likeliest first. */
  readonly urls: readonly string[]
  /** What the program calls it, `pool.source`; undefined where it has no name. */
  readonly name: string | undefined
  /** The program's class that it is of, if it is of one: inside of that, `this` means it. */
  readonly className?: string | undefined
  /** Calls of its methods that were found by its path, whatever it is called there. */
  readonly calls?: readonly MethodCall[] | undefined
}

/** Calls of the methods of an object, by the candidate's path to it or by the shortest one. */
export function callsOn(candidate: Candidate, ordinal: number, readSource: ReadSource): readonly MethodCall[] {
  const { graph } = candidate.of
  const way = candidate.way.includes(ordinal) ? candidate.way : pathTo(graph.paths, ordinal)
  const path = storagePathOf(graph, way, ordinal)
  return path === undefined ? [] : findStorage(treesFor(graph, readSource, way), path).calls
}

/** The call of a method of any object, for objects that have many names. */
export const findAnyCall = (flow: Pick<Flow, 'sources' | 'urls'>, methods: RegExp): Culprit | undefined =>
  best({ ...flow, name: undefined }, (node) => {
    const { name, names } = node.type === 'CallExpression' ? calledBy(node) : { name: '', names: [] }
    return names.length > 1 && methods.test(name)
  })

/** Where an object is made that refers to an older one by a property: `store = { parent: store }`. */
export const findLinking = (flow: Pick<Flow, 'sources' | 'urls'>, link: string): Culprit | undefined =>
  best({ ...flow, name: undefined }, (node) => {
    if (node.type !== 'ObjectExpression') return false
    return node.properties.some((property) => {
      if (property.type !== 'Property' || property.computed || !isNamed(property.key, link)) return false
      const value = plain(property.value)
      return value.type === 'Identifier' || value.type === 'MemberExpression' || value.type === 'CallExpression'
    })
  })

/** Where a property of the object is set: `it.onmessage =`. */
export const findSettingOf = (flow: Flow, properties: RegExp): Culprit | undefined =>
  best(flow, (node) => {
    if (node.type !== 'AssignmentExpression' || node.left.type !== 'MemberExpression') return false
    const { object, property } = node.left
    return property.type === 'Identifier' && properties.test(property.name) && isIt(object, flow)
  })

/** The call of a method, among the calls that were found by the object's path. */
export function findKnownCall(
  { sources, urls, calls = [] }: Pick<Flow, 'sources' | 'urls' | 'calls'>,
  methods: RegExp,
  firstArgument?: string,
): Culprit | undefined {
  const found = calls.filter(
    ({ name, call }) => methods.test(name) && (firstArgument === undefined || isText(call.arguments[0], firstArgument)),
  )
  const again = found.filter(({ call }) => runsAgain(call))
  const trees = again.length > 1 ? sources.trees(urls) : undefined
  // Code that runs again and again may still be called at start-up only.
  const works = trees && again.find(({ call, tree }) => reachOf(trees, tree, call).when === 'work')
  const best = works ?? again[0] ?? found[0]
  return best && placed(sources, best.tree, best.call)
}

/** Whether a statement sets an entry of the object: `it[key] =`. */
const isEntryOf = (node: AnyNode, flow: Flow): boolean =>
  node.type === 'AssignmentExpression' &&
  node.left.type === 'MemberExpression' &&
  node.left.computed &&
  isIt(node.left.object, flow)

/** Where a string is lengthened: `it +=`, `it = it + more`, or a template with it. */
export const findLengthening = (flow: Flow): Culprit | undefined =>
  best(flow, (node) => {
    if (node.type !== 'AssignmentExpression' || !isIt(node.left, flow)) return false
    const right = plain(node.right)
    const adds = right.type === 'CallExpression' ? calledBy(right).name === 'concat' : ADDING.has(right.type)
    return node.operator === '+=' || (node.operator === '=' && adds && mentions(right, flow))
  })

const ADDING: ReadonlySet<string> = new Set(['BinaryExpression', 'TemplateLiteral'])

/** The call of a method of the object: one that is made again and again if there is one, else the first. */
export const findCallOn = (flow: Flow, methods: RegExp, firstArgument?: string): Culprit | undefined =>
  findKnownCall(flow, methods, firstArgument) ?? best(flow, (node) => isCallOn(node, flow, methods, firstArgument))

function isCallOn(node: AnyNode, flow: Flow, methods: RegExp, firstArgument?: string): boolean {
  if (node.type !== 'CallExpression') return false
  if (firstArgument !== undefined && !isText(node.arguments[0], firstArgument)) return false
  const callee = plain(node.callee)
  if (callee.type === 'MemberExpression') return methods.test(nameOfMember(callee) ?? '') && isIt(callee.object, flow)
  // `const { on } = it`
  const { names } = namedBy(callee)
  return names.length > 1 && methods.test(names.at(-1)!) && names.at(-2) === lastOf(flow.name)
}

/** The loop that takes one thing after the other: `for await (… of it)`, or over something that is made of it. */
export const findAwaitingLoop = (flow: Flow): Culprit | undefined =>
  best(flow, (node) => node.type === 'ForOfStatement' && node.await && mentions(node.right, flow))

/** The call of a function that the object is handed to: `pipeline(it, …)`, `on(it, 'event')`. */
export const findHandingTo = (flow: Flow, functions: RegExp): Culprit | undefined =>
  best(
    flow,
    (node) =>
      node.type === 'CallExpression' &&
      functions.test(calledBy(node).name) &&
      node.arguments.some((argument) => mentions(argument, flow)),
  )

/** The statement that makes the object by a method: `const [a, it] = source.tee()`. */
export const findMaking = (flow: Flow, methods: RegExp): Culprit | undefined =>
  best(flow, (node) => {
    const target =
      node.type === 'VariableDeclarator' ? node.id : node.type === 'AssignmentExpression' ? node.left : null
    const value =
      node.type === 'VariableDeclarator' ? node.init : node.type === 'AssignmentExpression' ? node.right : null
    if (!target || !value || !mentions(target, flow)) return false
    return [...nodesIn(value)].some(
      (each) =>
        each.type === 'MemberExpression' && each.property.type === 'Identifier' && methods.test(each.property.name),
    )
  })

function best(flow: Flow, fits: (node: AnyNode) => boolean): Culprit | undefined {
  const found = find(flow, fits)
  return found && placed(flow.sources, found.tree, found.node)
}

interface Found {
  readonly tree: SyntaxTree
  readonly node: AnyNode
}

function find({ sources, urls }: Flow, fits: (node: AnyNode) => boolean): Found | undefined {
  let once: Found | undefined
  for (const url of urls) {
    const tree = sources.tree(url)
    if (!tree) continue
    for (const node of nodesIn(tree.program)) {
      if (!fits(node)) continue
      if (runsAgain(node)) return { tree, node }
      once ??= { tree, node }
    }
  }
  return once
}

export const placed = (sources: Sources, { url }: SyntaxTree, node: AnyNode): Culprit =>
  placedAt(
    sources,
    url,
    node.type === 'CallExpression' || node.type === 'NewExpression' ? offsetOfCall(node) : node.start,
  )

export function placedAt(sources: Sources, url: string, offset: number): Culprit {
  const { line, column } = placeOf(sources.outline(url)!, offset)
  return { function: null, url, line, column, package: packageOf(url), basis: 'retainer' }
}

/** The text of the line at a place. */
export const lineIn = (sources: Sources, { url, line }: Culprit): string =>
  sources.outline(url)?.source.split('\n', line)[line - 1]?.trim().slice(0, 120) ?? ''

const lastOf = (name: string | undefined): string | undefined => name?.replace(/^.*\./, '').replace(/^#/, '')

/** Whether an expression means the object: it ends in the object's name, or is `this` within its class. */
function isIt(expression: AnyNode, { name, className }: Flow): boolean {
  const node = plain(expression)
  const last = lastOf(name)
  if (last !== undefined && (isNamed(node, last) || isAlias(node, last))) return true
  if (className === undefined || node.type !== 'ThisExpression') return false
  return classAround(outermost(node))?.id?.name === className
}

/** `const s = this.sessions` */
const isAlias = (node: AnyNode, name: string): boolean =>
  node.type === 'Identifier' && namedBy(node).names.at(-1)?.replace(/^#/, '') === name

export const mentions = (node: AnyNode, flow: Flow): boolean => [...nodesIn(node)].some((each) => isIt(each, flow))

const isText = (node: AnyNode | undefined, text: string): boolean => node?.type === 'Literal' && node.value === text
