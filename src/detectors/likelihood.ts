// How likely growth is a leak, whatever its kind: by its trend, by a bound or a lifetime beside it, by what the source says.

import type { ReadSource } from '../analysis/culprit.ts'
import type { Suspect } from '../analysis/suspect.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { nodeName, numberOf, referencesOf } from '../graph/look.ts'
import { ROOT } from '../graph/roots.ts'
import { EdgeType } from '../snapshot/meta.ts'
import type { IsolateHeap, Likelihood } from './detector.ts'
import { shortPlace } from './functions.ts'
import { findRemoval, isProgram } from './source.ts'

/** Names of numbers that say how much something may hold. */
const BOUND =
  /^[_#$]*(max|limit|capacity|cap|bound|size_?limit|(max|limit)_?(size|entries|items|keys|length|count|elements|records)|max_?queue(_?size)?|queue_?limit)$/i
/** Names of numbers that say how long something may stay, in milliseconds or seconds. */
const LIFETIME =
  /^[_#$]*(std)?(ttl|max_?age|lifetime|expires_?in|expiry|expiration|time_?to_?live)(_?ms|_?s|_?seconds|_?millis)?$/i

/** Below so many bytes a second something with a way out is let alone: it has hours before it matters. */
const SLOW_BYTES_PER_SECOND = 8000

const BY_TREND: Readonly<Record<Suspect['trend'], Likelihood>> = {
  steady: {
    confidence: 0.9,
    reason: 'it gained at a steady rate between all snapshots, and nothing that came has gone',
  },
  turning: {
    confidence: 0.75,
    reason: 'it gained between all snapshots, though some of it goes: more comes than goes',
  },
  unknown: {
    confidence: 0.55,
    reason: 'there are only two snapshots, which cannot tell a leak from something that fills up',
  },
  slowing: { confidence: 0.1, reason: 'it gains less and less' },
  swinging: { confidence: 0.1, reason: 'it rises and falls' },
  level: { confidence: 0, reason: 'there are no more than before' },
}

/** @param name what the container is called in the source; undefined where it has no name of its own */
export function judgeLead(
  { heap, graph, seconds }: IsolateHeap,
  suspect: Suspect,
  way: readonly number[],
  name: string | undefined,
  module: string | undefined,
  readSource: ReadSource,
): Likelihood {
  const base = BY_TREND[suspect.trend]
  if (suspect.kind === 'grown') return base
  const span = seconds.at(-1)! - seconds[0]!
  const size = suspect.counted === 'references' ? suspect.count : suspect.counts.at(-1)!
  // Node's own lists and handles have no bounds of the program's beside them.
  const inNode = suspect.container === ROOT || nodeName(graph, suspect.container) === 'TimersList'
  for (const node of inNode ? [] : beside(graph, suspect.container, way)) {
    const bound = numberNamed(graph, node, BOUND)
    if (bound && bound.value >= size && bound.value < 1e9) {
      return fillingUp(bound)
    }
    const lifetime = numberNamed(graph, node, LIFETIME)
    // Nobody keeps things for less than a second: such a number counts seconds.
    if (lifetime && lifetime.value > 0 && (lifetime.value < 1000 ? lifetime.value : lifetime.value / 1000) > span) {
      return {
        confidence: 0.25,
        reason: `what is in it has a lifetime that is longer than the look at it: ${lifetime.name} is ${lifetime.value}`,
        bounded: true,
      }
    }
  }
  const near = name === undefined || inNode ? undefined : boundNamedFor(graph, way, name)
  if (near && near.value >= size && near.value < Math.max(10_000, FAR * size)) {
    return fillingUp(near)
  }
  const told = heap.matching === 'id' ? base : lessSure(base, 0.75, 'objects could not be told apart one by one')
  const isLittle = suspect.count < LITTLE.count && suspect.bytes < LITTLE.bytes
  const matched = isLittle ? lessSure(told, 0.5, 'it is little yet, and a longer look would tell') : told
  if (name === undefined) return matched
  const removal = findRemoval(readSource, module, name)
  if (removal) {
    const { url, text } = removal
    const line = shortPlace(removal)
    if (suspect.bytesPerSecond >= SLOW_BYTES_PER_SECOND) {
      const less = lessSure(matched, 0.9, `${line} takes things out of it (${text}), but not enough`)
      return { ...less, takenOut: true }
    }
    return {
      confidence: 0.25,
      reason: `it gains little, and ${line} takes things out of it: ${text}`,
      takenOut: true,
      ...(!isProgram(url) && { ifNotTakenOut: lessSure(matched, 0.75, 'it gains little') }),
    }
  }
  return matched
}

/** So few and so small, such as a few connections more in a pool, may be chance. */
const LITTLE = { count: 50, bytes: 32 * 1024 }

const fillingUp = ({ name, value }: { name: string; value: number }): Likelihood => ({
  confidence: 0.2,
  reason: `it is filling up to its bound: ${name} is ${value}`,
  bounded: true,
})

/** A number that fits in no time is no bound that matters. */
const FAR = 50
const LIMITS = /max|limit|capacity|bound/

/** Beside what a module or a function calls `sessions`, its `MAX_SESSIONS` or `sessionLimit`. */
function boundNamedFor(
  graph: HeapGraph,
  way: readonly number[],
  container: string,
): { name: string; value: number } | undefined {
  const fold = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '')
  const own = fold(container).replace(/s$/, '')
  if (own.length < 3) return undefined
  for (const scope of way) {
    if (!graph.moduleScopes.has(scope) && !nodeName(graph, scope).startsWith('system / Context')) continue
    for (const { name, type, target } of referencesOf(graph, scope, 1000)) {
      const folded = fold(name)
      if (type !== EdgeType.context || !folded.includes(own) || !LIMITS.test(folded.replace(own, ''))) continue
      const value = numberOf(graph, target)
      if (value !== undefined) return { name, value }
    }
  }
  return undefined
}

const lessSure = ({ confidence, reason }: Likelihood, by: number, why: string): Likelihood => ({
  confidence: confidence * by,
  reason: `${reason}; ${why}`,
})

/** The container, the object whose property it is, and, for a private store of a library's, the one around that. */
function beside(graph: HeapGraph, container: number, way: readonly number[]): number[] {
  const at = way.indexOf(container)
  const { owner } = graph.ownership
  const above = (at < 0 ? way.slice(0, -1) : way.slice(0, at)).filter((node) => owner[node] === node).reverse()
  return [container, ...above.slice(0, 2).filter((node) => !graph.moduleScopes.has(node))]
}

function numberNamed(graph: HeapGraph, node: number, names: RegExp): { name: string; value: number } | undefined {
  for (const { name, type, target } of referencesOf(graph, node, 200)) {
    if (type !== EdgeType.property && type !== EdgeType.context) continue
    const plain = name.replace(/^<symbol (?:Symbol\()?(.*?)\)?>$/, '$1')
    if (names.test(plain)) {
      const value = numberOf(graph, target)
      if (value !== undefined) return { name: plain, value }
    } else if (/^[_#$]*(opts|options|config|settings)$/i.test(plain)) {
      for (const inner of referencesOf(graph, target, 100)) {
        const value = names.test(inner.name) ? numberOf(graph, inner.target) : undefined
        if (value !== undefined) return { name: `${plain}.${inner.name}`, value }
      }
    }
  }
  return undefined
}
