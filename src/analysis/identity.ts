// Whether two snapshots are of one process, and whether their object ids mean the same objects.

import { numberOf } from '../graph/look.ts'
import { nodesNamed, nodesWithIds } from '../graph/named.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, type Snapshot } from '../snapshot/snapshot.ts'

/** What is kept of a snapshot to recognize its objects in a later one. */
export interface Identity {
  /** `process.pid` as the heap has it; undefined where numbers were not captured. */
  readonly pid: number | undefined
  /** By sample: an object's id, and a hash of its type and name. */
  readonly sampleIds: Uint32Array
  readonly sampleHashes: Int32Array
}

/** Objects that are compared by type and name; enough to tell 22 % agreement from 99.9 %. */
const SAMPLES = 4096
/**
 * Of the ids that two snapshots share, this part must be of the same type and name. Two snapshots by one inspector
 * session agree on 99.99 % and more; two processes running the same program, or two sessions, on 5 to 25 %.
 */
const AGREEMENT = 0.9

export function identify(snapshot: Snapshot): Identity {
  const { nodeCount, nodeId } = snapshot
  const count = Math.min(SAMPLES, nodeCount)
  const ordinals = Uint32Array.from({ length: count }, (_, i) => Math.floor((i * nodeCount) / count))
  return {
    pid: findPid(snapshot),
    sampleIds: ordinals.map((node) => nodeId[node]!),
    sampleHashes: Int32Array.from(ordinals, (node) => fingerprint(snapshot, node)),
  }
}

/**
 * Whether ids of `before` still mean the same objects in `after`. They do if one inspector session, or none, took both:
 * V8 forgets all ids when a session ends (V8HeapProfilerAgentImpl::disable calls ClearObjectIds).
 */
export function idsAgree(before: Identity, after: Snapshot): boolean {
  const hashOf = new Map<number, number>()
  before.sampleIds.forEach((id, i) => {
    hashOf.set(id, before.sampleHashes[i]!)
  })
  let shared = 0
  let agreeing = 0
  for (const [node, id] of nodesWithIds(after, hashOf)) {
    shared++
    if (fingerprint(after, node) === hashOf.get(id)) agreeing++
  }
  return shared > 0 && agreeing >= shared * AGREEMENT
}

/** Type and name in one number; FNV-1a over the name. */
function fingerprint({ nodeType, nodeName, strings }: Snapshot, node: number): number {
  let hash = 0x811c9dc5 ^ nodeType[node]!
  const name = strings.get(nodeName[node]!)
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return hash
}

/** The value of the property `pid` of the object that V8 calls `process`. */
function findPid(snapshot: Snapshot): number | undefined {
  const { nodeType, firstEdge, edges, edgeNameOrIndex, strings } = snapshot
  const pid = strings.indexOf('pid')
  if (pid < 0) return undefined
  for (const node of nodesNamed(snapshot, [strings.indexOf('process')])) {
    if (nodeType[node] !== NodeType.object) continue
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      const packed = edges[edge]!
      if (edgeType(packed) !== EdgeType.property || edgeNameOrIndex[edge] !== pid) continue
      const value = numberOf({ snapshot }, edgeTarget(packed))
      if (value !== undefined) return value
    }
  }
  return undefined
}
