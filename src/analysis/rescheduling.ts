// How the source has a function run again and again: who reschedules it, and whether that ends when some work is done.

import type { AnyNode, DoWhileStatement, ForStatement, UpdateExpression, WhileStatement } from 'acorn'
import { functionAt, type Sources } from '../source/app-modules.ts'
import { argumentsOf, calledBy, handedTo, offsetOfCall } from '../source/calls.ts'
import { contains, isLoop, isNamed, nameOfMember } from '../source/expressions.ts'
import { namesIn } from '../source/module.ts'
import { placeOf } from '../source/source-outline.ts'
import {
  type CallNode,
  type FunctionNode,
  functionAround,
  nodesIn,
  parentOf,
  plain,
  type SyntaxTree,
} from '../source/syntax-tree.ts'

/** Where a function begins, as V8 tells it. */
export interface FunctionPlace {
  readonly function: string
  readonly url: string
  readonly line: number
  readonly column: number
}

export interface Rescheduling {
  /** The function that the statement is in, or that it is about. */
  readonly by: FunctionPlace
  /** `setImmediate`, `setInterval`, `process.nextTick`, `await`, …; `loop` for one that comes back to nothing. */
  readonly how: string
  /**
   * `endless`: whatever is found to do or not, it goes on; `bounded`: it ends with the work, as its conditions say;
   * `waits`: a loop without an end in sight that does nothing but ask.
   */
  readonly ends: 'endless' | 'bounded' | 'waits'
  readonly line: number
  readonly column: number
}

type Found = Omit<Rescheduling, 'by'>

const SCHEDULERS = new Set(['setImmediate', 'setTimeout', 'setInterval', 'nextTick', 'queueMicrotask'])
/** What a loop asks that only waits. */
const ASKS =
  /^(load|compareExchange|pause|notify|now|hrtime|bigint|uptime|receiveMessageOnPort|existsSync|statSync|lstatSync|accessSync)$/
/** A flag may end anything one day: `stopped`, `!this.closed`, `signal.aborted`, `isClosed()`. What counts things is none. */
const COUNTS = /(?:length|size|count|remaining|left|pending|more|next|done|value)$/i

/** Of a function that the event loop, or a loop in it, runs. @param others functions that it was seen calling */
export function findRescheduling(
  sources: Sources,
  place: FunctionPlace,
  others: readonly FunctionPlace[] = [],
): Rescheduling | undefined {
  const at = locate(sources, place)
  if (!at) return undefined
  const loop = awaitingLoop(at)
  if (loop) return { ...loop, by: place }
  const nameOfPlace = ({ function: name }: FunctionPlace) => /([\w$#]+)$/.exec(name)?.[1]
  const name = nameOfPlace(place)
  for (const each of [place, ...others]) {
    const there = locate(sources, each)
    const names = [name, nameOfPlace(each)].filter((known) => known !== undefined)
    const found = there && names.length > 0 ? selfScheduling(there, names) : undefined
    if (found) return { ...found, by: each }
  }
  const given = givenToInterval(at, name ?? '')
  return given && { ...given, by: place }
}

/** A loop in a function that asks for something until it is so, without ever letting anything else run. */
export function findWaiting(sources: Sources, place: FunctionPlace): Rescheduling | undefined {
  const at = locate(sources, place)
  if (!at) return undefined
  for (const { node, test } of loopsIn(at)) {
    const asked = test ? [...nodesIn(test)] : []
    const all = [...asked, ...nodesIn(node.body)]
    const calls = all.filter((each): each is CallNode => CALLS.has(each.type))
    if (all.some((each) => /^(Await|Yield)/.test(each.type) || isLoop(each))) continue
    if (!calls.every((call) => ASKS.test(calledBy(call).name))) continue
    const isEmpty =
      node.body.type === 'BlockStatement' ? node.body.body.length === 0 : node.body.type === 'EmptyStatement'
    // One that counts, or takes from a list, gets done by itself.
    if ((calls.length > 0 || isEmpty) && !asked.some(isChange))
      return { how: 'loop', ends: 'waits', by: place, ...placeIn(at, node.start) }
  }
  return undefined
}

interface Located {
  readonly sources: Sources
  readonly tree: SyntaxTree
  /** The function. */
  readonly node: FunctionNode
}

function locate(sources: Sources, { url, line, column }: FunctionPlace): Located | undefined {
  const { tree, node } = functionAt(sources, { url, line, column }) ?? {}
  return tree && node && { sources, tree, node }
}

const placeIn = ({ sources, tree }: Located, offset: number) => placeOf(sources.outline(tree.url)!, offset)

function isTimer(call: CallNode): boolean {
  const { name, from } = calledBy(call)
  return SCHEDULERS.has(name) || from === 'node:timers'
}

/** What runs what it is given when a promise is settled. */
const REACTIONS = /^(then|catch|finally)$/

/** `setImmediate(look)` or `.then(look)` in `look`, or in what that calls. */
function selfScheduling(at: Located, names: readonly string[]): Found | undefined {
  const { tree, node } = at
  const isItself = (each: AnyNode): boolean => names.some((name) => isNamed(each, name))
  const own = tree.calls
    .filter((call) => contains(node.body, call) && (isTimer(call) || REACTIONS.test(writtenName(call))))
    .map((call) => ({ call, mentions: argumentsOf(call).flatMap((each) => [...nodesIn(each)].filter(isItself)) }))
    .filter(({ call, mentions }) => mentions.length > 0 && isAtOnce(call))
    .sort((a, b) => offsetOfCall(a.call) - offsetOfCall(b.call))
  const last = own.at(-1)
  if (!last) return undefined
  const isFree = (each: AnyNode) => isUnconditional(each, node, own.length > 1)
  const free = own.find(({ call, mentions }) => isFree(call) && mentions.some(isFree))
  const ends = free && !leaves(node, node.body, offsetOfCall(free.call)) ? 'endless' : 'bounded'
  const { call } = free ?? last
  return { how: nameOfTurn(call), ends, ...placeIn(at, startOf(call)) }
}

/** `setInterval(look, 0)`, wherever that is. */
function givenToInterval(at: Located, name: string): Found | undefined {
  const { tree, node } = at
  const isInterval = (call: CallNode): boolean => calledBy(call).name === 'setInterval'
  const call =
    handedTo(tree, node, isInterval) ??
    tree.calls.find((each) => isInterval(each) && isGiven(argumentsOf(each)[0], name))
  if (!call || !isAtOnce(call)) return undefined
  const isCleared = [...nodesIn(node)].some(
    (each) => each.type === 'CallExpression' && calledBy(each).name === 'clearInterval',
  )
  return { how: 'setInterval', ends: isCleared ? 'bounded' : 'endless', ...placeIn(at, startOf(call)) }
}

/** `look`, `this.look`, `() => this.look()` */
function isGiven(argument: AnyNode | undefined, name: string): boolean {
  const given = argument && plain(argument)
  const called = given?.type === 'ArrowFunctionExpression' ? plain(given.body) : given
  return called !== undefined && isNamed(called.type === 'CallExpression' ? plain(called.callee) : called, name)
}

/** With no delay, or one that is none. */
function isAtOnce(call: CallNode): boolean {
  if (!/^set(Timeout|Interval)$/.test(calledBy(call).name)) return true
  const given = argumentsOf(call)
  // Of those of timers/promises the delay is the first.
  const delay = given[parentOf(call)?.type === 'AwaitExpression' ? 0 : 1]
  if (delay === undefined || (delay.type === 'Identifier' && delay.name === 'undefined')) return true
  return delay.type === 'Literal' && Number(delay.value) <= 1
}

/** What a call calls, as it is written. */
function writtenName(call: CallNode): string {
  const callee = call.type === 'ImportExpression' ? undefined : plain(call.callee)
  return callee?.type === 'Identifier'
    ? callee.name
    : callee?.type === 'MemberExpression'
      ? (nameOfMember(callee) ?? '')
      : ''
}

function nameOfTurn(call: CallNode): string {
  const name = writtenName(call)
  return name === 'nextTick' ? 'process.nextTick' : REACTIONS.test(name) ? `a promise (${name})` : name
}

/** Where the statement begins that a call is the end of: `process` of `process.nextTick(…)`. */
function startOf(call: CallNode): number {
  const callee = call.type === 'CallExpression' ? plain(call.callee) : undefined
  return callee?.type === 'MemberExpression' && plain(callee.object).type === 'Identifier'
    ? call.start
    : offsetOfCall(call)
}

interface Loop {
  readonly node: WhileStatement | DoWhileStatement | ForStatement
  readonly test: AnyNode | undefined
}

/** Loops of a function itself, not of those inside of it, that go on for as long as a condition holds. */
const loopsIn = ({ node: maker }: Located): Loop[] =>
  [...nodesIn(maker.body)].flatMap((node): Loop[] =>
    (node.type === 'WhileStatement' || node.type === 'DoWhileStatement' || node.type === 'ForStatement') &&
    functionAround(node) === maker
      ? [{ node, test: node.test ?? undefined }]
      : [],
  )

/** A loop that lets others run between its rounds. */
function awaitingLoop(at: Located): Found | undefined {
  let bounded: Found | undefined
  for (const { node, test } of loopsIn(at)) {
    const inside = [...nodesIn(node.body)]
    const awaits = inside.filter((each) => each.type === 'AwaitExpression' && functionAround(each) === at.node)
    if (awaits.length === 0) continue
    const calls = inside.filter((each): each is CallNode => CALLS.has(each.type))
    const turn = calls.find(isTimer)
    if (turn && !isAtOnce(turn)) continue
    // The nearest `await` in front of what lets the others run.
    const awaited = (turn && awaits.findLast(({ start }) => start <= turn.start)) ?? awaits[0]!
    const where = placeIn(at, awaited.start)
    const how = !turn ? 'await' : SCHEDULERS.has(writtenName(turn)) ? nameOfTurn(turn) : `await ${nameOfTurn(turn)}`
    const others = calls.filter((call) => !isTimer(call) && !/^(Promise|resolve)$/.test(writtenName(call)))
    const takesNothing = others.every((call) => argumentsOf(call).every((each) => isNumber(each)))
    const changes = [...(test ? nodesIn(test) : []), ...inside].some(isChange)
    if (test && others.length <= 1 && takesNothing && !changes) return { how, ends: 'waits', ...where }
    const goesOn = !test || (test.type === 'Literal' && Boolean(test.value)) || isFlag(test, node.body)
    if (goesOn && !leaves(at.node, node)) return { how, ends: 'endless', ...where }
    bounded ??= { how, ends: 'bounded', ...where }
  }
  return bounded
}

const CALLS: ReadonlySet<string> = new Set(['CallExpression', 'NewExpression', 'ImportExpression'])
const isNumber = (node: AnyNode): boolean => node.type === 'Literal' && typeof node.value === 'number'
const isChange = (node: AnyNode): boolean =>
  node.type === 'AssignmentExpression' ||
  node.type === 'UpdateExpression' ||
  (node.type === 'VariableDeclarator' && node.init != null)

/** Whether a condition only asks a flag that is not worked out where it is asked. */
function isFlag(condition: AnyNode, where: AnyNode): boolean {
  let node = plain(condition)
  while (node.type === 'UnaryExpression' && node.operator === '!') node = plain(node.argument)
  if (node.type === 'CallExpression' && node.arguments.length === 0) node = plain(node.callee)
  const name =
    node.type === 'Identifier' ? node.name : node.type === 'MemberExpression' ? nameOfMember(node) : undefined
  if (name === undefined || COUNTS.test(name)) return false
  const targets = [...nodesIn(where)].filter(isChange).map((each) => {
    if (each.type === 'VariableDeclarator') return each.id
    return each.type === 'AssignmentExpression' ? each.left : (each as UpdateExpression).argument
  })
  return !targets.some((target) => isNamed(target, name) || namesIn(target).includes(name))
}

/** Whether a loop, or a function up to an offset, is left for any other reason than a flag. */
function leaves(maker: FunctionNode, region: AnyNode, end = region.end): boolean {
  return [...nodesIn(region)].some((node) => {
    const isBreak = node.type === 'BreakStatement'
    if (!(isBreak || node.type === 'ReturnStatement') || functionAround(node) !== maker) return false
    if (isBreak && !node.label && brokenBy(node) !== region) return false
    // What it gives back is what goes on.
    if (node.start >= end || node.end > end) return false
    if (node.type === 'ReturnStatement' && node.argument && [...nodesIn(node.argument)].some(schedules)) return false
    const block = parentOf(node)!
    const asked = block.type === 'BlockStatement' ? parentOf(block) : block
    const isGuarded = asked?.type === 'IfStatement' && contains(asked.consequent, node)
    return !isGuarded || !isFlag(asked.test, maker.body)
  })
}

const schedules = (node: AnyNode): boolean => node.type === 'CallExpression' && SCHEDULERS.has(calledBy(node).name)

function brokenBy(node: AnyNode): AnyNode | undefined {
  let at = parentOf(node)
  while (at && !isLoop(at) && at.type !== 'SwitchStatement') at = parentOf(at)
  return at
}

/** Whether nothing but a flag decides on whether something is done; in one of two branches, if the other makes one too. */
function isUnconditional(node: AnyNode, maker: FunctionNode, several: boolean): boolean {
  for (let at = node, around = parentOf(at); around && at !== maker; at = around, around = parentOf(at)) {
    if (around.type === 'IfStatement') {
      if (around.alternate === at && !several) return false
      if (around.consequent === at && !several && !isFlag(around.test, maker.body)) return false
    } else if (around.type === 'ConditionalExpression') {
      if (around.test !== at) return false
    } else if (around.type === 'LogicalExpression') {
      if (around.right === at) return false
    } else if (around.type === 'SwitchCase' || (isLoop(around) && around.type !== 'DoWhileStatement')) return false
  }
  return true
}
