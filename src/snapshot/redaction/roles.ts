// What a snapshot's strings are: the program's names, or its data. Told by the nodes and edges that use them.

import { EdgeType, type Layout, NodeType } from '../meta.ts'

/** Above so many properties a plain object is taken for a dictionary, whose keys are data and no names. */
const DICTIONARY_PROPERTIES = 64

/** More strings than this are not in any file that can be read. */
const MAX_STRINGS = 2 ** 29

/** Bits of a string's role; one that is only ever a text has none. */
const Role = {
  /** Of a function, a script, a variable, or V8's own. */
  name: 1,
  /** The digits of a number. */
  number: 2,
  /** Of a property of an object that is no dictionary, or that may be of any kind. */
  property: 4,
  /** Of a property of an object with many. */
  key: 8,
  /** Of a class. The constructor has that name too, unless it is a text of the program's: Symbol.toStringTag. */
  class: 16,
} as const

interface LargeObject {
  readonly firstEdge: number
  readonly endEdge: number
  /** String index of its class. */
  readonly className: number
}

/**
 * Collects roles from rows as they pass by: first all nodes, then all edges, then each string is asked for in turn.
 *
 * Memory: 5 bytes for each string index in use, and a record for each object with more than 64 edges.
 */
export class Roles {
  /** By string index: bits of {@link Role}. */
  #bits = new Uint8Array(1 << 12)
  /** By string index: for a key, string index of the class of the objects that have it. */
  #classOfKey = new Uint32Array(1 << 12)
  readonly #layout: Layout
  readonly #refuse: (index: number) => never
  readonly #large: LargeObject[] = []
  #edgesPromised = 0
  /** Number of the edge to come, of all. */
  #edge = 0
  /** Place in `#large` of the object that the edge to come belongs to, or of the next one. */
  #current = 0
  /** Properties of the current large object so far, and their string indexes as long as it may be no dictionary. */
  #properties = 0
  #pending: number[] = []
  /** String index of the class name `Object`, once it has been seen; see {@link sawPlainClass}. */
  #plainClass = -1

  /** @param refuse is told of a string index that is beyond all bounds */
  constructor(layout: Layout, refuse: (index: number) => never) {
    this.#layout = layout
    this.#refuse = refuse
  }

  /** @param batch by row, then by field: the numbers of the next nodes */
  nodes(batch: Float64Array, rows: number): void {
    const { nodeFieldCount, nodeTypeOf, ...field } = this.#layout
    for (let row = 0, base = 0; row < rows; row++, base += nodeFieldCount) {
      const name = batch[base + field.name]!
      const edges = batch[base + field.edgeCount]!
      this.#edgesPromised += edges
      switch (nodeTypeOf[batch[base + field.type]!] ?? NodeType.unknown) {
        case NodeType.string:
          // V8 makes up such a node for a number's digits (V8HeapExplorer::ExtractNumberReference); strings have a size.
          if (batch[base + field.selfSize] === 0) this.#add(name, Role.number)
          break
        // Their names are a text, a source, or one of V8's words, whatever a version of V8 gives them.
        case NodeType.consString:
        case NodeType.slicedString:
        case NodeType.regexp:
        case NodeType.number:
        case NodeType.symbol:
        case NodeType.bigint:
          break
        case NodeType.unknown:
          this.#add(name, Role.property)
          break
        case NodeType.object:
          if (edges > DICTIONARY_PROPERTIES) {
            const endEdge = this.#edgesPromised
            this.#large.push({ firstEdge: endEdge - edges, endEdge, className: name })
          }
          this.#add(name, Role.class)
          break
        default:
          this.#add(name, Role.name)
      }
    }
  }

  /** @param batch by row, then by field: the numbers of the next edges; all nodes must have been handed over */
  edges(batch: Float64Array, rows: number): void {
    const { edgeFieldCount, edgeTypeOf, ...field } = this.#layout
    let large = this.#large[this.#current]
    for (let row = 0, base = 0; row < rows; row++, base += edgeFieldCount) {
      const edge = this.#edge++
      const within = large !== undefined && edge >= large.firstEdge
      const type = edgeTypeOf[batch[base + field.edgeType]!] ?? EdgeType.unknown
      const name = batch[base + field.edgeNameOrIndex]!
      if (type === EdgeType.property || type === EdgeType.unknown) {
        if (within) this.#propertyOfLarge(name, large!.className)
        else this.#add(name, Role.property)
      } else if (type !== EdgeType.element && type !== EdgeType.hidden) this.#add(name, Role.name)
      if (!within || edge < large!.endEdge - 1) continue
      for (const property of this.#pending) this.#add(property, Role.property)
      this.#pending.length = 0
      this.#properties = 0
      large = this.#large[++this.#current]
    }
  }

  /**
   * Tells which string is the class name `Object`, without which all objects with many properties are dictionaries.
   * V8 numbers strings as it comes across them, so this one comes before the names of nearly all properties.
   */
  sawPlainClass(index: number): void {
    this.#plainClass = index
  }

  /** Whether a string is a name, whatever it is besides. */
  isName(index: number): boolean {
    return ((this.#bits[index] ?? 0) & Role.name) !== 0
  }

  /** Whether it is a class's, which may consist of several words. */
  isClass(index: number): boolean {
    return ((this.#bits[index] ?? 0) & Role.class) !== 0
  }

  /** Whether it is a name if it reads like one. */
  isProperty(index: number): boolean {
    const bits = this.#bits[index] ?? 0
    // Instances of a class may have many properties, and `process` does.
    const ofInstance = bits & Role.key && this.#plainClass >= 0 && this.#classOfKey[index] !== this.#plainClass
    return (bits & Role.property) !== 0 || Boolean(ofInstance)
  }

  /** Whether it is a number if it reads like one: strings that all programs share have no size either. */
  isNumber(index: number): boolean {
    return ((this.#bits[index] ?? 0) & Role.number) !== 0
  }

  #propertyOfLarge(name: number, className: number): void {
    if (++this.#properties <= DICTIONARY_PROPERTIES) {
      this.#pending.push(name)
      return
    }
    for (const key of this.#pending) this.#addKey(key, className)
    this.#pending.length = 0
    this.#addKey(name, className)
  }

  #add(index: number, role: number): void {
    if (index >= this.#bits.length) {
      if (index >= MAX_STRINGS) this.#refuse(index)
      this.#bits = grown(this.#bits, index)
    }
    this.#bits[index]! |= role
  }

  #addKey(index: number, className: number): void {
    const known = (this.#bits[index] ?? 0) & Role.key
    // Of two classes, one at least is not `Object`.
    this.#add(index, known && this.#classOfKey[index] !== className ? Role.key | Role.property : Role.key)
    if (index >= this.#classOfKey.length) this.#classOfKey = grown(this.#classOfKey, index)
    this.#classOfKey[index] = className
  }
}

function grown<T extends Uint8Array | Uint32Array>(array: T, index: number): T {
  const larger = new (array.constructor as new (length: number) => T)(Math.max(2 * array.length, index + 1))
  larger.set(array)
  return larger
}
