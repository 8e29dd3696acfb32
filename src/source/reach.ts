// When a statement is run: under which conditions, after which time, and whether only when the program ends.

import type { AnyNode, CallExpression, NewExpression } from 'acorn'
import { calledBy, isInLoop } from './calls.ts'
import { nameOfMember, usesOf } from './expressions.ts'
import { loadedBy } from './module.ts'
import type { Trees } from './storage.ts'
import {
  type Binding,
  bindingOf,
  type FunctionNode,
  functionAround,
  outermost,
  parentOf,
  plain,
  type SyntaxTree,
} from './syntax-tree.ts'

/** A condition that holds, or does not, where a statement is run. */
export interface Guard {
  readonly tree: SyntaxTree
  readonly test: AnyNode
  readonly holds: boolean
}

/** One way in which a statement comes to be run. */
export interface Way {
  readonly guards: readonly Guard[]
  /** What a timer waits before it runs the statement: an expression in milliseconds. */
  readonly delay: { readonly tree: SyntaxTree; readonly node: AnyNode; readonly repeats: boolean } | undefined
}

export interface Reach {
  /**
   * `work`: while the program does what it is for; `ending`: only when it ends; `never`: nothing in the program runs it,
   * as far as can be seen; `once`: when its module is loaded.
   */
  readonly when: 'work' | 'ending' | 'never' | 'once'
  readonly ways: readonly Way[]
}

const ENDINGS = /^(SIG[A-Z0-9]+|exit|beforeExit|disconnect|shutdown|message:shutdown)$/
/** Calls that run what they are given no more often than they are made themselves, for each element or once. */
const RUNS_ONCE =
  /^(forEach|map|filter|some|every|find\w*|reduce\w*|flatMap|sort|toSorted|from|replace|replaceAll|then|catch|finally|once|listen|nextTick|queueMicrotask|setImmediate|run|call|apply|Promise)$/
/** Calls that lead to a statement, one inside another; and ways that are followed. */
const MOST = { depth: 6, ways: 60 }

export function reachOf(trees: Trees, tree: SyntaxTree, node: AnyNode): Reach {
  const ways: Way[] = []
  const found = new Set<Reach['when']>()
  const seen = new Set<AnyNode>()
  const follow = (there: SyntaxTree, at: AnyNode, before: Way, depth: number, again: boolean): void => {
    const maker = functionAround(at)
    const isAgain = again || isInLoop(at, maker)
    const way: Way = { ...before, guards: [...before.guards, ...guardsOf(there, at, maker)] }
    const end = (when: Reach['when']): void => {
      found.add(when)
      if (when === 'work' && ways.length < MOST.ways) ways.push(way)
    }
    if (maker && seen.has(maker)) return
    if (maker) seen.add(maker)
    const uses = maker && depth < MOST.depth ? handovers(trees, there, maker) : []
    if (!maker) end(isAgain ? 'work' : 'once')
    else if (depth === MOST.depth) end('work')
    else if (uses.length === 0) end('never')
    for (const { tree: user, call, isCalled } of uses) {
      if (!call) end('work')
      else if (isCalled || call.type === 'NewExpression') follow(user, call, way, depth + 1, isAgain)
      else {
        const { name: called, root, from } = calledBy(call)
        if (/^set(Timeout|Interval)$/.test(called) && (root === 'global' || from === 'node:timers')) {
          const node = call.arguments[1]
          const timed = {
            guards: way.guards,
            delay: way.delay ?? (node && { tree: user, node, repeats: called === 'setInterval' }),
          }
          found.add('work')
          ways.push(timed)
          if (functionAround(call)) follow(user, call, timed, depth + 1, true)
        } else if (isForEnding(call)) end('ending')
        // What is called for each event is called again and again, however often it is handed over.
        else if (functionAround(call)) follow(user, call, way, depth + 1, isAgain || !RUNS_ONCE.test(called))
        else end('work')
      }
    }
  }
  follow(tree, node, { guards: [], delay: undefined }, 0, false)
  const when = (['work', 'ending', 'once'] as const).find((each) => found.has(each)) ?? 'never'
  return { when, ways }
}

/** `process.once('SIGTERM', …)` */
function isForEnding(call: CallSite): boolean {
  const first = call.arguments[0]
  return first?.type === 'Literal' && typeof first.value === 'string' && ENDINGS.test(first.value)
}

type CallSite = CallExpression | NewExpression

interface Handover {
  readonly tree: SyntaxTree
  /** The call that runs a function, or that it is given to; undefined for anything else that is done with it. */
  readonly call: CallSite | undefined
  readonly isCalled: boolean
}

/** What is done with a function: it is called, or given to something that may call it. */
function handovers(trees: Trees, tree: SyntaxTree, node: FunctionNode): Handover[] {
  const outer = outermost(node)
  const parent = parentOf(outer)
  if (parent?.type === 'CallExpression') return [{ tree, call: parent, isCalled: parent.callee === outer }]
  // `new Promise((resolve) => …)` runs it at once.
  if (parent?.type === 'NewExpression') return [{ tree, call: parent, isCalled: false }]
  const method = parent?.type === 'MethodDefinition' ? parent : undefined
  const holder = method?.kind === 'constructor' ? parentOf(parentOf(method)!) : undefined
  if (holder?.type === 'ClassDeclaration' && holder.id) {
    // Its constructor runs where it is made; who gets the class itself may make it at any time.
    const here = (bindingOf(holder.id)?.references ?? []).map((use) => ({ tree, use }))
    return [...here, ...usesOfNamed(trees, tree, holder.id.name)]
      .filter(({ use }) => !isExport(use))
      .map(({ tree: there, use }) => {
        const at = outermost(use)
        const user = parentOf(at)
        const isMade = user?.type === 'NewExpression' && user.callee === at
        return { tree: there, call: isMade ? user : undefined, isCalled: isMade }
      })
  }
  const own = usesOf(node, tree).map((use) => ({ tree, use }))
  const name = nameOf(node)?.replace(/^.*\./, '')
  const elsewhere = name === undefined || name.startsWith('#') ? [] : usesOfNamed(trees, tree, name)
  const uses = [...own, ...elsewhere].filter(({ use }) => !isExport(use))
  if (uses.length === 0 && !name && parent?.type !== 'MethodDefinition')
    return [{ tree, call: undefined, isCalled: false }]
  return uses.map(({ tree: there, use }) => {
    const at = outermost(use)
    const user = parentOf(at)
    if (user?.type === 'NewExpression') return { tree: there, call: undefined, isCalled: false }
    if (user?.type !== 'CallExpression') {
      // `bind(this)` hands it on.
      const bound = user?.type === 'MemberExpression' ? parentOf(outermost(user)) : undefined
      const call = bound?.type === 'CallExpression' ? parentOf(outermost(bound)) : undefined
      return { tree: there, call: call?.type === 'CallExpression' ? call : undefined, isCalled: false }
    }
    return { tree: there, call: user, isCalled: user.callee === at }
  })
}

/** `export { close }`, `module.exports = { close }`: makes it known, and does not run it. */
function isExport(use: AnyNode): boolean {
  const parent = parentOf(outermost(use))
  if (parent?.type === 'ExportSpecifier' || parent?.type === 'ExportDefaultDeclaration') return true
  const holder = parent?.type === 'Property' ? parentOf(parent) : use
  const assignment = holder && parentOf(holder)
  return (
    assignment?.type === 'AssignmentExpression' &&
    assignment.left.type === 'MemberExpression' &&
    /^(module|exports)$/.test(rootOf(assignment.left))
  )
}

function rootOf(node: AnyNode): string {
  let at = plain(node)
  while (at.type === 'MemberExpression') at = plain(at.object)
  return at.type === 'Identifier' ? at.name : ''
}

/** What a function is called: by its own name, or by that of what it is put into; `Job.end` of `Job.prototype.end`. */
export function nameOf(node: FunctionNode): string | undefined {
  if (node.type !== 'ArrowFunctionExpression' && node.id) return node.id.name
  // esbuild keeps names by a call: `const wait = __name((signal) => {…}, "wait")`.
  const call = parentOf(node)
  const isWrapped =
    call?.type === 'CallExpression' && call.callee.type === 'Identifier' && call.callee.name === '__name'
  const parent = isWrapped ? parentOf(call) : call
  if (parent?.type === 'VariableDeclarator' && parent.id.type === 'Identifier') return parent.id.name
  if (parent?.type === 'AssignmentExpression' || parent?.type === 'AssignmentPattern') {
    if (parent.left.type === 'Identifier') return parent.left.name
    if (parent.left.type !== 'MemberExpression') return undefined
    const { object } = parent.left
    const isMethod = object.type === 'MemberExpression' && nameOfMember(object) === 'prototype'
    const owner = isMethod && object.object.type === 'Identifier' ? `${object.object.name}.` : ''
    const name = nameOfMember(parent.left)
    return name && owner + name
  }
  const isKeyed =
    parent?.type === 'MethodDefinition' || parent?.type === 'Property' || parent?.type === 'PropertyDefinition'
  const key = isKeyed ? parent.key : undefined
  return key?.type === 'Identifier' ? key.name : key?.type === 'PrivateIdentifier' ? `#${key.name}` : undefined
}

/** The variable that what a module exports is put into: `const { close } = require('./pool.js')`. */
function takenOut(key: AnyNode): Binding | undefined {
  const property = parentOf(key)
  if (property?.type !== 'Property') return undefined
  const pattern = parentOf(property)
  const declared = pattern && parentOf(pattern)
  if (declared?.type !== 'VariableDeclarator' || declared.id !== pattern) return undefined
  if (!declared.init || loadedBy(declared.init) === undefined) return undefined
  const target = property.value.type === 'AssignmentPattern' ? property.value.left : property.value
  return target.type === 'Identifier' ? bindingOf(target) : undefined
}

/** Uses in other modules: by an import of the name, taken out of a module, or as a member that is called so. */
function usesOfNamed(trees: Trees, tree: SyntaxTree, name: string): { tree: SyntaxTree; use: AnyNode }[] {
  return trees.treesWith(name).flatMap((there) => {
    if (there === tree) return []
    const imported = (there.bindings.get(name) ?? []).filter(({ kind }) => kind === 'import')
    const members = (there.properties.get(name) ?? []).flatMap((key): AnyNode[] => {
      const member = parentOf(key)!
      return member.type === 'MemberExpression' && nameOfMember(member) === name ? [member] : []
    })
    const taken = (there.properties.get(name) ?? []).flatMap((key) => takenOut(key)?.references ?? [])
    const uses = [...imported.flatMap(({ references }) => references), ...members, ...taken]
    return uses.map((use) => ({ tree: there, use }))
  })
}

/** The conditions around a node, up to the function that it stands in; the innermost first. */
function guardsOf(tree: SyntaxTree, node: AnyNode, end: AnyNode | undefined): Guard[] {
  const guards: Guard[] = []
  const add = (test: AnyNode | null | undefined, holds: boolean): void => {
    if (test) guards.push({ tree, test, holds })
  }
  for (let at = node, up = parentOf(at); up && at !== end; at = up, up = parentOf(at)) {
    if (up.type === 'IfStatement' || up.type === 'ConditionalExpression') {
      if (up.test !== at) add(up.test, up.consequent === at)
    } else if (up.type === 'LogicalExpression') {
      if (up.right === at && up.operator !== '??') add(up.left, up.operator === '&&')
    } else if ((up.type === 'WhileStatement' || up.type === 'ForStatement') && up.body === at) add(up.test, true)
    else if (up.type === 'BlockStatement' || up.type === 'Program' || up.type === 'SwitchCase') {
      const body: readonly AnyNode[] = up.type === 'SwitchCase' ? up.consequent : up.body
      for (const before of body) {
        if (before === at) break
        if (before.type === 'IfStatement' && !before.alternate && leaves(before.consequent)) add(before.test, false)
      }
    }
  }
  return guards
}

/** Whether what comes behind a statement is not reached by way of it. */
function leaves(statement: AnyNode): boolean {
  const last = statement.type === 'BlockStatement' ? statement.body.at(-1) : statement
  return (
    last?.type === 'ReturnStatement' ||
    last?.type === 'ThrowStatement' ||
    last?.type === 'ContinueStatement' ||
    last?.type === 'BreakStatement'
  )
}
