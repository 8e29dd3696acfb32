// What a call calls, by where its name comes from; where values and functions go; what a statement is made of.

import type { AnyNode, AssignmentExpression, ObjectExpression, Property } from 'acorn'
import { callsTo, isInConstructor, isLoop, isNamed, methodsNamed, nameOfMember, usesOf } from './expressions.ts'
import { packageNamed } from './module.ts'
import {
  type Binding,
  bindingOf,
  type CallNode,
  type FunctionNode,
  functionAround,
  isFunctionNode,
  nodesIn,
  outermost,
  parentOf,
  plain,
  type SyntaxTree,
} from './syntax-tree.ts'

/** What an expression names. */
export interface Named {
  /** The package, `node:` module or file that it is imported from; undefined for all else. */
  readonly from: string | undefined
  /** Outermost first, as they are called where they come from; empty for what a module exports as a whole. */
  readonly names: readonly string[]
  /**
   * What the first of them is: a name of an import or of JavaScript's and Node's globals; a function or class that the
   * module declares; or anything else, such as a parameter, `this` or what a call has returned.
   */
  readonly root: 'import' | 'global' | 'declared' | 'value'
}

/** Variables that stand for one another, and names in a row. */
const MOST_STEPS = 20
const GLOBALS: ReadonlySet<string> = new Set(['globalThis', 'global', 'window', 'self'])
/** What they return is called as what they are given is. */
const WRAPPERS = /^(promisify|callbackify|deprecate)$/

/** Follows a name to where it comes from: imports, `require`, variables that stand for something else, `promisify`, `bind`. */
export function namedBy(expression: AnyNode, steps = 0): Named {
  const node = plain(expression)
  if (steps > MOST_STEPS) return value()
  switch (node.type) {
    case 'Identifier':
      return ofIdentifier(node, steps)
    case 'ThisExpression':
      return value('this')
    case 'SequenceExpression':
      return namedBy(node.expressions.at(-1)!, steps + 1)
    case 'MemberExpression': {
      const object = namedBy(node.object, steps + 1)
      return { ...object, names: [...object.names, nameOfMember(node) ?? '*'].filter((name) => name !== 'default') }
    }
    case 'ImportExpression':
      return moduleNamed(node.source)
    case 'CallExpression': {
      const callee = plain(node.callee)
      const called = namedBy(callee, steps + 1)
      const name = called.names.at(-1) ?? ''
      const [first] = node.arguments
      if (name === 'createRequire') return REQUIRE
      const loads = (called.root === 'global' && called.names.join('.') === 'require') || name === 'getBuiltinModule'
      if (first && loads) return moduleNamed(first)
      if (first && WRAPPERS.test(name)) return namedBy(first, steps + 1)
      if (name === 'bind' && callee.type === 'MemberExpression') return namedBy(callee.object, steps + 1)
      return { from: undefined, root: 'value', names: called.names }
    }
    case 'NewExpression':
      return { from: undefined, root: 'value', names: namedBy(node.callee, steps + 1).names }
    default:
      return value()
  }
}

const value = (...names: string[]): Named => ({ from: undefined, names, root: 'value' })

const REQUIRE: Named = { from: undefined, names: ['require'], root: 'global' }

/** What a call of `require` or `import` gives. */
function moduleNamed(specifier: AnyNode): Named {
  const name = textIn(specifier)
  return name === undefined ? value() : { from: packageNamed(name) ?? name, names: [], root: 'import' }
}

/** The text that an expression is, if it is one that never changes. */
export function textIn(expression: AnyNode | undefined): string | undefined {
  const node = expression && plain(expression)
  if (node?.type === 'Literal' && typeof node.value === 'string') return node.value
  const isText = node?.type === 'TemplateLiteral' && node.expressions.length === 0
  return isText ? (node.quasis[0]!.value.cooked ?? undefined) : undefined
}

function ofIdentifier(node: AnyNode & { type: 'Identifier' }, steps: number): Named {
  const binding = bindingOf(node)
  if (!binding) return { from: undefined, names: GLOBALS.has(node.name) ? [] : [node.name], root: 'global' }
  const { declared, kind, name } = binding
  if (kind === 'import') {
    const specifier = parentOf(declared)!
    const declaration = parentOf(specifier)
    if (declaration?.type !== 'ImportDeclaration') return value(name)
    const imported =
      specifier.type === 'ImportSpecifier' && specifier.imported.type === 'Identifier' ? specifier.imported.name : ''
    const names = imported === '' || imported === 'default' ? [] : [imported]
    return { ...moduleNamed(declaration.source), names }
  }
  if (kind === 'function' || kind === 'class') return { from: undefined, names: [name], root: 'declared' }
  // `const { on, open: openFile } = …`
  const path: string[] = []
  let at: AnyNode = declared
  let around = parentOf(at)
  for (; around && around.type !== 'VariableDeclarator'; at = around, around = parentOf(at)) {
    if (around.type === 'Property') {
      if (around.value !== at) return value(name)
      path.unshift(around.key.type === 'Identifier' && !around.computed ? around.key.name : '*')
    } else if (around.type !== 'ObjectPattern' && !(around.type === 'AssignmentPattern' && around.left === at)) break
  }
  const init = around?.type === 'VariableDeclarator' && around.id === at ? around.init : undefined
  if (!init || kind === 'parameter') return value(path.at(-1) ?? name)
  const initial = plain(init)
  if (path.length === 0 && isFunctionNode(initial)) return { from: undefined, names: [name], root: 'declared' }
  const whole = namedBy(initial, steps + 1)
  if (path.length > 0) return { ...whole, names: [...whole.names, ...path] }
  // What a call has made is called as the program calls it.
  return whole.root === 'value' && initial.type !== 'MemberExpression' && initial.type !== 'Identifier'
    ? value(name)
    : whole
}

/** What a call calls. */
export function calledBy(call: CallNode): Named & { readonly name: string } {
  if (call.type === 'ImportExpression') return { from: undefined, names: ['import'], root: 'global', name: 'import' }
  const named = namedBy(call.callee)
  const callee = plain(call.callee)
  // What a module exports as a whole goes by whatever name it was imported under.
  const name = named.names.at(-1) ?? (callee.type === 'Identifier' ? callee.name : '')
  return { ...named, name }
}

export const argumentsOf = (call: CallNode): readonly AnyNode[] =>
  call.type === 'ImportExpression' ? [call.source] : call.arguments

/** Whether a call is of a method of what is called so, where it is called or where that comes from. */
export function isMethodOf(call: CallNode, name: string): boolean {
  const last = name.replace(/^#/, '')
  const callee = call.type === 'ImportExpression' ? undefined : plain(call.callee)
  if (callee?.type === 'MemberExpression' && isNamed(plain(callee.object), last)) return true
  return calledBy(call).names.at(-2)?.replace(/^#/, '') === last
}

/** Offset of the name that a call calls: in a chain of calls over several lines, it tells which of them is meant. */
export function offsetOfCall(call: CallNode): number {
  const callee = call.type === 'ImportExpression' ? call : plain(call.callee)
  return callee.type === 'MemberExpression' ? callee.property.start : callee.start
}

export function isInLoop(node: AnyNode, end?: AnyNode): boolean {
  for (let at = parentOf(node); at && at !== end; at = parentOf(at)) if (isLoop(at)) return true
  return false
}

/** Whether a statement may be run again and again: in a function that is no constructor, or in a loop. */
export const runsAgain = (node: AnyNode): boolean => !isInConstructor(node) || isInLoop(node)

/** Values that are followed, one made of the other. */
const MOST_VALUES = 200

/**
 * Where a value goes: calls that it is given to, and what it is assigned to, or a property of; also within something else.
 * @param keeps whether a call or object that was given it is to be followed in its place
 */
export function* destinationsOf(
  tree: SyntaxTree,
  from: AnyNode,
  keeps: (whole: CallNode | ObjectExpression) => boolean = () => true,
): Generator<CallNode | AssignmentExpression | Property> {
  const seen = new Set<AnyNode>()
  const waiting = [from]
  const follow = (...nodes: readonly AnyNode[]): void => {
    for (const node of nodes) if (!seen.has(node) && seen.size < MOST_VALUES) seen.add(node) && waiting.push(node)
  }
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    if (isFunctionNode(next)) follow(...usesOf(next, tree))
    const at = outermost(next)
    const around = parentOf(at)
    switch (around?.type) {
      case 'CallExpression':
      case 'NewExpression':
        if (around.callee === at) break
        yield around
        if (keeps(around)) follow(around)
        break
      case 'MemberExpression': {
        const call = around.object === at && nameOfMember(around) === 'bind' ? parentOf(outermost(around)) : undefined
        if (call?.type === 'CallExpression') follow(call)
        break
      }
      case 'Property': {
        const object = parentOf(around)
        if (around.value !== at || object?.type !== 'ObjectExpression') break
        yield around as Property
        if (keeps(object)) follow(object)
        break
      }
      case 'ArrayExpression':
      case 'SpreadElement':
      case 'LogicalExpression':
      case 'SequenceExpression':
        follow(around)
        break
      case 'ConditionalExpression':
        if (around.test !== at) follow(around)
        break
      case 'AssignmentExpression':
        if (around.right !== at) break
        yield around
        if (around.left.type === 'Identifier') follow(...(bindingOf(around.left)?.references ?? []))
        break
      case 'VariableDeclarator':
        if (around.init === at && around.id.type === 'Identifier') follow(...(bindingOf(around.id)?.references ?? []))
        break
      case 'ReturnStatement': {
        const maker = functionAround(around)
        if (maker) follow(...callsTo(maker, tree))
        break
      }
      case 'ArrowFunctionExpression':
        if (around.body === at) follow(...callsTo(around, tree))
    }
  }
}

/** `debounce(tell)`, `_.throttle(tell)`, `watch({ next: tell })`, other than `rows.map(tell)` and `return { tell }`. */
function wraps(whole: CallNode | ObjectExpression): boolean {
  if (whole.type === 'CallExpression')
    return plain(whole.callee).type === 'Identifier' || calledBy(whole).root === 'import'
  const around = parentOf(outermost(whole))
  return whole.type === 'ObjectExpression' && /^(Call|New)Expression$|^Property$/.test(around?.type ?? '')
}

/** The call that a function is handed to, where it is written down or by its name. */
export function handedTo(
  tree: SyntaxTree,
  given: FunctionNode,
  fits: (call: CallNode) => boolean,
): CallNode | undefined {
  let before: CallNode | undefined
  for (const to of destinationsOf(tree, given, wraps)) {
    if (to.type === 'AssignmentExpression' || to.type === 'Property' || !fits(to)) continue
    // Of functions that go by one name, the one that was declared last is handed over.
    if (to.end > given.start) return to
    before ??= to
  }
  return before
}

/** Statements, values and functions that are looked through for a part. */
const MOST_PARTS = 16

/** The first part of a statement that fits; else of what its variables are made of, or of functions that it calls. */
export function findPart(tree: SyntaxTree, statement: AnyNode, fits: (node: AnyNode) => boolean): AnyNode | undefined {
  const waiting = [statement]
  const seen = new Set<AnyNode>()
  for (let at = waiting.shift(); at && seen.size < MOST_PARTS; at = waiting.shift()) {
    if (seen.has(at)) continue
    seen.add(at)
    for (const node of nodesIn(at)) {
      if (fits(node)) return node
      if (node.type === 'Identifier') waiting.push(...madeOf(bindingOf(node)))
      else if (node.type === 'CallExpression' && plain(node.callee).type === 'MemberExpression') {
        const methods = methodsNamed(tree, calledBy(node).name)
        if (methods.length === 1) waiting.push(methods[0]!.body)
      }
    }
  }
  return undefined
}

/** What a variable is set to, or what runs when a function is called by it. */
function madeOf(binding: Binding | undefined): AnyNode[] {
  if (!binding || binding.kind === 'import' || binding.kind === 'class') return []
  const set = binding.references.flatMap((use) => {
    const around = parentOf(use)
    return around?.type === 'AssignmentExpression' && around.left === use ? [around.right] : []
  })
  let at: AnyNode | undefined = binding.declared
  while (at && at.type !== 'VariableDeclarator' && !isFunctionNode(at)) at = parentOf(at)
  if (at?.type === 'VariableDeclarator') {
    const loop = parentOf(parentOf(at)!)
    const from = at.init ?? (loop?.type === 'ForOfStatement' ? loop.right : undefined)
    return [...(from ? [from] : []), ...set]
  }
  if (!at || binding.kind === 'function') return at ? [at.body] : set
  // What a callback is given is of what it was given to: `text.split(' ').forEach((word) => …)`.
  const call = parentOf(at)
  return call?.type === 'CallExpression' && call.callee !== at ? [call.callee, ...set] : set
}
