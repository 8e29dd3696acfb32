// What Node and V8 keep in places of their own, such as `storageList` or the symbol registry: the finding says why it stays
// there, and which public call ends that.

import { z } from 'zod'
import { ground } from '../findings/weights.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { nodeName, property, referencesOf } from '../graph/look.ts'
import { pathTo } from '../graph/paths.ts'
import { labelOfStep } from '../graph/retaining-path.ts'
import type { NodeInternal } from '../node-internals/holders.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { originOf } from '../source/origins.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import type { Candidate, Captures, Diagnosis, EvidenceBy, HeapDetector } from './detector.ts'
import * as field from './evidence-fields.ts'
import {
  type FoundHolder,
  findHolder,
  findMarks,
  findUnknownHolder,
  type Held,
  type UnknownHolder,
} from './find-holder.ts'
import { shortPlace } from './functions.ts'
import { but } from './likelihood.ts'
import { elementsOf } from './piled-up.ts'
import { whereCalled } from './public-calls.ts'
import { countClasses, hasGained, withArticle } from './surroundings.ts'

const common = () => ({
  things: field.name('class of what is kept'),
  gained: field.count('how many came and are still there'),
  perSecond: field.perSecond('how many come'),
  bytesEach: field.bytes('what each keeps alive'),
  counts: field.counts(),
  countsOf: field.countsOf(),
  stayedPerStep: field.stayedPerStep(),
})

const evidence = () => [
  z.object({
    node: z
      .strictObject({
        id: field.name('the kind of place: `async-local-storages`, `object-urls`, …'),
        holder: field.nameOrNull('variable or field of Node that holds the things'),
        calls: z.array(z.string()).describe('public calls that put things there'),
        majors: z
          .array(z.number().int())
          .describe('major versions of Node in which it is so; empty where it is all of them'),
      })
      .describe('the place of Node or V8 that holds the things'),
    ...common(),
  }),
]
type Evidence = EvidenceBy<typeof evidence>

/** Those rows of the table that are of some patterns. */
function internalsOf(
  name: string,
  patterns: HeapDetector['patterns'],
  before: readonly string[],
): HeapDetector<Evidence> {
  return {
    ...{ name, patterns, needs: 'heap', before, evidence },
    diagnose(candidate, captures) {
      const found = keeperOf(candidate, captures)
      return found && patterns.includes(found.row.pattern) ? diagnoseRow(candidate, found, captures) : undefined
    },
  }
}

export const nodeHandles = internalsOf(
  'node-handles',
  ['handle-leak'],
  // It knows what the handle is for, such as an inspector session, and which call ends that.
  ['handle-leak'],
)

export const nodeListeners = internalsOf(
  'node-listeners',
  ['listener-leak'],
  [
    // A signal that is listened to explains the signals that are combined of it.
    'node-internals',
    // It knows that the list is of Node, and which call takes a listener off.
    'listener-leak',
  ],
)

export const nodeInternals = internalsOf(
  'node-internals',
  [
    ...(['growing-collection', 'off-heap-growth', 'promise-pileup', 'duplicate-modules'] as const),
    ...(['task-queue-pileup', 'outbound-buffer-pileup'] as const),
  ],
  [
    // Others would see functions, promises or buffers in some list; here it is known which list of Node that is.
    'listener-leak',
    'promise-pileup',
    'task-queue-pileup',
    'unknown-node-internals',
    'off-heap-growth',
  ],
)

const unknownEvidence = () => [
  z.object({
    node: z
      .strictObject({
        id: z.null(),
        holder: field.name('variable or field of Node that holds the things'),
        module: field.name("URL of Node's module: `node:internal/…`"),
      })
      .describe('the place of Node that holds the things'),
    ...common(),
  }),
]
type UnknownEvidence = EvidenceBy<typeof unknownEvidence>

/** What piles up in a variable of Node that is in no table: no program can reach it. */
export const unknownInternals: HeapDetector<UnknownEvidence> = {
  name: 'unknown-node-internals',
  patterns: ['growing-collection'],
  needs: 'heap',
  before: [
    // Whatever it is that is kept, the program cannot take it out of a place of Node, or copy it there.
    'buffer-slab-retention',
    'closure-retention',
    'string-retention',
    'off-heap-growth',
  ],
  evidence: unknownEvidence,
  diagnose(candidate) {
    const found = candidate.suspect.kind === 'added' ? findUnknownHolder(heldOf(candidate)) : undefined
    return found && diagnoseUnknown(candidate, found)
  },
}

interface Keeper extends FoundHolder {
  /** Recognised by the properties that it gives to other objects. */
  readonly byMarks: boolean
}

const keepers = new WeakMap<Candidate, Keeper | null>()

/** The row of the table that a candidate is of; remembered, as several detectors ask. */
function keeperOf(candidate: Candidate, captures: Captures): Keeper | undefined {
  const known = keepers.get(candidate)
  if (known !== undefined) return known ?? undefined
  const held = heldOf(candidate)
  const marks = findMarks(held)
  const found = marks
    ? { row: marks, name: undefined }
    : findHolder(held, (row) => whereCalled(candidate, row.calls, captures) !== undefined)
  const keeper = found ? { ...found, byMarks: marks !== undefined } : undefined
  keepers.set(candidate, keeper ?? null)
  return keeper
}

const heldOf = (candidate: Candidate): Held => {
  const { of, suspect, way } = candidate
  return { graph: of.graph, suspect, way, classes: countClasses(candidate) }
}

/** Whether another candidate has as many objects, and a path of native nodes only: Node's native side of the same things. */
const isBeside = ({ of, suspect }: Candidate, other: Candidate): boolean =>
  other.of === of &&
  other.way.every((node) => isNative(of.graph, node)) &&
  Math.abs(other.suspect.count - suspect.count) <= AS_MANY * suspect.count

const AS_MANY = 0.05

const isNative = ({ snapshot: { nodeType } }: HeapGraph, node: number): boolean =>
  nodeType[node] === NodeType.native || nodeType[node] === NodeType.synthetic

function diagnoseRow(candidate: Candidate, keeper: Keeper, captures: Captures): Diagnosis<Evidence> | undefined {
  const { suspect, likelihood } = candidate
  const { row, byMarks, bound } = keeper
  const { bytes, bytesPerSecond, className, counts, counted, survivors, kind } = suspect
  // The store of a collection is a part of what came into it.
  if (kind === 'grown' && !byMarks && hasGained(candidate)) return undefined
  const counting = countClasses(candidate).find(({ name }) => name === row.counted)
  const count = keeper.count ?? counting?.count ?? suspect.count
  const perSecond = (suspect.perSecond * count) / suspect.count
  const holder = keeper.name ?? holderNamed(row)
  const at = whereCalled(candidate, row.calls, captures)
  const where = at ? ` (${at.package === null ? '' : `${at.package}, `}${shortPlace(at)})` : ''
  const bytesEach = Math.round(bytes / Math.max(1, count))
  const by = row.holders.some((each) => 'slot' in each && each.slot === keeper.name) ? 'by V8' : 'by Node'
  const owner = keeper.owner === undefined ? undefined : ownerNamed(candidate, keeper.owner)
  const kept =
    owner !== undefined ? `kept by ${owner}` : holder === undefined ? 'kept by Node' : `kept ${by} in ${holder}`
  const list = byMarks ? holderOf(candidate, row) : undefined
  const way = list === undefined ? pathByTable(candidate, keeper) : pathToLast(candidate, list)
  const many = list === undefined ? undefined : elementsOf(candidate.of.graph, list)
  const isBound = bound !== undefined && bound < MOST_BOUND && counts.at(-1)! <= bound
  return {
    title: byMarks
      ? `${many === undefined ? sentence(row.things) : `${formatCount(many)} ${row.things}`}, ${kept}: ${className} takes ${formatBytes(bytes)} more for their properties, ${formatBytes(bytesPerSecond)} each second`
      : kind === 'grown'
        ? `${formatBytes(bytes)} more of ${row.things}, ${formatBytes(bytesPerSecond)} more each second, ${kept}`
        : `${formatCount(count)} ${row.things}, ${perSecond.toFixed(1)} more each second, ${kept}`,
    culprit: at,
    ...(way && { way }),
    ...(isBound && {
      likelihood: but(likelihood, ground('boundByNode', `but it keeps ${formatCount(bound)} at the most`)),
    }),
    evidence: {
      node: { id: row.id, holder: holder ?? null, calls: [...row.calls], majors: [...(row.majors ?? [])] },
      things: className,
      gained: count,
      perSecond: Math.round(perSecond * 10) / 10,
      bytesEach,
      counts: [...counts],
      countsOf: counted,
      stayedPerStep: [...survivors],
    },
    advice: `${row.cause} ${row.advice.replace('{at}', where)}${byMarks || kind === 'grown' ? '' : ` Each takes ${formatBytes(bytesEach)}.`}`,
    covers: (other) => {
      const id = keeperOf(other, captures)?.row.id
      return id === undefined ? isBeside(candidate, other) : id === row.id || row.also?.includes(id) === true
    },
    cause: row.id,
    pattern: row.pattern,
  }
}

/** What the program calls the object of Node that keeps things: `agent`, or `a Channel`, `Channel "app:request"`. */
function ownerNamed({ of: { graph }, path }: Candidate, owner: number): string {
  const steps = path.slice(0, path.findIndex(({ ordinal }) => ordinal === owner) + 1)
  const name = nodeName(graph, owner)
  const key = steps.findLast(({ reference: { kind, name } }) => kind === 'entry' && name !== undefined)?.reference.name
  if (graph.moduleScopes.get(steps[0]?.ordinal ?? -1)?.startsWith('node:'))
    return key === undefined ? withArticle(name) : `${name} ${JSON.stringify(key)}`
  // From the first symbol on, the names are Node's.
  const symbol = steps.findIndex(({ reference }) => reference.kind === 'symbol')
  const names = steps.slice(0, symbol < 0 ? steps.length : symbol).flatMap((step) => labelOfStep(step) ?? [])
  return names.length === 0 ? withArticle(name) : names.slice(-2).join('.').replaceAll('#', '')
}

/** The path by the table that holds things for good, where the candidate's path shows another holder of the same. */
const pathByTable = ({ of: { graph }, suspect }: Candidate, { table }: Keeper): readonly number[] | undefined =>
  table === undefined ? undefined : [...pathTo(graph.paths, table), suspect.sample]

/** Node keeps hundreds of some things. A bound of more than this is not reached in the life of a program. */
const MOST_BOUND = 10_000

/** The variable or field that a row names first. */
function holderNamed({ holders }: NodeInternal): string | undefined {
  for (const holder of holders) {
    if ('variable' in holder) return holder.variable
    if ('field' in holder) return holder.field
  }
  return undefined
}

/** The value of the variable that a row names. */
function holderOf({ of: { graph } }: Candidate, { holders }: NodeInternal): number | undefined {
  const names = holders.flatMap((holder) => ('variable' in holder ? [holder.variable] : []))
  for (const [scope, url] of graph.moduleScopes) {
    const value = url.startsWith('node:') ? property(graph, scope, ...names) : undefined
    if (value !== undefined) return value
  }
  return undefined
}

/** The path to the last element of a list. */
function pathToLast({ of: { graph } }: Candidate, list: number): readonly number[] {
  const last = [...referencesOf(graph, list, 100_000)].findLast(({ type }) => type === EdgeType.element)
  return [...pathTo(graph.paths, list), ...(last ? [last.target] : [])]
}

function diagnoseUnknown(candidate: Candidate, { url, name, owner }: UnknownHolder): Diagnosis<UnknownEvidence> {
  const { suspect } = candidate
  const { count, perSecond, bytes, className, counts, counted, survivors } = suspect
  const bytesEach = Math.round(bytes / Math.max(1, count))
  const whose = owner === undefined ? `Node's own ${url}` : ownerNamed(candidate, owner)
  const by =
    owner === undefined ? `a call of ${originOf(url)}` : `a call of its class (${nodeName(candidate.of.graph, owner)})`
  return {
    title: `${formatCount(count)} ${className} more in ${name} of ${whose}, ${perSecond.toFixed(1)} more each second`,
    evidence: {
      node: { id: null, holder: name, module: url },
      things: className,
      gained: count,
      perSecond: Math.round(perSecond * 10) / 10,
      bytesEach,
      counts: [...counts],
      countsOf: counted,
      stayedPerStep: [...survivors],
    },
    advice: `No program reaches ${name}: ${by} puts things there. Find the call that is made as often as it gains, and what ends it (close, disable, unsubscribe, abort); if nothing does, a newer Node may. Each takes ${formatBytes(bytesEach)}.`,
  }
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
