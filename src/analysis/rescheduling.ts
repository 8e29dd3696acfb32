// How the source has a function run again and again: who reschedules it, and whether that ends when some work is done.

import type { AppModule, Call, Sources } from './app-modules.ts'
import { handover } from './blame.ts'
import { type Block, blockAt, blockFrom, type Outline, offsetOf, placeOf } from './source-outline.ts'

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
const FLAG = /^[\s!]*(?:this\.|self\.)?([\w$#]+(?:\??\.[\w$#]+)*)(?:\(\s*\))?\s*$/
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
  for (const { offset, condition, body } of loopsIn(at)) {
    const text = `${condition};${textOf(at.outline, body)}`
    const calls = [...text.matchAll(/([\w$]+)\s*\(/g)].map(([, name]) => name!).filter((name) => name !== 'if')
    if (/\b(await|yield|for|while)\b/.test(text) || !calls.every((name) => ASKS.test(name))) continue
    // One that counts, or takes from a list, gets done by itself.
    const isEmpty = /^[\s{};]*$/.test(textOf(at.outline, body))
    if ((calls.length > 0 || isEmpty) && !/\+\+|--|[+\-*/]=/.test(condition)) {
      return { how: 'loop', ends: 'waits', by: place, ...placeOf(at.outline, offset) }
    }
  }
  return undefined
}

interface Located {
  readonly module: AppModule
  readonly outline: Outline
  readonly calls: readonly Call[]
  readonly block: Block
}

function locate(sources: Sources, { url, line, column }: FunctionPlace): (Located & { isTimer: IsTimer }) | undefined {
  const module = sources.module(url)
  if (!module) return undefined
  const { outline, calls, origins } = module
  const block = blockFrom(outline, offsetOf(outline, line, column))
  const isTimer = ({ names }: Call) =>
    SCHEDULERS.has(names.at(-1)!) || (origins.get(names[0]!)?.has('node:timers') ?? false)
  return block && { module, outline, calls, block, isTimer }
}

type IsTimer = (call: Call) => boolean

const isIn = (offset: number, { body, end }: { readonly body: number; readonly end: number }): boolean =>
  body <= offset && offset < end

/** What runs what it is given when a promise is settled. */
const REACTIONS = /^(then|catch|finally)$/

/** `setImmediate(look)` or `.then(look)` in `look`, or in what that calls. */
function selfScheduling({ outline, calls, block, isTimer }: Located & { isTimer: IsTimer }, names: readonly string[]) {
  const { code } = outline
  const itself = new RegExp(
    `(?<![\\w$])(?:${names.map((name) => name.replace(/[$#]/g, '\\$&')).join('|')})(?![\\w$])`,
    'g',
  )
  const own = calls.flatMap((call) => {
    if (!isIn(call.from, block) || !(isTimer(call) || REACTIONS.test(call.names.at(-1)!))) return []
    if (!isAtOnce(code, call)) return []
    const mentions = [...code.slice(call.from, call.to).matchAll(itself)].map(({ index }) => call.from + index)
    return mentions.length > 0 ? [{ call, mentions }] : []
  })
  const last = own.at(-1)
  if (!last) return undefined
  const isFree = (offset: number) => isUnconditional(outline, block, offset, own.length > 1)
  const free = own.find(({ call, mentions }) => isFree(startOf(code, call)) && mentions.some(isFree))
  const ends = free && !leavesBefore(outline, block, free.call.at) ? 'endless' : 'bounded'
  const { call } = free ?? last
  return { how: nameOf(call), ends, ...placeOf(outline, startOf(code, call)) } satisfies Found
}

/** `setInterval(look, 0)`, wherever that is. */
function givenToInterval({ module, outline, calls, block }: Located, name: string): Found | undefined {
  const call = handover(module, block, name) ?? givenAnywhere(outline.code, calls, name)
  if (call?.names.at(-1) !== 'setInterval' || !isAtOnce(outline.code, call)) return undefined
  const ends = /\bclearInterval\s*\(/.test(outline.code.slice(block.body, block.end)) ? 'bounded' : 'endless'
  return { how: 'setInterval', ends, ...placeOf(outline, startOf(outline.code, call)) }
}

function givenAnywhere(code: string, calls: readonly Call[], name: string): Call | undefined {
  if (!/^[\w$#]+$/.test(name)) return undefined
  const itself = new RegExp(
    `^\\(\\s*(?:\\(\\s*\\)\\s*=>\\s*)?(?:[\\w$]+\\.)*${name.replace(/[$#]/g, '\\$&')}(?![\\w$])`,
  )
  return calls.find((call) => call.names.at(-1) === 'setInterval' && itself.test(code.slice(call.from, call.to)))
}

/** With no delay, or one that is none. */
function isAtOnce(code: string, { names, from, to }: Call): boolean {
  if (!/^set(Timeout|Interval)$/.test(names.at(-1)!)) return true
  const delay = lastArgument(code, from, to)
  return delay === undefined || /^(?:0|1|undefined|null)?(?:\.\d+)?$/.test(delay)
}

/** The second argument and those behind it; undefined if there is but one. */
function lastArgument(code: string, from: number, to: number): string | undefined {
  let depth = 0
  for (let at = to - 1; at > from; at--) {
    const char = code[at]!
    if (')]}'.includes(char)) depth++
    else if ('([{'.includes(char)) depth--
    else if (char === ',' && depth === 0 && code.slice(at + 1, to).trim() !== '') return code.slice(at + 1, to).trim()
  }
  return undefined
}

function nameOf({ names }: Call): string {
  const name = names.at(-1)!
  return name === 'nextTick' ? 'process.nextTick' : REACTIONS.test(name) ? `a promise (${name})` : name
}

/** Where the statement begins that a call is the end of: `process` of `process.nextTick(…)`. */
const startOf = (code: string, { at }: Call): number =>
  at - (/(?:[\w$]+\.)*$/.exec(code.slice(Math.max(0, at - 80), at))?.[0].length ?? 0)

interface Loop {
  readonly offset: number
  readonly condition: string
  readonly body: { readonly body: number; readonly end: number }
}

/** Loops of a function itself, not of those inside of it. */
function loopsIn({ outline, block }: Located): Loop[] {
  const { code, closed } = outline
  const loops: Loop[] = []
  const text = code.slice(block.body, block.end)
  for (const found of text.matchAll(/(?<![\w$.])(while|for)\s*\(/g)) {
    const offset = block.body + found.index
    const from = offset + found[0].length - 1
    const to = closed.get(from)
    if (to === undefined || blockAt(outline, offset) !== block) continue
    const inside = code.slice(from + 1, to)
    if (found[1] === 'for' && inside.split(';').length !== 3) continue
    const condition = found[1] === 'for' ? inside.split(';')[1]! : inside
    // `do { … } while (…)` has its body in front.
    const before = /\}\s*$/.test(code.slice(Math.max(0, offset - 40), offset)) ? doBody(code, offset, block) : undefined
    const body = before ?? { body: to + 1, end: statementEnd(code, to + 1, block.end) }
    loops.push({ offset: before ? before.body : offset, condition: condition.trim(), body })
  }
  return loops
}

function doBody(code: string, offset: number, block: Block): Loop['body'] | undefined {
  const end = code.lastIndexOf('}', offset) + 1
  const body = opening(code, end - 1, block.body)
  return body !== undefined && /(?<![\w$.])do\s*$/.test(code.slice(Math.max(0, body - 20), body))
    ? { body, end }
    : undefined
}

/** Behind the statement that begins at an offset. */
function statementEnd(code: string, from: number, most: number): number {
  let depth = 0
  for (let at = from; at < most; at++) {
    const char = code[at]!
    if ('([{'.includes(char)) depth++
    else if (')]}'.includes(char)) {
      depth--
      if (depth < 0) return at
      if (depth === 0 && char === '}') return at + 1
    } else if (depth === 0 && (char === ';' || (char === '\n' && code.slice(from, at).trim() !== ''))) return at + 1
  }
  return most
}

/** The brace that is open at an offset, within what begins at `least`. */
function opening(code: string, offset: number, least: number): number | undefined {
  let depth = 0
  for (let at = offset - 1; at >= least; at--) {
    if (code[at] === '}') depth++
    else if (code[at] === '{' && --depth < 0) return at
  }
  return undefined
}

const textOf = ({ code }: Outline, { body, end }: Loop['body']): string => code.slice(body, end)

/** A loop that lets others run between its rounds. */
function awaitingLoop(at: Located & { isTimer: IsTimer }): Found | undefined {
  const { outline, calls, isTimer } = at
  const { code } = outline
  let bounded: Found | undefined
  for (const { condition, body } of loopsIn(at)) {
    const text = textOf(outline, body)
    const awaits = /\bawait\b/.exec(text)
    if (!awaits) continue
    const inside = calls.filter((call) => isIn(call.from, body))
    const turn = inside.find(isTimer)
    // The nearest `await` in front of what lets the others run.
    const awaited = turn ? Math.max(text.lastIndexOf('await', turn.at - body.body), awaits.index) : awaits.index
    const where = placeOf(outline, body.body + awaited)
    const how = turn ? (SCHEDULERS.has(turn.names.at(-1)!) ? nameOf(turn) : `await ${nameOf(turn)}`) : 'await'
    if (turn && !isAtOnce(code, turn)) continue
    const others = inside.filter((call) => !isTimer(call) && !/^(Promise|resolve)$/.test(call.names.at(-1)!))
    const takesNothing = others.every(({ from, to }) => /^\(\s*\d*\s*$/.test(code.slice(from, to)))
    const changes = /(?<![=!<>])=(?![=>])|\+\+|--/.test(`${condition};${text}`)
    if (condition !== '' && others.length <= 1 && takesNothing && !changes) return { how, ends: 'waits', ...where }
    const goesOn = /^(?:true|1|)$/.test(condition) || isFlag(condition, text)
    if (goesOn && !leaves(outline, at.block, body)) return { how, ends: 'endless', ...where }
    bounded ??= { how, ends: 'bounded', ...where }
  }
  return bounded
}

/** Whether a condition only asks a flag that is not worked out where it is asked. */
function isFlag(condition: string, text: string): boolean {
  const flag = FLAG.exec(condition)?.[1]
  if (flag === undefined || COUNTS.test(flag)) return false
  const name = flag.replace(/^.*\./, '').replace(/[$#]/g, '\\$&')
  return !new RegExp(`(?<![\\w$])${name}\\s*(?:=(?!=)|\\+\\+|--|[,}\\]][^;\\n]*=(?!=))`).test(text)
}

/** Whether a loop, or a function up to an offset, is left for any other reason than a flag. */
function leaves(outline: Outline, block: Block, { body, end }: Loop['body']): boolean {
  const { code } = outline
  const text = code.slice(body, end)
  for (const found of text.matchAll(/(?<![\w$.])(return|break)\b([^;\n}]*)/g)) {
    const offset = body + found.index
    if (blockAt(outline, offset) !== block) continue
    if (/\b(setImmediate|setTimeout|nextTick|queueMicrotask)\b/.test(found[2]!)) continue
    // What it gives back is that which goes on.
    if (statementEnd(code, offset + found[1]!.length, block.end) > end) continue
    const guard = guardOf(outline, block, offset)
    if (guard === undefined || !isFlag(guard, code.slice(block.body, block.end))) return true
  }
  return false
}

const leavesBefore = (outline: Outline, block: Block, end: number): boolean =>
  leaves(outline, block, { body: block.body, end })

/** What is asked right in front of a statement; undefined where nothing is. */
function guardOf({ code, opened }: Outline, block: Block, offset: number): string | undefined {
  const back = (at: number): number => at - /\s*$/.exec(code.slice(Math.max(0, at - 200), at))![0].length
  const asked = (at: number): string | undefined => {
    const open = code[at - 1] === ')' ? opened.get(at - 1) : undefined
    return open !== undefined && /(?<![\w$])if\s*$/.test(code.slice(Math.max(0, open - 10), open))
      ? code.slice(open + 1, at - 1)
      : undefined
  }
  const direct = asked(back(offset))
  if (direct !== undefined) return direct
  const brace = opening(code, offset, block.body + 1)
  return brace === undefined ? undefined : asked(back(brace))
}

/** Whether nothing but a flag decides on whether what stands at an offset is done; in one of two branches, if the other makes one too. */
function isUnconditional(outline: Outline, block: Block, offset: number, several: boolean): boolean {
  const { code, opened } = outline
  const back = (at: number): number => at - /\s*$/.exec(code.slice(Math.max(0, at - 200), at))![0].length
  const all = code.slice(block.body, block.end)
  const allows = (at: number): boolean => {
    const open = code[at - 1] === ')' ? opened.get(at - 1) : undefined
    if (open !== undefined) {
      const word = /([\w$]+)\s*$/.exec(code.slice(Math.max(0, open - 12), open))?.[1]
      if (word === 'if') return several || isFlag(code.slice(open + 1, at - 1), all)
      return word !== 'while' && word !== 'for' && word !== 'switch'
    }
    if (/(?<![\w$])else$/.test(code.slice(Math.max(0, at - 6), at))) return several
    return !/[&|?:]$/.test(code.slice(Math.max(0, at - 1), at))
  }
  let at = back(offset - (/(?:[\w$]+\.)*$/.exec(code.slice(Math.max(0, offset - 80), offset))?.[0].length ?? 0))
  at = back(at - (/(?:return|void|await)$/.exec(code.slice(Math.max(0, at - 8), at))?.[0].length ?? 0))
  if (!allows(at)) return false
  for (
    let brace = opening(code, at, block.body + 1);
    brace !== undefined;
    brace = opening(code, brace, block.body + 1)
  ) {
    if (!allows(back(brace))) return false
  }
  return true
}
