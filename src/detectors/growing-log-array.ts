// `growing-log-array`: an array of records or lines to which things are only ever added, at the end.

import { z } from 'zod'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { isFunction, isObject, nodeName } from '../graph/look.ts'
import { nameOfStep } from '../graph/retaining-path.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'
import { formatCount } from '../support/format.ts'
import type { EvidenceBy, HeapDetector, IsolateHeap } from './detector.ts'
import * as field from './evidence-fields.ts'
import { isNew, membersOf, plainName } from './surroundings.ts'

const evidence = () => [
  z.object({
    array: field.name('what the program calls the array'),
    elements: field.count('elements that it has'),
    elementsAdded: field.count('elements that came and are still there'),
    perSecond: field.perSecond('elements that come'),
    of: z.enum(['records', 'texts']).describe('what the elements are'),
    fields: z.array(z.string()).describe('fields of a record; empty for texts'),
    bytesEach: field.bytes('what an element keeps alive'),
    counts: field.counts(),
    countsOf: field.countsOf(),
    stayedPerStep: field.stayedPerStep(),
  }),
]

export const growingLogArray: HeapDetector<EvidenceBy<typeof evidence>> = {
  name: 'growing-log-array',
  patterns: ['growing-log-array'],
  needs: 'heap',
  isGeneral: true,
  inPackages: { isTakenOut: true },
  before: [
    // A log is a collection, too; this one says that it is never read back.
    'growing-collection',
    // A record may have a buffer; the log is what has no end.
    'off-heap-growth',
  ],
  evidence,
  diagnose({ of, suspect, path, name, likelihood }) {
    const { graph } = of
    if (suspect.kind === 'grown' || suspect.holders.length > 4) return undefined
    if (nodeName(graph, suspect.container) !== 'Array' || isNew(of, suspect.container)) return undefined
    if (suspect.trend === 'turning' || likelihood.takenOut) return undefined
    const elements = elementsOf(graph, suspect.container)
    const fresh = elements.filter((element) => isNew(of, element))
    if (fresh.length < 0.9 * suspect.count || !comesAtTheEnd(of, elements)) return undefined
    const kinds = fresh.filter((_, i) => i % Math.ceil(fresh.length / SAMPLES) === 0)
    const shape = shapeOf(graph, kinds)
    const last = nameOfStep(path.findLast((step) => nameOfStep(step) !== undefined)) ?? ''
    if (!shape) return undefined
    const telling = shape.fields.filter((field) => OF_LOGS.test(plainName(field)))
    if (shape.what === 'records' && telling.length === 0 && !NAME_OF_LOGS.test(last)) return undefined
    return {
      title: `${name} is only ever pushed to: ${formatCount(suspect.count)} ${shape.what} more, ${suspect.perSecond.toFixed(1)} each second, ${formatCount(elements.length)} in all`,
      likelihood,
      evidence: {
        array: name,
        elements: elements.length,
        elementsAdded: suspect.count,
        perSecond: Math.round(suspect.perSecond * 10) / 10,
        of: shape.what,
        fields: shape.fields.slice(0, 12),
        bytesEach: Math.round(suspect.bytes / Math.max(1, suspect.count)),
        counts: [...suspect.counts],
        countsOf: suspect.counted,
        stayedPerStep: [...suspect.survivors],
      },
      advice: `Keep only the last so many in ${name} (a ring: write over the oldest), or hand them to a log or a database and empty it; what only counts needs numbers, not ${shape.what}.`,
    }
  },
}

/** Fields of records that say what has happened. */
const OF_LOGS =
  /^(at|ts|time|timestamp|date|when|day|created(_?at)?|started(_?at)?|finished(_?at)?|logged(_?at)?|ms|duration|took|elapsed|latency|level|severity|msg|message|text|line|event|action|status|status_?code|route|url|path|method|error|code|user|who|ip|from|value)$/i
const NAME_OF_LOGS =
  /(log|logs|logging|journal|history|audit|trail|events|records|entries|lines|messages|samples|metrics|measurements|timings|latencies|errors|traces|spans|requests|seen|received|sent|recv|stats|readings)$/i

/** This part of the array's new elements must stand at its end, in the order in which they came. */
const IN_ORDER = 0.98
/** Elements that are looked at for what they are. */
const SAMPLES = 200

/** An array's elements in their order, without numbers, `true` and the like. */
function elementsOf({ snapshot, ownership }: HeapGraph, array: number): number[] {
  const { firstEdge, edges, edgeNameOrIndex, nodeType } = snapshot
  const placed: { at: number; target: number }[] = []
  const stores = [array]
  for (let node = stores.pop(); node !== undefined; node = stores.pop()) {
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      const target = edgeTarget(edges[edge]!)
      if (ownership.owner[target] === array && target !== array) stores.push(target)
      else if (edgeType(edges[edge]!) === EdgeType.element && nodeType[target] !== NodeType.hidden) {
        placed.push({ at: edgeNameOrIndex[edge]!, target })
      }
    }
  }
  return placed.sort((a, b) => a.at - b.at).map(({ target }) => target)
}

/** Whether newer elements stand behind older ones. */
function comesAtTheEnd({ heap }: IsolateHeap, elements: readonly number[]): boolean {
  if (!heap.lineage) return true
  const { born } = heap.lineage
  let newest = 0
  let late = 0
  for (const element of elements) {
    if (born[element]! < newest) late++
    else newest = born[element]!
  }
  return late <= (1 - IN_ORDER) * elements.length
}

interface Shape {
  readonly what: 'texts' | 'records'
  readonly fields: readonly string[]
}

const TEXTS = new Set<number>([NodeType.string, NodeType.consString, NodeType.slicedString])
/** Classes of plain data: records of what is over hold nothing else. */
const PLAIN = /^(Object|Array|Date|Map|Set|URL|Error|\w*Error|Buffer)$/

/** What all elements are: texts, or records with the same fields that hold plain data only; undefined for anything else. */
function shapeOf(graph: HeapGraph, elements: readonly number[]): Shape | undefined {
  const { nodeType } = graph.snapshot
  const first = elements[0]
  if (first === undefined) return undefined
  if (elements.every((element) => TEXTS.has(nodeType[element]!))) return { what: 'texts', fields: [] }
  if (!elements.every((element) => isObject(graph, element))) return undefined
  const fields = fieldsOf(graph, first)
  if (fields.length === 0) return undefined
  const name = nodeName(graph, first)
  let alike = 0
  for (const element of elements) {
    if (nodeName(graph, element) !== name) continue
    const own = new Set(fieldsOf(graph, element))
    if (fields.filter((field) => own.has(field)).length >= 0.6 * fields.length) alike++
    for (const { target } of membersOf(graph, element, 60)) {
      if (isFunction(graph, target)) return undefined
      if (isObject(graph, target) && !PLAIN.test(nodeName(graph, target))) return undefined
    }
  }
  return alike >= 0.9 * elements.length ? { what: 'records', fields } : undefined
}

const fieldsOf = (graph: HeapGraph, node: number): string[] => [...membersOf(graph, node, 60)].map(({ name }) => name)
