// Where a package hands over a function of its own, as a listener or a timer's callback, and which of its functions lead there.

import type { SourceLocation } from '../graph/locations.ts'
import type { AppModule, Call, Sources } from './app-modules.ts'
import { handover } from './blame.ts'
import { type Block, blockAt, blockFrom, type Outline, offsetOf, placeOf } from './source-outline.ts'

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
  const module = sources.module(at.url)
  if (!module) return { place: at, function: name || null, callers: name === '' ? [] : [name] }
  const { outline } = module
  const offset = offsetOf(outline, at.line, at.column)
  const block = blockFrom(outline, offset)
  const call = block && handingOver(module, block, name, wanted)
  const place = call ? { url: at.url, ...placeOf(outline, call.at) } : at
  const around = call ? call.block : (block ?? blockAt(outline, offset))
  return { place, function: qualifiedName(outline, around), callers: leadingTo(module, around) }
}

/** Where an object of a package's class is made, or the class itself is: the class with its name. */
export function classAt(sources: Sources, at: SourceLocation, name: string): Handover {
  const outline = sources.outline(at.url)
  const block = outline && blockFrom(outline, offsetOf(outline, at.line, at.column))
  const around = block?.kind === 'class' ? nameOf(outline!, block) : undefined
  return { place: at, function: around ?? (name || null), callers: [around ?? name].filter((each) => each !== '') }
}

function handingOver(module: AppModule, block: Block, name: string, wanted: Wanted): Call | undefined {
  const { outline, calls } = module
  const { verbs, event, receivers = [] } = wanted
  const fits = (call: Call): boolean => verbs.test(call.names.at(-1)!)
  const direct = handover(module, block, name)
  if (direct && fits(direct)) return direct
  if (!/^[\w$#]+$/.test(name)) return direct
  // Handed over elsewhere, as a member of what was made here: `session.on('error', sentinel.reject)`.
  const argument = new RegExp(`(?<![\\w$])${name.replace(/\$/g, '\\$')}\\s*[,)\\]]`)
  const words = receivers.map((each) => each.toLowerCase())
  let best: { call: Call; score: number } | undefined
  for (const call of calls) {
    if (!fits(call) || !argument.test(outline.code.slice(call.from, Math.min(call.to + 1, call.from + 500)))) continue
    const first = event === undefined ? '' : outline.source.slice(call.from + 1, call.from + event.length + 10)
    const isForEvent = event !== undefined && new RegExp(`^\\s*['"\`]${escaped(event)}['"\`]`).test(first)
    const receiver = call.names
      .at(-2)
      ?.replace(/^[#_]+/, '')
      .toLowerCase()
    const isOfReceiver = receiver !== undefined && receiver.length > 2 && words.some((word) => word.includes(receiver))
    // Of functions that go by one name, it is the one beside it that a call means.
    const isBeside = block.around !== undefined && call.from >= block.around.body && call.from < block.around.end
    const score = (isForEvent ? 2 : event === undefined ? 1 : 0) + (isOfReceiver ? 2 : 0) + (isBeside ? 3 : 0)
    if (score > (best?.score ?? 0)) best = { call, score }
  }
  return best?.call ?? direct
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

/** The innermost named function around, with its class: `PQueue.add`. */
function qualifiedName(outline: Outline, from: Block | undefined): string | null {
  const around = namedAround(outline, from)
  if (!around) return null
  const owner = around.name.includes('.') ? undefined : classAround(outline, around.block)
  return owner === undefined ? around.name : around.name === 'constructor' ? owner : `${owner}.${around.name}`
}

function namedAround(outline: Outline, from: Block | undefined): { name: string; block: Block } | undefined {
  for (let block = from; block; block = block.around) {
    const name = block.kind === 'function' ? nameOf(outline, block) : undefined
    if (name !== undefined) return { name, block }
  }
  return undefined
}

function classAround(outline: Outline, from: Block): string | undefined {
  const block = from.around
  return block?.kind === 'class' ? nameOf(outline, block) : undefined
}

/** Words in front of a parenthesis that are no function's name. */
const NO_NAME = /^(function|async|return|await|new|if|for|while|switch|catch|with|yield|default|static|get|set|of|in)$/

/** The name that a function or class is written with: declared, assigned, or that of a property. */
function nameOf({ code }: Outline, { kind, start, body }: Block): string | undefined {
  if (kind === 'class') {
    const declared = /^class\s+([\w$]+)/.exec(code.slice(start, body))?.[1]
    const assigned = /([\w$.]+)\s*=\s*$/.exec(code.slice(Math.max(0, start - 100), start))?.[1]
    return declared === 'extends' ? lastPart(assigned) : (declared ?? lastPart(assigned))
  }
  const before = code.slice(Math.max(0, start - 200), start)
  const direct = /([\w$#]+)\s*(?:<[^<>()]*>)?\s*$/.exec(before)
  if (direct && !NO_NAME.test(direct[1]!)) return direct[1]
  // esbuild keeps names by a call: `const wait = __name((signal) => {…}, "wait")`.
  const given = /([\w$#.]+)\s*(?:=|:)\s*(?:__name\s*\(\s*)?(?:async\s*)?(?:function\b\s*\*?\s*[\w$]*\s*)?$/.exec(
    before,
  )?.[1]
  return given === undefined || NO_NAME.test(given) ? undefined : lastPart(given)
}

/** `Job.finished` of `Job.prototype.finished`; the last name of any other chain. */
function lastPart(chain: string | undefined): string | undefined {
  const method = /([\w$]+)\.prototype\.([\w$]+)$/.exec(chain ?? '')
  return method ? `${method[1]}.${method[2]}` : chain?.split('.').at(-1)
}

/** Functions of a module that call what calls … a function of it: a private method's public ones among them. */
function leadingTo({ outline, calls }: AppModule, from: Block | undefined): string[] {
  const first = namedAround(outline, from)
  if (!first) return []
  const names: string[] = []
  let round: { name: string; block: Block }[] = [first]
  const seen = new Set<Block>([first.block])
  for (let depth = 0; depth <= MAX_ROUNDS && round.length > 0 && names.length < MAX_CALLERS; depth++) {
    const plain = new Set<string>()
    for (const { name, block } of round) {
      const owner = classAround(outline, block)
      const own = name === 'constructor' && owner !== undefined ? owner : name.split('.').at(-1)!.replace(/^#/, '')
      plain.add(own)
      if (!names.includes(own)) names.push(own)
    }
    const next: { name: string; block: Block }[] = []
    for (const call of calls) {
      if (!plain.has(call.names.at(-1)!.replace(/^#/, ''))) continue
      const caller = namedAround(outline, call.block)
      if (!caller || seen.has(caller.block)) continue
      seen.add(caller.block)
      next.push(caller)
    }
    round = next
  }
  return names.slice(0, MAX_CALLERS)
}
