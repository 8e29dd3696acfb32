// What grew between two or more snapshots: by class, and by the place in the program that holds it.

import { LeakscopeError } from '../errors.ts'
import { describePath, type PathStep } from '../graph/describe.ts'
import { HeapGraph } from '../graph/heap-graph.ts'
import { locationAt, type SourceLocation } from '../graph/locations.ts'
import { SHARED } from '../graph/ownership.ts'
import { ROOT } from '../graph/roots.ts'
import { NodeType } from '../snapshot/meta.ts'
import { type ReadOptions, readSnapshot } from '../snapshot/read.ts'
import { type ClassRow, classRows } from './classes.ts'
import { type Culprit, findCulprit, type ReadSource } from './culprit.ts'
import { collectIds, idsAgree, type ObjectIds } from './identity.ts'
import { type PlacedNodes, Places } from './places.ts'

/** How objects of one snapshot were found in another. */
export type Matching =
  /** By V8's object ids: which objects are new is known one by one. */
  | 'id'
  /** By class and place, because the ids do not mean the same objects: how many are new is known, not which. */
  | 'place'

export interface SnapshotTotals {
  readonly file: string
  readonly fileBytes: number
  readonly nodeCount: number
  readonly edgeCount: number
  readonly totalShallowBytes: number
}

export interface ClassGrowth {
  readonly name: string
  /** Where the constructor stands, if V8 says. */
  readonly location: SourceLocation | undefined
  readonly countBefore: number
  readonly countAfter: number
  readonly shallowBytesBefore: number
  readonly shallowBytesAfter: number
  readonly retainedBytesBefore: number
  readonly retainedBytesAfter: number
}

/** New objects (or old ones that became larger) that the same part of the program holds in the same way. */
export interface GrowthCluster {
  /** `added`: objects that were not there before; `grown`: objects that were, and take more bytes themselves now. */
  readonly kind: 'added' | 'grown'
  readonly className: string
  readonly count: number
  /** Bytes of the new objects with everything new that only they hold; for `grown`, the bytes that were added. */
  readonly bytes: number
  /** Objects that came in each step between two snapshots and are still there; empty when matched by place. */
  readonly countPerStep: readonly number[]
  /** From where the program keeps it to one of the objects. */
  readonly path: readonly PathStep[]
  readonly culprit: Culprit | undefined
}

export interface Growth {
  readonly snapshots: readonly SnapshotTotals[]
  readonly matching: Matching
  /** Classes with any difference; with three or more snapshots, only those that grew in each step. */
  readonly classes: readonly ClassGrowth[]
  /** Biggest first, what V8 made for itself last; with three or more snapshots, only those that grew in each step. */
  readonly clusters: readonly GrowthCluster[]
}

export interface GrowthOptions extends ReadOptions {
  /** Clusters that are told with path and culprit; the biggest. Default 20. */
  readonly maxClusters?: number
  /** Compare snapshots of different processes by class and place instead of refusing to. */
  readonly acrossProcesses?: boolean
  /** Reads a source file by URL, for finding lines; without it, only what V8 says is known. */
  readonly readSource?: ReadSource
}

const V8_TYPES = new Set<number>([NodeType.code, NodeType.hidden, NodeType.objectShape])

/** What is kept of every snapshot but the last; the heap itself is let go. */
interface Remembered {
  readonly totals: SnapshotTotals
  readonly classes: Map<string, ClassRow>
  readonly ids: ObjectIds
  /** By node ordinal: bytes of the node and its stores. */
  readonly shallowSize: Uint32Array | Float64Array
  readonly places: PlaceTotals
}

/** By place, as far as places went then: what stood there. */
interface PlaceTotals {
  readonly count: Float64Array
  /** Bytes of the nodes with all that they hold. */
  readonly bytes: Float64Array
  /** Bytes of the nodes themselves. */
  readonly shallow: Float64Array
  /** Ordinal of one of them. */
  readonly node: Uint32Array
}

/**
 * Compares snapshots in the order given, which is taken to be the order of time.
 *
 * Only one heap is in memory at a time; of the others some 20 bytes a node are kept.
 * @param files two or more
 * @throws LeakscopeError as `readSnapshot` does, or `snapshot-mismatch` for snapshots of different processes
 */
export async function compareSnapshots(files: readonly string[], options: GrowthOptions = {}): Promise<Growth> {
  const { onProgress, signal, acrossProcesses = false } = options
  if (files.length < 2) throw new LeakscopeError('usage-invalid', 'a comparison needs two snapshots or more')
  const places = new Places()
  const remembered: Remembered[] = []
  for (const [i, file] of files.entries()) {
    const snapshot = await readSnapshot(file, {
      onProgress: (fraction) => onProgress?.((i + fraction * 0.6) / files.length),
      ...(signal && { signal }),
    })
    onProgress?.((i + 0.6) / files.length)
    const graph = new HeapGraph(snapshot)
    const totals: SnapshotTotals = {
      file,
      fileBytes: snapshot.fileBytes,
      nodeCount: snapshot.nodeCount,
      edgeCount: snapshot.edgeCount,
      totalShallowBytes: graph.retainedSize(ROOT) + snapshot.extraNativeBytes,
    }
    const placed = places.locate(graph)
    const classes = new Map(classRows(graph, placed.classes).map((row) => [row.key, row]))
    if (i < files.length - 1) {
      remembered.push({
        totals,
        classes,
        ids: collectIds(snapshot),
        shallowSize: graph.ownership.shallowSize,
        places: totalPlaces(graph, placed, places),
      })
      // A breath for Ctrl-C and for the progress bar.
      await new Promise(setImmediate)
      signal?.throwIfAborted()
      continue
    }
    return finish(graph, totals, placed, places, classes, remembered, acrossProcesses, options)
  }
  throw new Error('unreachable: the last snapshot ends the comparison')
}

function finish(
  graph: HeapGraph,
  totals: SnapshotTotals,
  placed: PlacedNodes,
  places: Places,
  classes: Map<string, ClassRow>,
  remembered: readonly Remembered[],
  acrossProcesses: boolean,
  options: GrowthOptions,
): Growth {
  const { snapshot } = graph
  const own = collectIds(snapshot)
  const matching = remembered.every(({ ids }) => idsAgree(ids, snapshot, own.table)) ? 'id' : 'place'
  for (const { ids, totals: other } of remembered) {
    if (matching === 'id' || acrossProcesses || ids.pid === undefined || own.pid === undefined) continue
    if (ids.pid === own.pid) continue
    throw new LeakscopeError(
      'snapshot-mismatch',
      `${other.file} is of process ${ids.pid} and ${totals.file} of process ${own.pid}: what grew in one cannot be read from the other`,
      { hint: 'Take both snapshots of one process, or compare by class and place with --across-processes.' },
    )
  }
  const growths =
    matching === 'id'
      ? growthById(graph, placed, places, remembered)
      : growthByPlace(totalPlaces(graph, placed, places), places, remembered)
  // Code and shapes that V8 makes while a program warms up come last: they follow from what runs, and hold nothing.
  const { nodeType } = snapshot
  const isOfV8 = ({ node }: PlaceGrowth): number => Number(V8_TYPES.has(nodeType[node]!))
  const steady = growths
    .filter(({ perStep }) => perStep.length < 2 || perStep.every((count) => count > 0))
    .sort((a, b) => isOfV8(a) - isOfV8(b) || b.bytes - a.bytes || b.count - a.count)
  return {
    snapshots: [...remembered.map((each) => each.totals), totals],
    matching,
    classes: compareClasses(graph, [...remembered.map((each) => each.classes), classes]),
    clusters: steady.slice(0, options.maxClusters ?? 20).map((growth): GrowthCluster => {
      const path = describePath(graph, growth.node)
      return {
        kind: growth.kind,
        className: placed.classes.names[placed.classes.of[growth.node]!]!,
        count: growth.count,
        bytes: growth.bytes,
        countPerStep: matching === 'id' ? growth.perStep : [],
        path,
        culprit: findCulprit(graph, growth.node, path, options.readSource),
      }
    }),
  }
}

/** Growth at one place. */
interface PlaceGrowth {
  readonly kind: 'added' | 'grown'
  count: number
  bytes: number
  /** Stands for all of them: the ordinal of the one with the most bytes, and those. */
  node: number
  nodeBytes: number
  /** By step from one snapshot to the next: how many came and stayed; for `grown`, empty. */
  readonly perStep: number[]
}

/**
 * An object is **new** if the first snapshot does not have its id. Only those are counted that an old object holds:
 * what a new object brings along belongs to it, and its bytes to that object's.
 */
function growthById(
  graph: HeapGraph,
  placed: PlacedNodes,
  places: Places,
  remembered: readonly Remembered[],
): PlaceGrowth[] {
  const { nodeCount, nodeId, nodeType } = graph.snapshot
  const { immediate, order } = graph.dominators
  const { owner, shallowSize } = graph.ownership
  const tables = remembered.map(({ ids }) => ids.table)
  /** By node ordinal: number of the first snapshot that it is in. */
  const born = new Uint32Array(nodeCount)
  for (let node = 0; node < nodeCount; node++) {
    let first = 0
    while (first < tables.length && tables[first]!.position(nodeId[node]!) < 0) first++
    born[node] = first
  }
  /** By node ordinal: bytes of the new nodes among those that it dominates, itself included. */
  const newBytes = new Float64Array(nodeCount)
  for (let i = order.length - 1; i > 0; i--) {
    const node = order[i]!
    if (born[node]! > 0) newBytes[node]! += shallowSize[node]!
    newBytes[immediate[node]!]! += newBytes[node]!
  }

  const added = new Map<number, PlaceGrowth>()
  const grown = new Map<number, PlaceGrowth>()
  const first = remembered[0]!
  /** By place times steps plus step: new objects that a new object of another place holds. */
  const entered = new Uint32Array(places.size * tables.length)
  for (let node = 1; node < nodeCount; node++) {
    const own = owner[node]!
    if ((own !== node && own < SHARED) || nodeType[node] === NodeType.synthetic) continue
    const place = placed.of[node]!
    if (born[node] === 0) {
      const bytes = shallowSize[node]! - first.shallowSize[first.ids.table.position(nodeId[node]!)]!
      if (bytes > 0) count(grown, place, 'grown', node, bytes)
    } else {
      const holder = placed.holder[node]!
      const outermost = born[holder] === 0
      if (!outermost) {
        // The parts of a concatenated string are no list, however deep they hang.
        if (nodeType[node] === NodeType.consString) continue
        if (placed.of[holder] !== place) {
          entered[place * tables.length + born[node]! - 1]!++
          continue
        }
      }
      // Of a list, those further back count too, though the first one retains them.
      const growth = count(added, place, 'added', node, outermost ? newBytes[node]! : 0)
      while (growth.perStep.length < tables.length) growth.perStep.push(0)
      growth.perStep[born[node]! - 1]!++
    }
  }
  // A list whose first node is new: the others stand in a place of their own, but came with that one.
  for (const [place, growth] of added) {
    if (growth.nodeBytes > 0) continue
    added.delete(place)
    const first = added.get(places.parent(place))
    if (!first) continue
    growth.perStep.forEach((number, step) => {
      const all = number + entered[place * tables.length + step]!
      first.perStep[step]! += all
      first.count += all
    })
  }
  return tellByContents(added, grown, places)
}

/**
 * Without ids, a place is said to have grown by what it has more than its share: if a holder is there twice as often as
 * before, twice as many of what it holds are no news.
 */
function growthByPlace(after: PlaceTotals, places: Places, remembered: readonly Remembered[]): PlaceGrowth[] {
  const before = remembered[0]!.places
  const series = [...remembered.map((each) => each.places.count), after.count]
  const added = new Map<number, PlaceGrowth>()
  const grown = new Map<number, PlaceGrowth>()
  for (let place = 1; place < places.size; place++) {
    const now = after.count[place]!
    if (now === 0) continue
    const was = before.count[place] ?? 0
    const parent = places.parent(place)
    const parentWas = parent === 0 ? 1 : (before.count[parent] ?? 0)
    const parentNow = parent === 0 ? 1 : after.count[parent]!
    const expected = parentWas > 0 ? (was * parentNow) / parentWas : now
    const excess = now - expected
    const node = after.node[place]!
    if (now > was && excess >= 1) {
      added.set(place, {
        kind: 'added',
        count: Math.round(excess),
        bytes: Math.round((after.bytes[place]! / now) * excess),
        node,
        nodeBytes: 0,
        perStep: series.slice(1).map((counts, step) => (counts[place] ?? 0) - (series[step]![place] ?? 0)),
      })
    } else if (was > 0) {
      const bytes = Math.round(after.shallow[place]! - (before.shallow[place]! * now) / was)
      if (bytes > 0) grown.set(place, { kind: 'grown', count: now, bytes, node, nodeBytes: 0, perStep: [] })
    }
  }
  return tellByContents(added, grown, places)
}

function count(
  growths: Map<number, PlaceGrowth>,
  place: number,
  kind: PlaceGrowth['kind'],
  node: number,
  bytes: number,
): PlaceGrowth {
  let growth = growths.get(place)
  if (!growth) {
    growth = { kind, count: 0, bytes: 0, node, nodeBytes: -1, perStep: [] }
    growths.set(place, growth)
  }
  growth.count++
  growth.bytes += bytes
  if (bytes > growth.nodeBytes) {
    growth.node = node
    growth.nodeBytes = bytes
  }
  return growth
}

/** An array that became larger because something was put into it is told by what was put into it. */
function tellByContents(
  added: Map<number, PlaceGrowth>,
  grown: Map<number, PlaceGrowth>,
  places: Places,
): PlaceGrowth[] {
  const contents = new Map<number, PlaceGrowth>()
  for (const [place, growth] of added) {
    const parent = places.parent(place)
    if ((contents.get(parent)?.bytes ?? -1) < growth.bytes) contents.set(parent, growth)
  }
  for (const [place, { bytes }] of grown) {
    const growth = contents.get(place)
    if (!growth) continue
    growth.bytes += bytes
    grown.delete(place)
  }
  return [...added.values(), ...grown.values()]
}

function totalPlaces(graph: HeapGraph, placed: PlacedNodes, places: Places): PlaceTotals {
  const { nodeCount, nodeType } = graph.snapshot
  const { owner, shallowSize } = graph.ownership
  const totals = {
    count: new Float64Array(places.size),
    bytes: new Float64Array(places.size),
    shallow: new Float64Array(places.size),
    node: new Uint32Array(places.size),
  }
  for (let node = 1; node < nodeCount; node++) {
    const own = owner[node]!
    if ((own !== node && own < SHARED) || nodeType[node] === NodeType.synthetic) continue
    const place = placed.of[node]!
    totals.count[place]!++
    totals.shallow[place]! += shallowSize[node]!
    totals.node[place] = node
    // Of a list, each node retains those behind it; its bytes are those of the first.
    if (placed.of[placed.holder[node]!] !== place) totals.bytes[place]! += graph.retainedSize(node)
  }
  return totals
}

function compareClasses(graph: HeapGraph, series: readonly Map<string, ClassRow>[]): ClassGrowth[] {
  const first = series[0]!
  const last = series.at(-1)!
  const rows: ClassGrowth[] = []
  for (const key of new Set([...first.keys(), ...last.keys()])) {
    const before = first.get(key)
    const after = last.get(key)
    const steps = series.slice(1).map((classes, i) => [series[i]!.get(key), classes.get(key)] as const)
    const changed = ([a, b]: readonly [ClassRow | undefined, ClassRow | undefined]) =>
      (b?.count ?? 0) - (a?.count ?? 0) || (b?.retainedBytes ?? 0) - (a?.retainedBytes ?? 0)
    const keep = steps.length === 1 ? changed(steps[0]!) !== 0 : steps.every((step) => changed(step) > 0)
    if (!keep) continue
    rows.push({
      name: (after ?? before)!.name,
      location: after && after.location >= 0 ? locationAt(graph.snapshot, graph.scriptUrls, after.location) : undefined,
      countBefore: before?.count ?? 0,
      countAfter: after?.count ?? 0,
      shallowBytesBefore: before?.shallowBytes ?? 0,
      shallowBytesAfter: after?.shallowBytes ?? 0,
      retainedBytesBefore: before?.retainedBytes ?? 0,
      retainedBytesAfter: after?.retainedBytes ?? 0,
    })
  }
  return rows
}
