// `promise-pileup`: promises that nobody settles, with those who wait for them.

import type { Culprit, ReadSource } from '../analysis/culprit.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { internal, isObject, referencesOf } from '../graph/look.ts'
import { NOT_REACHED, pathTo } from '../graph/paths.ts'
import { EdgeType } from '../snapshot/meta.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import type { Detector, Lead } from './detector.ts'
import { functionsFrom, shortPlace } from './functions.ts'
import { isNew, nameUpTo, onlyGains, ownersOnWay, piledUp } from './piled-up.ts'
import { isAwaited, isPromise, promiseIn } from './promises.ts'
import { escaped, findLine, modulesOf, wherePut } from './statements.ts'
import { reachedOf } from './surroundings.ts'

const REACTION = 'system / PromiseReaction'
/** So many promises one behind another are a chain. */
const CHAIN = 8

export const promisePileup: Detector = {
  pattern: 'promise-pileup',
  diagnose(lead, { readSource }) {
    const { suspect, of } = lead
    const { graph } = of
    const way = ownersOnWay(lead)
    const promise = way.find((node) => isPromise(graph, node))
    const onWay = way.filter((node) => isPromise(graph, node) && isNew(lead, node)).length
    if (onWay >= CHAIN) return chain(lead, readSource)
    const old = promise !== undefined && !isNew(lead, promise) ? promise : undefined
    const reacting = old === undefined ? 0 : newReactions(lead, old)
    if (old !== undefined && old === suspect.container && reacting >= 3)
      return reactions(lead, old, reacting, readSource)
    // The last of the old promises has one reaction more, and all that is new hangs on that.
    if (reacting === 1 && suspect.counted === 'class' && isPromise(graph, suspect.holders[0]!))
      return chain(lead, readSource)
    if (suspect.counted !== 'class') return unsettled(lead, readSource)
    return isPromise(graph, suspect.sample) && chainFrom(graph, suspect.sample) >= CHAIN
      ? chain(lead, readSource)
      : undefined
  },
}

/** Much is waiting for one old promise: each `Promise.race` with it, each `then`, leaves something on it. */
function reactions(
  lead: Lead,
  promise: number,
  count: number,
  readSource: ReadSource,
): ReturnType<Detector['diagnose']> {
  const { suspect } = lead
  const perSecond = (suspect.perSecond * count) / suspect.count
  const name = nameUpTo(lead, promise)
  const it = name === undefined ? 'one promise' : `the promise ${name}`
  const culprit = whereAwaited(lead, name, readSource)
  const bytesEach = Math.round(suspect.bytes / count)
  return {
    title: `${formatCount(count)} reactions wait on ${it}, ${perSecond.toFixed(1)} more each second: it is never settled`,
    culprit,
    evidence: {
      kind: 'reactions on one promise',
      promise: name ?? null,
      reactions: count,
      perSecond: Math.round(perSecond * 10) / 10,
      bytesEach,
      keeps: keeps(lead),
    },
    advice: `Do not race or await ${name ?? 'a promise that lives as long as the process'} again and again${
      culprit ? ` (${shortPlace(culprit)})` : ''
    }: each time leaves a reaction on it, with its result (${formatBytes(bytesEach)}). Look at a flag or an AbortSignal instead, or listen once and take the listener off.`,
  }
}

function newReactions(lead: Lead, promise: number): number {
  const { graph } = lead.of
  const { nodeCount, nodeName: names, strings } = graph.snapshot
  const name = strings.indexOf(REACTION)
  const { owner } = graph.ownership
  let count = 0
  for (let node = 0; node < nodeCount && name >= 0; node++) {
    if (names[node] === name && owner[node] === promise && isNew(lead, node)) count++
  }
  return count
}

/** How many promises wait for one another, as far as it matters. */
function chainFrom(graph: HeapGraph, promise: number): number {
  let length = 0
  let at: number | undefined = promise
  while (at !== undefined && length++ < CHAIN) {
    const reaction = internal(graph, at, 'reactions_or_result')
    const next: number | undefined =
      reaction === undefined
        ? undefined
        : [...referencesOf(graph, reaction, 20)].find(({ target }) => isPromise(graph, target))?.target
    at = next
  }
  return length
}

/** The end of a chain is what the program has hold of; its front only hangs on what it waits for. */
function wayToEnd({ suspect, of }: Lead): number[] | undefined {
  const { graph } = of
  const end = suspect.reached.find((node) => {
    const holder = graph.paths.via[node]!
    if (!isPromise(graph, node) || holder >= NOT_REACHED || !isObject(graph, holder) || isPromise(graph, holder))
      return false
    return (
      of.heap.lineage?.born[holder] === 0 &&
      [...referencesOf(graph, holder, 1000)].some(
        ({ type, target }) => target === node && (type === EdgeType.property || type === EdgeType.context),
      )
    )
  })
  return end === undefined ? undefined : pathTo(graph.paths, end)
}

/** Each promise waits for the one before. */
function chain(lead: Lead, readSource: ReadSource): ReturnType<Detector['diagnose']> {
  const { suspect, of } = lead
  const { graph } = of
  let count = 0
  for (const node of reachedOf(lead, (name) => name === 'Promise')) if (isPromise(graph, node)) count++
  if (count < Math.max(CHAIN, 0.3 * suspect.count)) return undefined
  const perSecond = (suspect.perSecond * count) / suspect.count
  const places = functionsFrom(lead, [suspect.sample])
  const links = places.map(({ url, line }) =>
    findLine(readSource, [url], /\.then\s*\(|\.finally\s*\(/, { from: line, to: line }),
  )
  const culprit = links.find((each) => each !== undefined) ?? places[0]
  const bytesEach = Math.round(suspect.bytes / count)
  // The path ends at the promise that settles next, which may be held elsewhere than the chain's end.
  const appendedBy = culprit && readSource(culprit.url)?.split('\n')[culprit.line - 1]?.trim().slice(0, 160)
  return {
    title: `A chain of promises grew by ${formatCount(count)}, ${perSecond.toFixed(1)} more each second: what they wait for comes more slowly`,
    culprit,
    way: wayToEnd(lead),
    evidence: {
      kind: 'chain',
      promises: count,
      perSecond: Math.round(perSecond * 10) / 10,
      bytesEach,
      keeps: keeps(lead),
      ...(appendedBy ? { appendedBy } : {}),
    },
    advice: `More is appended to the chain${culprit ? ` at ${shortPlace(culprit)}` : ''} than it gets done, and each link keeps ${formatBytes(bytesEach)}: do one piece of work for all who wait, put a bound on how many may wait, or make callers wait before they add more.`,
  }
}

/** Promises, or what would settle them, that are kept somewhere and never settled. */
function unsettled(lead: Lead, readSource: ReadSource): ReturnType<Detector['diagnose']> {
  const { suspect, of } = lead
  const { graph } = of
  const name = nameUpTo(lead, suspect.container) ?? lead.name
  // What is taken out again is a queue.
  if (!onlyGains(lead)) return undefined
  const piled = piledUp(lead, 200)
  const promises = piled.map((node) => promiseIn(graph, node))
  const waiting = promises.filter((promise) => promise !== undefined && isAwaited(graph, promise)).length
  if (waiting < 0.8 * piled.length) return undefined
  const awaits = functionsFrom(lead, [promises.find((promise) => promise !== undefined)!])[0]
  const { count, perSecond } = suspect
  const bytesEach = Math.round(suspect.bytes / count)
  const culprit = wherePut(readSource, modulesOf(lead), name) ?? awaits
  return {
    title: `${formatCount(count)} promises in ${name} were never settled, ${perSecond.toFixed(1)} more each second`,
    culprit,
    evidence: {
      kind: 'never settled',
      keptIn: name,
      promises: count,
      perSecond: Math.round(perSecond * 10) / 10,
      awaitedShare: Math.round((100 * waiting) / piled.length) / 100,
      awaitedAt: awaits ? shortPlace(awaits) : null,
      bytesEach,
      keeps: keeps(lead),
    },
    advice: `Reject what waits in ${name} after a while (a timer that is cleared when the answer comes) and when the connection is lost, and take it out: each keeps ${formatBytes(bytesEach)} of the function that awaits it.`,
  }
}

const MACHINERY =
  /^(Promise|Function|Generator|AsyncGenerator|Context|system \/.*|\(.*\)|smi number|heap number|native_bind|)$/

/** Bytes by class of what is kept beside the promises themselves. */
function keeps({ suspect, of }: Lead): Record<string, number> {
  const { classes } = of.heap.opened
  const bytes = new Map<string, number>()
  for (const node of suspect.reached) {
    const name = classes.names[classes.of[node]!]!
    if (!MACHINERY.test(name)) bytes.set(name, (bytes.get(name) ?? 0) + of.graph.shallowSize(node))
  }
  return Object.fromEntries([...bytes].sort((a, b) => b[1] - a[1]).slice(0, 4))
}

/** The statement that waits for a promise: a race first, as that is begun again and again. */
function whereAwaited(lead: Lead, name: string | undefined, readSource: ReadSource): Culprit | undefined {
  const functions = functionsFrom(lead, [lead.suspect.sample])
  const urls = [...new Set([...functions.map(({ url }) => url), ...modulesOf(lead)])]
  const it = name === undefined ? undefined : `(?<![\\w$])${escaped(name.replace(/^.*\./, ''))}(?![\\w$])`
  const patterns = [
    ...(it
      ? [
          `Promise\\s*\\.\\s*(?:race|any|all|allSettled)\\s*\\(.*${it}`,
          `${it}\\s*\\.\\s*then\\s*\\(`,
          `await\\s+(?:[\\w$.]+\\.)?${it}`,
        ]
      : []),
    'Promise\\s*\\.\\s*race\\s*\\(',
  ]
  for (const pattern of patterns) {
    const found = findLine(readSource, urls, new RegExp(pattern))
    if (found) return found
  }
  return functions[0]
}
