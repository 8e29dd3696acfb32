// Who writes to a stream, an emitter or a port, and who reads from it: the statements of the source that do, by its name.

import type { AnyNode } from 'acorn'
import type { Sources } from '../analysis/app-modules.ts'
import { type Culprit, packageOf, type ReadSource } from '../analysis/culprit.ts'
import { placeOf } from '../analysis/source-outline.ts'
import { storagePathOf, treesFor } from '../analysis/storage-path.ts'
import { pathTo } from '../graph/paths.ts'
import { findStorage, isLoop, type MethodCall } from '../source/storage.ts'
import {
  classAround,
  functionAround,
  nodesIn,
  outermost,
  parentOf,
  plain,
  type SyntaxTree,
} from '../source/syntax-tree.ts'
import type { Lead } from './detector.ts'

/** What is looked for, and where. */
export interface Flow {
  readonly sources: Sources
  /** Scripts, the likeliest first. */
  readonly urls: readonly string[]
  /** What the program calls it, `pool.source`; undefined where it has no name. */
  readonly name: string | undefined
  /** Of the program's class that it is of, if it is of one: there it goes by `this`. */
  readonly className?: string | undefined
  /** Calls of its methods, under whatever name it goes. */
  readonly calls?: readonly MethodCall[] | undefined
}

/** Calls of the methods of an object on the way to a leak. */
export function callsOn(lead: Lead, ordinal: number, readSource: ReadSource): readonly MethodCall[] {
  const { graph } = lead.of
  const way = lead.way.includes(ordinal) ? lead.way : pathTo(graph.paths, ordinal)
  const path = storagePathOf(graph, way, ordinal)
  return path === undefined ? [] : findStorage(treesFor(graph, readSource, way), path).calls
}

/** The call of a method of whatever has it, for what goes by many names. */
export const findAnyCall = (flow: Pick<Flow, 'sources' | 'urls'>, methods: RegExp): Culprit | undefined =>
  best({ ...flow, name: undefined }, (node) => {
    const callee = node.type === 'CallExpression' ? plain(node.callee) : undefined
    return (
      callee?.type === 'MemberExpression' && callee.property.type === 'Identifier' && methods.test(callee.property.name)
    )
  })

/** Where an object is made that has what was there before by a name: `store = { parent: store }`. */
export const findLinking = (flow: Pick<Flow, 'sources' | 'urls'>, link: string): Culprit | undefined =>
  best({ ...flow, name: undefined }, (node) => {
    if (node.type !== 'ObjectExpression') return false
    return node.properties.some((property) => {
      if (property.type !== 'Property' || property.computed || !isNamed(property.key, link)) return false
      const value = plain(property.value)
      return value.type === 'Identifier' || value.type === 'MemberExpression' || value.type === 'CallExpression'
    })
  })

/** Where a property of it is set: `it.onmessage =`. */
export const findSettingOf = (flow: Flow, properties: RegExp): Culprit | undefined =>
  best(flow, (node) => {
    if (node.type !== 'AssignmentExpression' || node.left.type !== 'MemberExpression') return false
    const { object, property } = node.left
    return property.type === 'Identifier' && properties.test(property.name) && isIt(object, flow)
  })

/** The same among those that were found by the way to it. */
export function findKnownCall(
  { sources, calls = [] }: Pick<Flow, 'sources' | 'calls'>,
  methods: RegExp,
  firstArgument?: string,
): Culprit | undefined {
  const found = calls.filter(
    ({ name, call }) => methods.test(name) && (firstArgument === undefined || isText(call.arguments[0], firstArgument)),
  )
  const best = found.find(({ call }) => isRepeated(call)) ?? found[0]
  return best && placed(sources, best.tree, best.call)
}

/** The call of a method of it that is made again and again, if there is one; else the first. */
export function findCallOn(flow: Flow, methods: RegExp, firstArgument?: string): Culprit | undefined {
  const known = findKnownCall(flow, methods, firstArgument)
  if (known) return known
  return best(flow, (node) => {
    if (node.type !== 'CallExpression') return false
    const callee = plain(node.callee)
    if (callee.type !== 'MemberExpression' || callee.computed) return false
    const { property } = callee
    if (property.type !== 'Identifier' || !methods.test(property.name)) return false
    if (firstArgument !== undefined && !isText(node.arguments[0], firstArgument)) return false
    return isIt(callee.object, flow)
  })
}

/** The loop, `for await (… of it)` or over what is made of it, that takes one thing after the other. */
export const findAwaitingLoop = (flow: Flow): Culprit | undefined =>
  best(flow, (node) => node.type === 'ForOfStatement' && node.await && mentions(node.right, flow))

/** The call of a function by name that it is handed to: `pipeline(it, …)`, `on(it, 'event')`. */
export const findHandingTo = (flow: Flow, functions: RegExp): Culprit | undefined =>
  best(flow, (node) => {
    if (node.type !== 'CallExpression') return false
    const callee = plain(node.callee)
    const called =
      callee.type === 'Identifier'
        ? callee.name
        : callee.type === 'MemberExpression' && callee.property.type === 'Identifier'
          ? callee.property.name
          : ''
    return functions.test(called) && node.arguments.some((argument) => mentions(argument, flow))
  })

/** What a call that it was made by is: `const [a, it] = source.tee()`. */
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

function best({ sources, urls }: Flow, fits: (node: AnyNode) => boolean): Culprit | undefined {
  let once: Culprit | undefined
  for (const url of urls) {
    const tree = sources.tree(url)
    if (!tree) continue
    for (const node of nodesIn(tree.program)) {
      if (!fits(node)) continue
      if (isRepeated(node)) return placed(sources, tree, node)
      once ??= placed(sources, tree, node)
    }
  }
  return once
}

const isRepeated = (node: AnyNode): boolean => functionAround(node) !== undefined || isInLoop(node)

function isInLoop(node: AnyNode): boolean {
  for (let at = parentOf(node); at; at = parentOf(at)) if (isLoop(at)) return true
  return false
}

export function placed(sources: Sources, { url }: SyntaxTree, { start }: AnyNode): Culprit {
  const { line, column } = placeOf(sources.outline(url)!, start)
  return { function: null, url, line, column, package: packageOf(url), basis: 'retainer' }
}

const lastOf = (name: string | undefined): string | undefined => name?.replace(/^.*\./, '').replace(/^#/, '')

/** Whether an expression ends in its name, or is `this` within its class. */
function isIt(expression: AnyNode, { name, className }: Flow): boolean {
  const node = plain(expression)
  const last = lastOf(name)
  if (last !== undefined && isNamed(node, last)) return true
  if (className === undefined || node.type !== 'ThisExpression') return false
  return classAround(outermost(node))?.id?.name === className
}

const mentions = (node: AnyNode, flow: Flow): boolean => [...nodesIn(node)].some((each) => isIt(each, flow))

/** Whether it is an identifier of that name, or the property that an expression ends in is called so. */
export function isNamed(node: AnyNode, name: string): boolean {
  if (node.type === 'Identifier' || node.type === 'PrivateIdentifier') return node.name === name
  return node.type === 'MemberExpression' && isNamed(node.property, name)
}

const isText = (node: AnyNode | undefined, text: string): boolean => node?.type === 'Literal' && node.value === text
