// The package behind a leak: which one adds what leaks, or holds it, in which function, and which calls of the program lead
// there.

import type { Via } from '../analysis/clues.ts'
import type { ReadSource } from '../analysis/culprit.ts'
import { classAt, findHandover, type Handover } from '../analysis/handover.ts'
import { lookAround } from '../analysis/surroundings.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import type { SourceLocation } from '../graph/locations.ts'
import { isFunction, isObject, nodeName, property } from '../graph/look.ts'
import { labelOfStep } from '../graph/retaining-path.ts'
import { isAnyListenerTable } from '../node-internals/listeners.ts'
import { handlerOf, isReaction } from '../node-internals/promises.ts'
import { TIMER_CALLBACK } from '../node-internals/timers.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { isOwn } from '../source/origins.ts'
import { type InstalledPackage, needs, packageAt, resolvePackage } from '../support/packages.ts'
import type { ScriptSources } from '../support/script-sources.ts'
import { packageOf } from '../support/sources.ts'
import type { Candidate, Captures, InPackages } from './detector.ts'
import { unwrapped } from './functions.ts'
import { isNew, mostCommon, piledUp } from './piled-up.ts'
import { madeEach } from './public-methods.ts'
import type { ShownCulprit } from './shown.ts'

export interface PackageBehind {
  /** Whether functions of the package pile up, or things pile up inside of an object or module of the package. */
  readonly role: 'adds' | 'holds'
  readonly installed: InstalledPackage
  readonly step: Handover
  readonly via: Via
}

/** The package that adds what a candidate is about, or else the one inside of which it piles up; undefined where there is none. */
export function packageBehind(
  candidate: Candidate,
  { methods = ANY, isHeldByNode }: InPackages,
  captures: Captures,
  { mapPosition }: ScriptSources,
): PackageBehind | undefined {
  const { readSource } = captures
  const sources = sourcesOf(readSource)
  // A bundle contains packages: its source map has their files.
  const mapped = (at: SourceLocation): SourceLocation => {
    if (packageOf(at.url) !== null) return at
    const { url, line, column } = mapPosition(at.url, at.line, at.column) ?? at
    return { url, line, column }
  }
  const holder = isHeldByNode ? undefined : holderOf(candidate)
  const adder = adderOf(candidate)
  const at = adder && mapped(adder.location)
  const by = at && packageOf(at.url)
  // A package that adds to its own object holds the things, which the program hands to it.
  const holds = holder && packageOf(mapped(holder.location).url)
  if (at && by != null && by !== holds) {
    const wanted = { verbs: methods, event: eventOf(candidate), receivers: receiversOf(candidate) }
    return behindOf('adds', findHandover(sources, at, adder.name, wanted), candidate, captures)
  }
  if (!holder || holds == null) return undefined
  return behindOf('holds', classAt(sources, mapped(holder.location), holder.name), candidate, captures)
}

function behindOf(
  role: PackageBehind['role'],
  step: Handover,
  candidate: Candidate,
  captures: Captures,
): PackageBehind | undefined {
  const { readSource } = captures
  const installed = packageAt(readSource, step.place.url)
  if (!installed) return undefined
  const via: Via = {
    packages: new Map([[installed.specifier, 1], ...dependents(candidate, installed, captures)]),
    functions: step.callers,
    given: givenOf(candidate),
    makesOne: madeEach(candidate) !== undefined,
  }
  return { role, installed, step, via }
}

/** The package's line as a culprit, where no line of the program leads there: in the file that runs, as packages have no other. */
export function culpritIn({ step, installed }: PackageBehind, readSource: ReadSource): ShownCulprit {
  const { url, line, column } = step.place
  const from = Math.max(1, line - FRAME)
  const lines = readSource(url)?.split('\n', line + FRAME) ?? []
  return {
    culprit: {
      ...{ function: step.function, url, line, column },
      ...{ package: installed.specifier, basis: 'callback' },
    },
    codeFrame: lines.slice(from - 1).map((text, i) => ({ line: from + i, text: text.trimEnd().slice(0, MOST_TEXT) })),
  }
}

/** Lines that are shown in front of and behind the culprit's, and characters of each. */
const FRAME = 2
const MOST_TEXT = 200

const ANY = /./

interface Placed {
  readonly name: string
  readonly location: SourceLocation
}

/** Properties by which a listener, a timer or an observer has its function. */
const CALLS = [
  'callback',
  'listener',
  TIMER_CALLBACK,
  'fn',
  'handler',
  'handle',
  'cb',
  'next',
  '_next',
  'notify',
  'task',
]

/** The function that most of what piles up is, or calls; undefined where that is none, or one of the program. */
function adderOf(candidate: Candidate): Placed | undefined {
  const { graph } = candidate.of
  const functions = piledUp(candidate, 200).map((node) => calledBy(graph, node))
  if (functions.every((each) => each === undefined)) return undefined
  const placed = functions.map((each): Placed | undefined => {
    const location = each === undefined ? undefined : graph.sourceLocation(each)
    return location && { name: nodeName(graph, each!), location }
  })
  const most = mostCommon(
    placed,
    (each) => each && `${each.location.url}:${each.location.line}:${each.location.column}`,
  )
  if (most && !most.location.url.startsWith('node:')) return isOwn(most.location.url) ? undefined : most
  // A function of Node, such as that of a socket's timeout: the nearest other function says for whom it is.
  const { functions: near } = lookAround(graph, [candidate.suspect.sample], (node) => isNew(candidate, node))
  const nearest = near.find(({ location, kind }) => kind !== 'class' && !location.url.startsWith('node:'))
  return nearest && !isOwn(nearest.location.url) ? nearest : undefined
}

function calledBy(graph: HeapGraph, node: number): number | undefined {
  if (isFunction(graph, node)) return unwrapped(graph, node)
  if (isReaction(graph, node)) return handlerOf(graph, node)
  if (!isObject(graph, node)) return undefined
  const called = property(graph, node, ...CALLS)
  return called !== undefined && isFunction(graph, called) ? unwrapped(graph, called) : undefined
}

/**
 * The object or module of a package inside of which things pile up. Of several inside of each other, it is the outermost
 * of the same package, which is the one that the program knows.
 */
function holderOf({ of: { graph }, path, suspect }: Candidate): Placed | undefined {
  const at = path.findLastIndex(({ ordinal }) => ordinal === suspect.container)
  let found: { held: Placed; isObject: boolean } | undefined
  for (const { ordinal, thing } of path.slice(0, at < 0 ? path.length - 1 : at + 1).toReversed()) {
    const scope = graph.moduleScopes.get(ordinal)
    const location = scope === undefined ? graph.sourceLocation(ordinal) : { url: scope, line: 1, column: 1 }
    // What piles up does not hold itself.
    if (!location || thing.name === suspect.className) continue
    const from = packageOf(location.url)
    if (from === null || (found && packageOf(found.held.location.url) !== from)) break
    const held = { name: scope === undefined && !isFunction(graph, ordinal) ? thing.name : '', location }
    if (!found || held.name !== '' || !found.isObject) found = { held, isObject: held.name !== '' }
  }
  return found?.held
}

/** The event that listeners are for. */
function eventOf({ path }: Candidate): string | undefined {
  const at = path.findLastIndex((step) => isAnyListenerTable(labelOfStep(step)))
  return at < 0 ? undefined : labelOfStep(path[at + 1])
}

/** Names that the package may have for what it adds to: the names and classes at the end of the path. */
const receiversOf = ({ path }: Candidate): string[] =>
  path.slice(-6).flatMap((step) => [labelOfStep(step) ?? '', step.thing.name].filter((each) => /^[\w$]+$/.test(each)))

/** What the program calls the object that it handed to the package: `shutdown.signal`. */
function givenOf({ of: { graph }, path }: Candidate): string | undefined {
  const from = path.findLastIndex(({ ordinal }) => isOwn(graph.moduleScopes.get(ordinal) ?? 'node:'))
  if (from < 0) return undefined
  const names: string[] = []
  for (const step of path.slice(from + 1)) {
    // The program has no name for what a function of Node or of a package closes over.
    if (step.reference.kind === 'closure') return undefined
    const label = labelOfStep(step)?.replace(/^#/, '')
    if (label === undefined || /^(_|k[A-Z]|Symbol\()/.test(label)) break
    names.push(label)
    const url = graph.sourceLocation(step.ordinal)?.url
    if (url !== undefined && packageOf(url) !== null) break
  }
  return names.length === 0 ? undefined : names.join('.')
}

/** How likely the program's calls of a package lead to one that it depends on; a call of that one itself has 1. */
const NEEDS_IT = 0.6

/** Packages that the program imports and that need this one, where it imports this one nowhere itself. */
function dependents(
  { of: { graph } }: Candidate,
  installed: InstalledPackage,
  { readSource }: Captures,
): [string, number][] {
  const imported = new Map<string, string>()
  const sources = sourcesOf(readSource)
  for (const { url, origins } of sources.modules(graph.moduleScopes.values())) {
    for (const from of origins.values()) {
      for (const name of from) if (!name.startsWith('node:') && !imported.has(name)) imported.set(name, url)
    }
  }
  if (imported.has(installed.specifier)) return []
  return [...imported].flatMap(([name, url]): [string, number][] => {
    const other = resolvePackage(readSource, url, name)
    return other && needs(readSource, other, installed.specifier) ? [[name, NEEDS_IT]] : []
  })
}
