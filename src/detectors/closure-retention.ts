// `closure-retention`: functions that retain, by the scope they were made in, more than they need.

import type { AnyNode, Identifier } from 'acorn'
import { z } from 'zod'
import type { Culprit, ReadSource } from '../analysis/culprit.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { internal, isFunction, isObject, referencesOf } from '../graph/look.ts'
import { settledBy } from '../node-internals/promises.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { bindingOf, nodesIn, parentOf, type Scope } from '../source/syntax-tree.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import type { Candidate, Diagnosis, EvidenceBy, HeapDetector } from './detector.ts'
import * as field from './evidence-fields.ts'
import { functionNear } from './flows.ts'
import { placeOf, shortPlace, unwrapped } from './functions.ts'
import { despiteBound } from './likelihood.ts'
import { held, isNew, mostCommon, nameUpTo, onlyGains, ownersOnWay, piledUp } from './piled-up.ts'

const usesVariable = () =>
  z.boolean().nullable().describe('whether the function uses the variable; null where the source could not be read')

const chainEvidence = () =>
  z.object({
    kind: z.literal('chain').describe('each function holds the one that was made before it'),
    function: field.nameOrNull('the function'),
    variable: field.nameOrNull('variable of its scope that leads to the one before'),
    generations: field.count('functions that came and are still there'),
    perSecond: field.perSecond('functions that come'),
    bytesEach: field.bytes('what each keeps alive'),
    usesVariable: usesVariable(),
  })

const scopesEvidence = () =>
  z.object({
    kind: z.literal('scopes').describe('many functions are kept, each with a scope of its own'),
    keptIn: field.name('what the program calls the container of the functions'),
    function: field.nameOrNull('the function'),
    functions: field.count('functions that came and are still there'),
    perSecond: field.perSecond('functions that come'),
    variable: field.name('variable of the scope that keeps most alive'),
    variableBytes: field.bytes('what that variable keeps alive'),
    scopeBytesEach: field.bytes('what a scope keeps alive'),
    usesVariable: usesVariable(),
  })

const evidence = () => [chainEvidence(), scopesEvidence()]
type Found = Diagnosis<EvidenceBy<typeof evidence>> | undefined

export const closureRetention: HeapDetector<EvidenceBy<typeof evidence>> = {
  name: 'closure-retention',
  patterns: ['closure-retention'],
  needs: 'heap',
  before: [
    // The variable may be a large buffer: this one says which variable, and that the function does not use it.
    'off-heap-growth',
  ],
  evidence,
  diagnose: (candidate, { readSource }) => chain(candidate, readSource) ?? scopes(candidate, readSource),
}

/** A chain has so many functions, each in the scope of the next. */
const CHAIN = 8
/** This part of what a function retains must be in its scope, and in one variable of the scope. */
const MOSTLY = 0.6
/** A scope that retains fewer bytes is as small as scopes are. */
const LEAST_BYTES = 1024
/** Names of lists of work that is still to be done. */
const QUEUES = /(queue|jobs?|tasks?|backlog|pending|waiting|todo)s?$/i

interface Kept {
  readonly name: string
  readonly bytes: number
}

/** Each function's scope leads to the function that was made before it, so that none is ever released. */
function chain(candidate: Candidate, readSource: ReadSource): Found {
  const { suspect, of } = candidate
  const { graph } = of
  const way = ownersOnWay(candidate)
  const links = way.filter((node, i) => {
    const scope = isFunction(graph, node) && isNew(candidate, node) ? internal(graph, node, 'context') : undefined
    return scope !== undefined && scope === way[i + 1]
  })
  const places = links.map((node) => placeOf(graph, unwrapped(graph, node)))
  const culprit = mostCommon(places, keyOf)
  const alike = places.filter((place) => keyOf(place) === keyOf(culprit)).length
  if (!culprit || alike < CHAIN) return undefined
  const link = links[places.indexOf(culprit)]!
  const scope = internal(graph, link, 'context')!
  const after = way[way.indexOf(link) + 2]
  const variable = [...referencesOf(graph, scope, 200)].find(
    ({ target, type }) => target === after && type === EdgeType.context,
  )?.name
  let count = 0
  for (const node of suspect.reached)
    if (isFunction(graph, node) && keyOf(placeOf(graph, node)) === keyOf(culprit)) count++
  const perSecond = (suspect.perSecond * count) / Math.max(1, suspect.count)
  const name = culprit.function ?? 'a function'
  const bytesEach = Math.round(suspect.bytes / Math.max(1, count))
  const by = variable === undefined ? 'by its scope' : `by '${variable}' of its scope`
  return {
    title: `${formatCount(count)} generations of ${name} (${shortPlace(culprit)}), each holding the one before ${by}, ${perSecond.toFixed(1)} more each second`,
    culprit,
    evidence: {
      kind: 'chain',
      function: culprit.function,
      variable: variable ?? null,
      generations: count,
      perSecond: Math.round(perSecond * 10) / 10,
      bytesEach,
      usesVariable: variable === undefined ? null : uses(readSource, culprit, variable),
    },
    advice: `Copy what ${name} needs of '${variable ?? 'the state before'}' instead of the whole, or cut the chain after the last step that is needed: each generation keeps ${formatBytes(bytesEach)} and all that came before it.`,
  }
}

const keyOf = (place: Culprit | undefined): string | undefined => place && `${place.url}:${place.line}:${place.column}`

/** Functions that are kept, and with each the scope that it was made in. */
function scopes(candidate: Candidate, readSource: ReadSource): Found {
  const { suspect, of } = candidate
  const { graph } = of
  if (!onlyGains(candidate)) return undefined
  if (ownersOnWay(candidate).at(-2) !== suspect.container) return undefined
  const name = nameUpTo(candidate, suspect.container) ?? candidate.name
  if (QUEUES.test(name)) return undefined
  const looked = piledUp(candidate, 50)
  const made = looked.map((node) => ({ node, closure: closureOf(graph, node) }))
  const kept = made.flatMap(({ node, closure }) => {
    const scope = closure === undefined ? undefined : internal(graph, closure, 'context')
    if (closure === undefined || scope === undefined || !isNew(candidate, scope)) return []
    const bytes = graph.retainedSize(scope)
    return bytes >= MOSTLY * graph.retainedSize(node) ? [{ closure, scope, bytes }] : []
  })
  if (kept.length < MOSTLY * looked.length || kept.length === 0) return undefined
  const average = kept.reduce((sum, { bytes }) => sum + bytes, 0) / kept.length
  if (average < LEAST_BYTES || average * suspect.count < 0.5 * suspect.bytes) return undefined
  const first = kept[0]!
  const heaviest = heaviestVariable(graph, first.scope)
  if (!heaviest || heaviest.bytes < MOSTLY * first.bytes) return undefined
  const places = kept.map(({ closure }) => placeOf(graph, closure))
  const culprit = mostCommon(places, keyOf)
  if (!culprit) return undefined
  const called = culprit.function ?? 'a function'
  const needs = uses(readSource, culprit, heaviest.name)
  // A function may keep what it uses, and that of a package cannot be changed: there the number of functions is the fault.
  if (needs !== false || culprit.package !== null) return undefined
  return {
    likelihood: despiteBound(candidate.likelihood, candidate.suspect.bytes / Math.max(1, candidate.suspect.count)),
    title: `${formatCount(suspect.count)} functions (${called} at ${shortPlace(culprit)}) in ${name} keep '${heaviest.name}' of the scope they were made in, ${formatBytes(average)} each, ${suspect.perSecond.toFixed(1)} more each second`,
    culprit,
    evidence: {
      kind: 'scopes',
      keptIn: name,
      function: culprit.function,
      functions: suspect.count,
      perSecond: Math.round(suspect.perSecond * 10) / 10,
      variable: heaviest.name,
      variableBytes: heaviest.bytes,
      scopeBytesEach: Math.round(average),
      usesVariable: needs,
    },
    advice: `Make ${called} where '${heaviest.name}' is out of sight (a function of its own that is given what it needs), or set '${heaviest.name}' to null when it is done with: ${called} does not use it, but functions of one scope share all that any of them uses. And give ${name} a bound.`,
  }
}

/** The function itself; of an object, its function that retains most. */
function closureOf(graph: HeapGraph, node: number): number | undefined {
  const own = (each: number): number | undefined => {
    const closure = unwrapped(graph, each)
    return settledBy(graph, closure) === undefined && placeOf(graph, closure) ? closure : undefined
  }
  if (graph.snapshot.nodeType[node] === NodeType.closure) return own(node)
  if (!isObject(graph, node)) return undefined
  let best: number | undefined
  for (const { type, target } of held(graph, node)) {
    if (type !== EdgeType.property || !isFunction(graph, target) || graph.immediateDominator(target) !== node) continue
    if (best === undefined || graph.retainedSize(target) > graph.retainedSize(best)) best = target
  }
  return best === undefined ? undefined : own(best)
}

function heaviestVariable(graph: HeapGraph, scope: number): Kept | undefined {
  let best: Kept | undefined
  for (const { name, type, target } of referencesOf(graph, scope, 500)) {
    if (type !== EdgeType.context) continue
    const bytes = graph.retainedSize(target)
    if (!best || bytes > best.bytes) best = { name, bytes }
  }
  return best
}

/** Whether a function uses a variable of the scopes around it; null where the source cannot be had. */
function uses(readSource: ReadSource, place: Culprit, variable: string): boolean | null {
  const found = functionNear(sourcesOf(readSource), place)
  if (!found) return null
  return [...nodesIn(found.node)].some((node) =>
    node.type === 'Identifier'
      ? node.name === variable && isVariable(node) && !isWithin(bindingOf(node)?.scope, found.node)
      : node.type === 'ThisExpression' && variable === 'this',
  )
}

/** Whether an identifier is a variable, and not the name of a property. */
const isVariable = (node: Identifier): boolean => {
  const around = parentOf(node)
  if (around?.type === 'MemberExpression') return around.object === node || around.computed
  return around?.type !== 'Property' || around.value === node || around.computed
}

function isWithin(scope: Scope | undefined, node: AnyNode): boolean {
  for (let at = scope; at; at = at.outer) if (at.node === node) return true
  return false
}
