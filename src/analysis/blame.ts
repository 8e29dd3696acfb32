// Which statement of the program to blame, when what leaks is held where the program itself never puts anything: in a library, or in Node.

import { isMadeBy } from '../node-internals/makers.ts'
import type { AppModule, Call, Sources } from '../source/app-modules.ts'
import { calledBy, handedTo } from '../source/calls.ts'
import { contains, isInConstructor } from '../source/expressions.ts'
import { startOf } from '../source/module.ts'
import { type Block, blockFrom, offsetOf } from '../source/source-outline.ts'
import type { Clues } from './clues.ts'
import type { NearFunction } from './surroundings.ts'

export interface Statement {
  readonly module: AppModule
  readonly call: Call
  readonly score: number
}

/** Methods that take out, look up or end. */
export const TAKES =
  /^(get|has|is|delete|remove|off|un|clear|close|end|destroy|stop|shift|pop|size|keys|values|entries|forEach|map|filter|find|includes|release|free|abort|cancel|dispose|eject|leave|listen|slice|some|every|reduce|toString|address|setMaxListeners|then|catch|finally|resolve|prune|evict|sweep)([A-Z].*)?$/
/** What is done to a container of that name. */
const VERBS: readonly (readonly [inside: RegExp, verb: RegExp])[] = [
  [
    /writ|buff?er|bufs?\b|outgoing|inflight|output|chunk|backpressure/i,
    /^(write|send|publish|emit|push|log|info|warn|error|debug|trace|end|pipe|broadcast|set|put|request|post.*)$/i,
  ],
  [
    /event|listener|observer|handler|subscri|interceptor|hook|callback|middleware/i,
    /^(on|once|onceAny|onAny|add.*Listener|prepend.*|subscribe|use|watch|observe|hook|tap|bind|register.*|add.*)$/i,
  ],
  [
    /queue|task|wait|pending|backlog|job|command|running|request|head|tail/i,
    /^(push|unshift|add|enqueue|run|exec.*|acquire|request|schedule|submit|dispatch|send.*|set|call|query|process|publish)$/i,
  ],
  [
    /cache|store|map|memo|partial|table|registry|index|rooms|sids|sessions|connections|tasks|models/i,
    /^(set|add|put|load|register.*|compile|save|join|observe|inc|create.*|schedule|memoize|define|model)$/i,
  ],
  [/timer/i, /^(setTimeout|setInterval|schedule.*|delay|every|after)$/i],
]
const FACTORY = /^(?:create|make|build|open|new|start|init|spawn)([A-Z]\w*)$/

/** The statements that may be to blame, the likeliest first. */
export function rankStatements(sources: Sources, clues: Clues, first: 'put' | 'made' = 'put'): Statement[] {
  const modules = sources.modules(clues.scripts)
  return best(
    modules.map((module) => ({ module, calls: module.calls })),
    clues,
    { least: LEAST, most: MOST, first },
  )
}

/** The likeliest in one function, of which it is known that it is to blame. */
export function statementIn(
  module: AppModule,
  block: Block,
  clues: Clues,
  first: 'put' | 'made',
): Statement | undefined {
  const calls = module.calls.filter(({ at }) => at >= block.body && at < block.end)
  return best([{ module, calls }], clues, { least: 0.1, most: 1, first })[0]
}

function best(
  parts: readonly { module: AppModule; calls: readonly Call[] }[],
  clues: Clues,
  { least, most, first }: { least: number; most: number; first: 'put' | 'made' },
): Statement[] {
  const best: Statement[] = []
  for (const { module, calls } of parts) {
    const near = nearIn(module, clues)
    for (const call of calls) {
      const score = scoreCall(module, call, clues, near, first)
      if (score < least || (best.length === most && score <= best.at(-1)!.score)) continue
      best.push({ module, call, score })
      best.sort((a, b) => b.score - a.score)
      best.length = Math.min(best.length, most)
    }
  }
  return best
}

/** Less likely ones are none. */
const LEAST = 5
const MOST = 20

export interface Near {
  /** Functions that came with the leak, by where they stand: each once, the nearest. */
  readonly blocks: ReadonlyMap<Block, NearFunction>
  /** The innermost call that each is an argument of. */
  readonly handedTo: ReadonlyMap<Call, NearFunction>
  /** Whether a function calls something of the package that holds the leak. */
  readonly usesHolder: boolean
}

export function nearIn(module: AppModule, { functions, holder }: Clues): Near {
  const { url, outline, calls, origins } = module
  const blocks = new Map<Block, NearFunction>()
  const handedTo = new Map<Call, NearFunction>()
  for (const near of functions) {
    if (near.location.url !== url) continue
    const block = blockFrom(outline, offsetOf(outline, near.location.line, near.location.column))
    if (!block || blocks.has(block)) continue
    blocks.set(block, near)
    if (near.kind !== 'callback') continue
    const call = handover(module, block)
    if (call && !handedTo.has(call)) handedTo.set(call, near)
  }
  const isHolders = (name: string): boolean => holder !== undefined && origins.get(name)?.has(holder) === true
  return { blocks, handedTo, usesHolder: calls.some(({ block, names }) => block && names.some(isHolders)) }
}

/** The call that a function is given to: where it is written down, or by its name. */
export function handover(
  { tree, calls }: AppModule,
  block: Block,
  fits: (call: Call) => boolean = () => true,
): Call | undefined {
  const given = tree?.functions.find((node) => startOf(tree.source, node) === block.start)
  const node =
    given &&
    handedTo(tree!, given, (each) => {
      const call = calls.find((known) => known.node === each)
      return call !== undefined && fits(call) && (contains(each, given) || !TAKES.test(calledBy(each).name))
    })
  return node && calls.find((call) => call.node === node)
}

function scoreCall(module: AppModule, call: Call, clues: Clues, near: Near, first: 'put' | 'made'): number {
  const { names, block } = call
  const verb = names.at(-1)!
  const bare = names.length === 1
  const name = named(module, bare ? names : names.slice(0, -1), clues)
  const given = near.handedTo.get(call)
  // Far inside of something, the name of that says little.
  const far = 0.85 ** Math.max(0, clues.inside.length - 4)
  const held = (module.url === clues.home ? 6 : 3) * name * far + (given ? 7 - 0.3 * given.distance : 0)
  let origin = 0
  let isHolders = false
  for (const each of names) {
    for (const from of module.origins.get(each) ?? []) {
      origin = Math.max(origin, clues.origins.get(from) ?? 0)
      isHolders ||= from === clues.holder
    }
  }
  // What is waited for where it is made is gone when it is settled.
  const made = call.isNew && call.isAwaited ? 0 : fitOfMaker(call, clues, first)
  const tie = first === 'made' ? 1.5 * made + 2 * origin + 0.3 * held : made + 4 * origin + held
  if (tie < 1) return 0

  let score = tie + within(block, near)
  // A library that is set up once, and gets all it holds without another call of the program's.
  score += block ? 2 : isHolders && !near.usesHolder ? 3 : -3
  // What is called by a callback is called again and again, what a constructor calls once an instance.
  if (block?.around) score += 0.5
  if (block && call.node && isInConstructor(call.node)) score -= 1
  if (TAKES.test(verb)) score -= 4
  const last = clues.inside.at(-1)
  for (const [inside, verbs] of VERBS) {
    if (!verbs.test(verb)) continue
    if (last !== undefined && inside.test(last)) score += 2
    else if (clues.inside.some((each) => inside.test(each))) score += 1.5
  }
  return score
}

/** How near to what holds the leak a name is that a method is called of, or of which that was made; 1 is the nearest. */
function named({ madeOf }: AppModule, names: readonly string[], clues: Clues): number {
  const worth = (name: string): number => {
    const at = clues.names.lastIndexOf(name)
    return at < 0 ? 0 : 0.75 ** (clues.names.length - 1 - at)
  }
  let best = 0
  for (const name of names) {
    best = Math.max(best, worth(name), ...(madeOf.get(name) ?? []).map((part) => 0.8 * worth(part)))
  }
  return best
}

/** Whether a call makes instances of one of the leak's classes, and how well that fits. */
function fitOfMaker({ names, isNew }: Call, clues: Clues, first: 'put' | 'made'): number {
  const verb = names.at(-1)!
  const isProgramClass = (name: string): boolean =>
    clues.functions.some((each) => each.kind === 'class' && each.name === name)
  // Where a handle is made is the question, not who has it made.
  if (isNew && first === 'made' && isProgramClass(verb)) return 0
  let best = isNew ? 6 * (clues.classes.get(verb) ?? 0) : 0
  const factory = FACTORY.exec(verb)?.[1]?.toLowerCase()
  for (const [name, fit] of clues.classes) {
    if (isMadeBy(name, verb)) best = Math.max(best, 5 * fit)
    else if (factory !== undefined && name.toLowerCase().includes(factory)) best = Math.max(best, 4 * fit)
  }
  return best
}

/** Within a function that waits with what leaked, or came with it, a statement is likelier. */
export function within(block: Block | undefined, { blocks }: Near): number {
  let best = 0
  for (let at = block, depth = 0; at && depth < 20; at = at.around, depth++) {
    const near = blocks.get(at)
    if (!near) continue
    const worth = { frame: 4, callback: 2, class: 2, shared: 1 }[near.kind] - 0.15 * near.distance - 0.5 * depth
    best = Math.max(best, worth)
  }
  // What came with the leak was made in the function around it.
  for (const [each, near] of blocks) {
    if (each.around === block && block !== undefined && near.kind === 'callback') {
      best = Math.max(best, 2.5 - 0.15 * near.distance)
    }
  }
  return best
}
