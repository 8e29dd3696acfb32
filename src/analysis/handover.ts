// Where a package hands over a function of its own, as a listener or a timer's callback, and which of its functions lead there.

import type { AnyNode, Class } from 'acorn'
import type { SourceLocation } from '../graph/locations.ts'
import { functionAt, type Sources } from '../source/app-modules.ts'
import { argumentsOf, calledBy, handedTo, namedBy, offsetOfCall, textIn } from '../source/calls.ts'
import { contains, isNamed } from '../source/expressions.ts'
import { nameOf } from '../source/reach.ts'
import { offsetOf, placeOf } from '../source/source-outline.ts'
import {
  type CallNode,
  classAround,
  type FunctionNode,
  functionAround,
  parentOf,
  plain,
  type SyntaxTree,
} from '../source/syntax-tree.ts'
import { TAKES } from './blame.ts'

/** What hands a function over. */
export interface Wanted {
  /** Names of methods that do: `on`, `setTimeout`. */
  readonly verbs: RegExp
  /** The event that it is for. */
  readonly event?: string | undefined
  /** What the method is called of: the name or class of an emitter. */
  readonly receivers?: readonly string[]
}

export interface Handover {
  readonly place: SourceLocation
  /** `PQueue.add`: the named function around the place; null where there is none. */
  readonly function: string | null
  /** Names of the functions of this file that lead there, the innermost first: `throwOnAbort`, `add`. */
  readonly callers: readonly string[]
}

/** Functions that lead to a place are followed so far, and so many of them. */
const MAX_ROUNDS = 4
const MAX_CALLERS = 40

/**
 * The statement that hands a function over, or else the place of the function.
 * @param at where V8 says that the function is
 * @param name the function's own
 */
export function findHandover(sources: Sources, at: SourceLocation, name: string, wanted: Wanted): Handover {
  const { tree, node } = functionAt(sources, at) ?? {}
  if (!tree || !node) return { place: at, function: name || null, callers: name === '' ? [] : [name] }
  const call = handingOver(tree, node, name, wanted)
  const place = call ? { url: at.url, ...placeOf(sources.outline(at.url)!, offsetOfCall(call)) } : at
  const around = named(call ? functionAround(call) : node)
  return { place, function: around ? qualifiedName(around) : null, callers: around ? leadingTo(tree, around) : [] }
}

/** Where an object of a package's class is made, or the class itself is: the class with its name. */
export function classAt(sources: Sources, at: SourceLocation, name: string): Handover {
  const [tree, outline] = [sources.tree(at.url), sources.outline(at.url)]
  const offset = outline && offsetOf(outline, at.line, at.column)
  const found = tree?.classes.findLast(({ start, body }) => start <= offset! && offset! <= body.start)
  const around = found && nameOfClass(found)
  return { place: at, function: around ?? (name || null), callers: [around ?? name].filter((each) => each !== '') }
}

function handingOver(tree: SyntaxTree, node: FunctionNode, name: string, wanted: Wanted): CallNode | undefined {
  const { verbs, event, receivers = [] } = wanted
  const fits = (call: CallNode): boolean => verbs.test(calledBy(call).name)
  const direct = handedTo(tree, node, (call) => contains(call, node) || !TAKES.test(calledBy(call).name))
  if (direct && fits(direct)) return direct
  // Handed over elsewhere, as a member of what was made here: `session.on('error', sentinel.reject)`.
  const words = receivers.map((each) => each.toLowerCase())
  const around = functionAround(node)
  let best: { call: CallNode; score: number } | undefined
  for (const call of name === '' ? [] : tree.calls) {
    if (!fits(call) || !argumentsOf(call).some((each) => isOrHas(each, name))) continue
    const isForEvent = event !== undefined && textIn(argumentsOf(call)[0]) === event
    const receiver = calledBy(call)
      .names.at(-2)
      ?.replace(/^[#_]+/, '')
      .toLowerCase()
    const isOfReceiver = receiver !== undefined && receiver.length > 2 && words.some((word) => word.includes(receiver))
    // Of functions that go by one name, it is the one beside it that a call means.
    const isBeside = around !== undefined && contains(around.body, call)
    const score = (isForEvent ? 2 : event === undefined ? 1 : 0) + (isOfReceiver ? 2 : 0) + (isBeside ? 3 : 0)
    if (score > (best?.score ?? 0)) best = { call, score }
  }
  return best?.call ?? direct
}

/** Whether an argument is what goes by a name, or a list or the result of a call with that in it. */
function isOrHas(argument: AnyNode, name: string): boolean {
  const node = plain(argument)
  if (node.type === 'ArrayExpression') return node.elements.some((each) => each && isOrHas(each, name))
  if (node.type === 'CallExpression') return node.arguments.some((each) => isOrHas(each, name))
  return isNamed(node, name)
}

/** A function that has a name, and that. */
interface Named {
  readonly name: string
  readonly node: FunctionNode
}

/** The innermost named function, from one on outwards. */
function named(from: FunctionNode | undefined): Named | undefined {
  for (let node = from; node; node = functionAround(node)) {
    const name = nameOf(node)
    if (name !== undefined) return { name, node }
  }
  return undefined
}

const ownerOf = ({ node }: Named): string | undefined => {
  const method = parentOf(node)
  const owner =
    method?.type === 'MethodDefinition' || method?.type === 'PropertyDefinition' ? classAround(method) : undefined
  return owner && nameOfClass(owner)
}

/** With its class: `PQueue.add`, `Job.finished`. */
function qualifiedName(around: Named): string {
  const owner = ownerOf(around)
  return owner === undefined ? around.name : around.name === 'constructor' ? owner : `${owner}.${around.name}`
}

function nameOfClass(node: Class): string | undefined {
  const around = parentOf(node as AnyNode)
  if (node.id) return node.id.name
  if (around?.type === 'VariableDeclarator' && around.id.type === 'Identifier') return around.id.name
  return around?.type === 'AssignmentExpression' ? namedBy(around.left).names.at(-1) : undefined
}

/** Functions of a module that call what calls … a function of it: a private method's public ones among them. */
function leadingTo(tree: SyntaxTree, first: Named): string[] {
  const names: string[] = []
  let round: Named[] = [first]
  const seen = new Set<FunctionNode>([first.node])
  for (let depth = 0; depth <= MAX_ROUNDS && round.length > 0 && names.length < MAX_CALLERS; depth++) {
    const wanted = new Set<string>()
    for (const each of round) {
      const own = (each.name === 'constructor' && ownerOf(each)) || each.name.split('.').at(-1)!.replace(/^#/, '')
      wanted.add(own)
      if (!names.includes(own)) names.push(own)
    }
    const next: Named[] = []
    for (const call of tree.calls) {
      if (!wanted.has(calledBy(call).name.replace(/^#/, ''))) continue
      const caller = named(functionAround(call))
      if (!caller || seen.has(caller.node)) continue
      seen.add(caller.node)
      next.push(caller)
    }
    round = next
  }
  return names.slice(0, MAX_CALLERS)
}
