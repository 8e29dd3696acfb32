// Knows the objects of one picture of a heap again in a later one, and gives them the ids that they had.
//
// An object of the old generation stays where it is, so long as its page does. What lay on a young page may be anywhere
// now, and something else where it lay: it is known by what it has in itself and refers to, by what cannot be exchanged
// (a closure's context), and by the place in its holder. What cannot be told apart is not matched: taking a new object for
// an old one hides growth, which is worse than the contrary.

import { LeakscopeError } from '../errors.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, type Snapshot } from '../snapshot/snapshot.ts'
import { arenaOf, arenaUint32 } from '../support/arena.ts'
import type { TracePage, Traces } from './traces.ts'

export interface Picture {
  readonly snapshot: Snapshot
  readonly traces: Traces
}

/** How many objects were known again, by how. */
export interface Recognized {
  readonly nodes: number
  readonly byAddress: number
  readonly byContent: number
  readonly byReference: number
}

/** Ids that are still free, for all pictures of one heap: the next one of them. */
export interface FreeIds {
  next: number
}

export const freeIdsBehind = ({ snapshot, traces }: Picture): FreeIds => ({
  next: traces.firstId + 2 * snapshot.nodeCount,
})

/**
 * Changes the ids of `after` to those of `before` where they are of the same object; all others become new ones.
 *
 * Memory: some 20 bytes a node of both. Time: about 1 µs a node.
 */
export function recognize(before: Picture, after: Picture, free: FreeIds): Recognized {
  const matcher = new Matcher(new Side(before), new Side(after))
  const recognized = matcher.match()
  renumber(before.snapshot, after, matcher.after.partner, free)
  return recognized
}

const NOBODY = -1

/** Edges that lead to another object as soon as the holder has grown, or V8 has compiled anew. */
const OWN_STORES = ['elements', 'properties', 'table']
const OF_V8 = ['code', 'feedback_cell', 'map', 'function_data', 'trusted_function_data', 'untrusted_function_data']
/** Edges that lead to the same object as long as their holder lives, by the holder's type. */
const LASTING: readonly (readonly [nodeType: number, edges: readonly string[]])[] = [
  [NodeType.closure, ['context', 'shared']],
  [NodeType.object, ['previous', 'scope_info', 'function', 'receiver', 'buffer', 'backing_store']],
  [NodeType.object, ['javascript_to_native']],
  [NodeType.slicedString, ['parent']],
]
/** What has references that tell it from another of its kind. */
const HAS_REFERENCES: ReadonlySet<number> = new Set([NodeType.object, NodeType.closure, NodeType.array])
/** Whether a node's name says nothing of what it is, or only what it is for. */
const isNameless = (type: number): boolean => type === NodeType.array

/** One of the two pictures, and what is worked out of it. */
class Side {
  readonly snapshot: Snapshot
  readonly traces: Traces
  /** By index of a string: a hash of its bytes. */
  readonly texts: Uint32Array
  /** By node: the one that it is in the other picture, or NOBODY. */
  readonly partner: Int32Array
  readonly ownStores: ReadonlySet<number>
  readonly ofV8: ReadonlySet<number>
  readonly lasting: ReadonlyMap<number, ReadonlySet<number>>
  readonly proto: number

  constructor({ snapshot, traces }: Picture) {
    this.snapshot = snapshot
    this.traces = traces
    this.texts = hashTexts(snapshot)
    const { buffer, byteOffset, length } = arenaUint32(arenaOf(snapshot.edges), snapshot.nodeCount)
    this.partner = new Int32Array(buffer, byteOffset, length).fill(NOBODY)
    const numbers = (names: readonly string[]): number[] => names.map((name) => snapshot.strings.indexOf(name))
    this.ownStores = new Set(numbers(OWN_STORES))
    this.ofV8 = new Set(numbers(OF_V8))
    this.proto = snapshot.strings.indexOf('__proto__')
    const lasting = new Map<number, Set<number>>()
    for (const [type, names] of LASTING) {
      lasting.set(type, new Set([...(lasting.get(type) ?? []), ...numbers(names)]))
    }
    this.lasting = lasting
  }

  contentOf(node: number): number {
    const { first, end, content } = this.traces
    return node >= first && node < end ? content[node - first]! : 0
  }
  /** What a node is, in one number: type and name. */
  kindOf(node: number): number {
    const { nodeType, nodeName } = this.snapshot
    const type = nodeType[node]!
    return mix(type + 1, isNameless(type) ? 0 : this.texts[nodeName[node]!]!)
  }
  edgeKey(edge: number, type: number): number {
    const name = this.snapshot.edgeNameOrIndex[edge]!
    return mix(type + 1, isNumbered(type) ? name : this.texts[name]!)
  }
}

const isNumbered = (type: number): boolean => type === EdgeType.element || type === EdgeType.hidden

const mix = (hash: number, value: number): number => {
  const product = Math.imul(hash ^ value, 0x9e3779b1)
  return (product ^ (product >>> 15)) | 0
}

/** How alike two objects have to be. */
const Alike = {
  /** All that they have in themselves, and all that they refer to. */
  all: 0,
  /** What they refer to, but for stores of their own: numbers and lengths may have changed. */
  references: 1,
} as const
type Alike = (typeof Alike)[keyof typeof Alike]

/** Of the objects of one page, so many must still be there, else it is another page at the same address. */
const SAME_PAGE = { share: 0.1, nodes: 20 }
const MOST_ROUNDS = 6
/** Edges of a node from which on its edges are looked up in a table. */
const MANY_EDGES = 12
/** Of an object with more, the first ones tell. */
const MOST_PARTS = 32

class Matcher {
  readonly before: Side
  readonly after: Side
  /** By node of the earlier picture: whether it may be elsewhere now. */
  readonly #mayMove: Uint8Array
  /** Nodes of the later picture that have just been matched. */
  #fresh: number[] = []
  readonly #counts = { nodes: 0, byAddress: 0, byContent: 0, byReference: 0 }

  constructor(before: Side, after: Side) {
    this.before = before
    this.after = after
    this.#mayMove = new Uint8Array(before.snapshot.nodeCount)
    const { first, end } = before.traces
    this.#mayMove.fill(1, 0, first)
    this.#mayMove.fill(1, end)
  }

  match(): Recognized {
    this.#bySynthetic()
    this.#byAddress()
    this.#withoutNewcomers()
    this.#counts.byAddress = this.#counts.nodes
    for (const alike of [Alike.all, Alike.references]) {
      for (let round = 0; round < MOST_ROUNDS; round++) {
        let found = this.#counts.nodes
        // With what has changed the whole way is gone once more: now other edges may be followed.
        this.#forward(alike, round === 0)
        this.#counts.byReference += this.#counts.nodes - found
        found = this.#counts.nodes
        this.#byContent()
        this.#counts.byContent += this.#counts.nodes - found
        if (this.#fresh.length === 0) break
      }
    }
    return this.#counts
  }

  #bind(a: number, b: number): void {
    this.before.partner[a] = b
    this.after.partner[b] = a
    this.#counts.nodes++
  }
  /** The same, where what the two refer to is to be looked at. */
  #bindAnew(a: number, b: number): void {
    this.#bind(a, b)
    this.#fresh.push(b)
  }
  #unbind(a: number): void {
    this.after.partner[this.before.partner[a]!] = NOBODY
    this.before.partner[a] = NOBODY
    this.#counts.nodes--
  }
  #isOpen(a: number, b: number): boolean {
    return this.before.partner[a]! < 0 && this.after.partner[b]! < 0 && this.#mayMove[a] === 1
  }

  /** Nodes for groups of roots are known by their names. */
  #bySynthetic(): void {
    const named = new Map<number, number>()
    const { before, after } = this
    for (let a = 0; a < before.traces.first; a++) named.set(before.kindOf(a), a)
    // The root has no name.
    this.#bind(0, 0)
    for (let b = 1; b < after.traces.first; b++) {
      const a = named.get(after.kindOf(b))
      if (a !== undefined && a > 0) this.#bind(a, b)
    }
  }

  #byAddress(): void {
    const [from, to] = [this.before.traces.pages, this.after.traces.pages]
    let at = 0
    for (const page of from) {
      while (at < to.length && to[at]!.address < page.address) at++
      const other = to[at]
      const stays = other?.address === page.address && isSamePage(page, other)
      const matched = stays ? this.#onPage(page, other) : 0
      const nodes = page.end - page.first
      if (stays && (nodes < SAME_PAGE.nodes || matched >= SAME_PAGE.share * nodes)) continue
      for (let a = page.first; a < page.end; a++) {
        this.#mayMove[a] = 1
        if (this.before.partner[a]! >= 0) this.#unbind(a)
      }
    }
  }

  #onPage(page: TracePage, other: TracePage): number {
    const { before, after } = this
    const { first, word } = before.traces
    const { first: otherFirst, word: otherWord } = after.traces
    let matched = 0
    let b = other.first
    for (let a = page.first; a < page.end; a++) {
      const place = word[a - first]!
      while (b < other.end && otherWord[b - otherFirst]! < place) b++
      if (b === other.end) break
      if (otherWord[b - otherFirst] !== place || !this.#mayBeSame(a, b)) continue
      this.#bind(a, b)
      matched++
    }
    return matched
  }

  /** Whether what stands at one address in both may be the same object. */
  #mayBeSame(a: number, b: number): boolean {
    const { before, after } = this
    const type = before.snapshot.nodeType[a]!
    if (type !== after.snapshot.nodeType[b]!) {
      // Arrays are told by what they are for, which may not be known before it is looked at.
      return false
    }
    const [size, now] = [before.snapshot.selfSize[a]!, after.snapshot.selfSize[b]!]
    // Arrays are cut off where they stand, and strings made to refer to another of the same text.
    if (isNameless(type)) return now <= size
    if (before.texts[before.snapshot.nodeName[a]!] !== after.texts[after.snapshot.nodeName[b]!]) return false
    return size === now || type === NodeType.string
  }

  /**
   * Where an object has died, V8 puts another of the same size. What refers to nothing that it referred to before, and is
   * referred to from no place where it was, is not the same.
   */
  #withoutNewcomers(): void {
    const { after } = this
    const { nodeType, firstEdge, edges } = after.snapshot
    const doubted: number[] = []
    const isDoubted = new Uint8Array(after.snapshot.nodeCount)
    for (let b = after.traces.first; b < after.traces.end; b++) {
      const a = after.partner[b]!
      if (a < 0 || !HAS_REFERENCES.has(nodeType[b]!)) continue
      let same = 0
      let other = 0
      for (let edge = firstEdge[b]!; edge < firstEdge[b + 1]!; edge++) {
        const packed = edges[edge]!
        const type = edgeType(packed)
        if (type === EdgeType.weak || type === EdgeType.hidden || type === EdgeType.shortcut) continue
        const name = after.snapshot.edgeNameOrIndex[edge]!
        const isLasting = this.#isLasting(b, edge, type)
        if (type === EdgeType.internal && !isLasting && nodeType[b] !== NodeType.array) continue
        if (name === after.proto) continue
        const to = edgeTarget(packed)
        // true, null and such are everywhere, and numbers change.
        if ((nodeType[to] === NodeType.hidden || nodeType[to] === NodeType.number) && !isLasting) continue
        const was = this.#counterpart(a, b, edge)
        if (was >= 0 && this.#maySame(was, to)) same++
        else if (was >= 0 && isLasting) {
          other = 1
          same = 0
          break
        } else other++
      }
      if (other === 0 || same > 0) continue
      isDoubted[b] = 1
      doubted.push(b)
    }
    if (doubted.length === 0) return
    for (let b = 0; b < after.snapshot.nodeCount; b++) {
      const a = after.partner[b]!
      if (a < 0 || isDoubted[b] === 1) continue
      for (let edge = firstEdge[b]!; edge < firstEdge[b + 1]!; edge++) {
        const to = edgeTarget(edges[edge]!)
        if (isDoubted[to] === 0 || edgeType(edges[edge]!) === EdgeType.weak) continue
        if (this.#counterpart(a, b, edge) === after.partner[to]) isDoubted[to] = 0
      }
    }
    for (const b of doubted) if (isDoubted[b] === 1) this.#unbind(after.partner[b]!)
  }

  /** Whether the two are the same, or may turn out to be. */
  #maySame(a: number, b: number): boolean {
    const { before, after } = this
    if (before.partner[a]! >= 0 || after.partner[b]! >= 0) return before.partner[a] === b
    return this.#mayMove[a] === 1 && before.kindOf(a) === after.kindOf(b)
  }

  /** Where the edge that `b` has leads from `a`, or NOBODY. */
  #counterpart(a: number, b: number, edge: number): number {
    const { before, after } = this
    const [first, otherFirst] = [before.snapshot.firstEdge[a]!, after.snapshot.firstEdge[b]!]
    const key = after.edgeKey(edge, edgeType(after.snapshot.edges[edge]!))
    // Most often they have the same ones.
    const likely = first + edge - otherFirst
    const end = before.snapshot.firstEdge[a + 1]!
    if (likely < end) {
      const packed = before.snapshot.edges[likely]!
      if (before.edgeKey(likely, edgeType(packed)) === key) return edgeTarget(packed)
    }
    return end - first <= MANY_EDGES ? this.#targetOf(a, key) : NOBODY
  }

  /** Goes on from what is matched along edges of the same name. */
  #forward(alike: Alike, fromAll: boolean): void {
    const { after } = this
    if (fromAll) {
      this.#fresh = []
      for (let b = 0; b < after.snapshot.nodeCount; b++) if (after.partner[b]! >= 0) this.#follow(b, alike)
    }
    // Grows while it is walked.
    const queue = this.#fresh
    for (let i = 0; i < queue.length; i++) this.#follow(queue[i]!, alike)
    this.#fresh = []
  }

  #follow(b: number, alike: Alike): void {
    const { before, after } = this
    const { firstEdge, edges } = after.snapshot
    const a = after.partner[b]!
    let table: Map<number, number> | undefined
    for (let edge = firstEdge[b]!; edge < firstEdge[b + 1]!; edge++) {
      const packed = edges[edge]!
      const to = edgeTarget(packed)
      if (after.partner[to]! >= 0) continue
      const type = edgeType(packed)
      if (type === EdgeType.weak) continue
      const key = after.edgeKey(edge, type)
      let was = NOBODY
      if (before.snapshot.firstEdge[a + 1]! - before.snapshot.firstEdge[a]! <= MANY_EDGES) was = this.#targetOf(a, key)
      else {
        table ??= this.#openTargets(a)
        if (table.size === 0) break
        was = table.get(key) ?? NOBODY
      }
      if (was < 0 || !this.#isOpen(was, to) || before.kindOf(was) !== after.kindOf(to)) continue
      if (this.#isLasting(b, edge, type) || this.#isAlikeAt(was, to, edge, type, alike)) this.#bindAnew(was, to)
    }
  }

  #isLasting(b: number, edge: number, type: number): boolean {
    const { snapshot, lasting } = this.after
    if (type !== EdgeType.internal) return false
    return lasting.get(snapshot.nodeType[b]!)?.has(snapshot.edgeNameOrIndex[edge]!) ?? false
  }

  /** Whether the two, which stand at the same place of the same holder, are alike enough to be the same. */
  #isAlikeAt(a: number, b: number, edge: number, type: number, alike: Alike): boolean {
    const { before, after } = this
    if (before.snapshot.selfSize[a] !== after.snapshot.selfSize[b]) return false
    if (before.contentOf(a) === after.contentOf(b) && hashOf(before, a, true) === hashOf(after, b, false)) return true
    if (alike === Alike.all || isNumbered(type)) return false
    // A store that has changed is still its owner's.
    if (type === EdgeType.internal && after.ownStores.has(after.snapshot.edgeNameOrIndex[edge]!)) return true
    const what = after.snapshot.nodeType[b]
    return (what === NodeType.object || what === NodeType.closure) && this.#hasSameParts(a, b)
  }

  /** Whether what an object has by name is what it had; numbers may have changed, and more may have come. */
  #hasSameParts(a: number, b: number): boolean {
    const { before, after } = this
    const { firstEdge, edges, edgeNameOrIndex, nodeType } = before.snapshot
    const end = Math.min(firstEdge[a + 1]!, firstEdge[a]! + MOST_PARTS)
    for (let edge = firstEdge[a]!; edge < end; edge++) {
      const packed = edges[edge]!
      const type = edgeType(packed)
      if (type === EdgeType.weak || type === EdgeType.element || type === EdgeType.hidden) continue
      const name = edgeNameOrIndex[edge]!
      if (type === EdgeType.internal && (before.ofV8.has(name) || before.ownStores.has(name))) continue
      const was = edgeTarget(packed)
      const now = this.#targetIn(after, b, before.edgeKey(edge, type), edge - firstEdge[a]!)
      if (now < 0) return false
      if (nodeType[was] === NodeType.number && after.snapshot.nodeType[now] === NodeType.number) continue
      if (before.partner[was] === now) continue
      if (before.partner[was]! >= 0 || after.partner[now]! >= 0 || before.kindOf(was) !== after.kindOf(now))
        return false
    }
    return true
  }

  /** Where the edge of that key leads from a node of the earlier picture. */
  #targetOf(a: number, key: number): number {
    return this.#targetIn(this.before, a, key, 0)
  }
  /** @param likely which of the node's edges it may be */
  #targetIn(side: Side, node: number, key: number, likely: number): number {
    const { firstEdge, edges } = side.snapshot
    const [first, end] = [firstEdge[node]!, firstEdge[node + 1]!]
    const isIt = (edge: number): boolean => side.edgeKey(edge, edgeType(edges[edge]!)) === key
    if (first + likely < end && isIt(first + likely)) return edgeTarget(edges[first + likely]!)
    for (let edge = first; edge < end; edge++) if (isIt(edge)) return edgeTarget(edges[edge]!)
    return NOBODY
  }
  #openTargets(a: number): Map<number, number> {
    const { before } = this
    const { firstEdge, edges } = before.snapshot
    const table = new Map<number, number>()
    for (let edge = firstEdge[a]!; edge < firstEdge[a + 1]!; edge++) {
      const packed = edges[edge]!
      const to = edgeTarget(packed)
      if (before.partner[to]! >= 0 || this.#mayMove[to] === 0) continue
      table.set(before.edgeKey(edge, edgeType(packed)), to)
    }
    return table
  }

  /** Matches what is alike in all, if it is the only one of its kind in both pictures. */
  #byContent(): void {
    const { before, after } = this
    const open: number[] = []
    for (let a = 0; a < before.snapshot.nodeCount; a++) {
      if (before.partner[a]! < 0 && this.#mayMove[a] === 1 && before.contentOf(a) !== 0) open.push(a)
    }
    if (open.length === 0) return
    const unique = new UniqueKeys(open.length)
    for (const a of open) unique.add(hashOf(before, a, true), a)
    const others = new UniqueKeys(open.length)
    for (let b = after.traces.first; b < after.traces.end; b++) {
      if (after.partner[b]! >= 0) continue
      const hash = hashOf(after, b, false)
      if (unique.get(hash) >= 0) others.add(hash, b)
    }
    for (const [hash, b] of others.entries()) {
      const a = unique.get(hash)
      if (a < 0 || b < 0 || !this.#isOpen(a, b) || before.kindOf(a) !== after.kindOf(b)) continue
      if (before.contentOf(a) === after.contentOf(b) && before.snapshot.selfSize[a] === after.snapshot.selfSize[b])
        this.#bindAnew(a, b)
    }
  }
}

/** Whether the same page may stand at the address. A large one keeps its object when that has grown old. */
function isSamePage(page: TracePage, other: TracePage): boolean {
  if (page.isLarge || other.isLarge) return page.isLarge && other.isLarge && page.bytes === other.bytes
  return !page.isYoung && !other.isYoung
}

/** Of an object and what it refers to; equal in both pictures for objects that are alike. */
function hashOf(side: Side, node: number, isBefore: boolean): number {
  const { firstEdge, edges, edgeNameOrIndex, selfSize } = side.snapshot
  const hash = mix(mix(side.kindOf(node), selfSize[node]!), side.contentOf(node))
  let sum = 0
  for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
    const packed = edges[edge]!
    const type = edgeType(packed)
    if (type === EdgeType.weak) continue
    const name = edgeNameOrIndex[edge]!
    if (type === EdgeType.internal && side.ofV8.has(name)) continue
    const to = edgeTarget(packed)
    const partner = side.partner[to]!
    const what = partner >= 0 ? (isBefore ? to : partner) : mix(mix(side.kindOf(to), 0x51ed270b), side.contentOf(to))
    sum = (sum + mix(side.edgeKey(edge, type), what)) | 0
  }
  return mix(hash, sum) >>> 0
}

/** Values by hash: the one that it has, or none if there were several. */
class UniqueKeys {
  readonly #slots: Int32Array
  readonly #keys: Uint32Array
  readonly #values: Int32Array
  #count = 0

  constructor(most: number) {
    let size = 16
    while (size < 2 * most) size *= 2
    this.#slots = new Int32Array(size).fill(NOBODY)
    this.#keys = new Uint32Array(most)
    this.#values = new Int32Array(most)
  }

  #slot(key: number): number {
    const mask = this.#slots.length - 1
    let slot = (key ^ (key >>> 16)) & mask
    while (this.#slots[slot]! >= 0 && this.#keys[this.#slots[slot]!] !== key) slot = (slot + 1) & mask
    return slot
  }
  add(key: number, value: number): void {
    const slot = this.#slot(key)
    const at = this.#slots[slot]!
    if (at >= 0) this.#values[at] = NOBODY
    else {
      this.#keys[this.#count] = key
      this.#values[this.#count] = value
      this.#slots[slot] = this.#count++
    }
  }
  get(key: number): number {
    const at = this.#slots[this.#slot(key)]!
    return at < 0 ? NOBODY : this.#values[at]!
  }
  *entries(): Generator<readonly [key: number, value: number]> {
    for (let i = 0; i < this.#count; i++) yield [this.#keys[i]!, this.#values[i]!]
  }
}

/** Ten digits of an id behind an @, in front of a parenthesis: how ids stand in the names of WeakMaps' entries. */
const DIGITS = 10
const AT = 0x40
const CLOSING = 0x29
const ZERO = 0x30
const NINE = 0x39
const isDigit = (byte: number): boolean => byte >= ZERO && byte <= NINE

/** FNV-1a of each string's bytes; ids, and the number in front of names that have some, do not count. */
function hashTexts({ strings }: Snapshot): Uint32Array {
  const { stringBytes, stringStarts } = strings.raw
  const hashes = new Uint32Array(strings.count)
  for (let i = 0; i < hashes.length; i++) {
    let at = stringStarts[i]!
    const end = at + strings.byteLength(i)
    const hasIds = endsWithId(stringBytes, at, end)
    while (hasIds && isDigit(stringBytes[at]!)) at++
    let hash = 0x811c9dc5
    for (; at < end; at++) {
      hash = Math.imul(hash ^ stringBytes[at]!, 0x01000193)
      if (hasIds && stringBytes[at] === AT) while (isDigit(stringBytes[at + 1]!)) at++
    }
    hashes[i] = (hash ^ (hash >>> 15)) >>> 0
  }
  return hashes
}

const endsWithId = (bytes: Uint8Array, start: number, end: number): boolean =>
  end - start > DIGITS + 2 && bytes[end - 1] === CLOSING && bytes[end - DIGITS - 2] === AT && isDigit(bytes[end - 2]!)

function renumber(before: Snapshot, { snapshot, traces }: Picture, partner: Int32Array, free: FreeIds): void {
  const { nodeId, nodeCount, strings } = snapshot
  for (let b = 0; b < nodeCount; b++) {
    const a = partner[b]!
    if (a >= 0) nodeId[b] = before.nodeId[a]!
    else {
      nodeId[b] = free.next
      free.next += 2
    }
  }
  if (free.next > 0xffffffff) {
    throw new LeakscopeError('heap-unreadable', `${snapshot.file} has had more objects than leakscope can number`)
  }
  const { stringBytes, stringStarts } = strings.raw
  for (let i = 0; i < strings.count; i++) {
    const start = stringStarts[i]!
    const end = start + strings.byteLength(i)
    if (!endsWithId(stringBytes, start, end)) continue
    for (let at = start; at < end - DIGITS; at++) {
      if (stringBytes[at] === AT) replaceId(stringBytes, at + 1, traces.firstId, nodeId)
    }
  }
}

function replaceId(bytes: Uint8Array, from: number, firstId: number, nodeId: Uint32Array): void {
  let id = 0
  for (let at = from; at < from + DIGITS; at++) {
    if (!isDigit(bytes[at]!)) return
    id = 10 * id + bytes[at]! - ZERO
  }
  if (bytes[from + DIGITS] !== CLOSING) return
  const node = (id - firstId) / 2
  if (!Number.isInteger(node) || node < 0 || node >= nodeId.length) return
  let rest = nodeId[node]!
  for (let at = from + DIGITS - 1; at >= from; at--) {
    bytes[at] = ZERO + (rest % 10)
    rest = Math.floor(rest / 10)
  }
}
