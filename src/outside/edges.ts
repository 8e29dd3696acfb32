// How living objects refer to each other, named as V8's heap snapshots name it.
//
// https://github.com/v8/v8/blob/main/src/profiler/heap-snapshot-generator.cc (V8HeapExplorer::ExtractReferences)

import { EdgeType, NodeType } from '../snapshot/meta.ts'
import type { EdgeWriter } from './edge-writer.ts'
import { type Heap, NOWHERE } from './heap.ts'
import type { TypeName } from './layout.ts'
import type { BackingStores, NativeSides } from './native-sides.ts'
import { Essence, type NodeColumns } from './nodes.ts'
import type { NumberNodes } from './numbers.ts'
import { ephemeronsIn, FIRST_OWN_FIELD, isApiObject, isWeakField, type Reached, taggedWords } from './reach.ts'
import type { Scope, Scopes } from './scopes.ts'
import type { Shape, Shapes } from './shapes.ts'
import type { Texts } from './texts.ts'

/** What edges are told from. */
interface Parts {
  readonly shapes: Shapes
  readonly scopes: Scopes
  readonly texts: Texts
  readonly natives: NativeSides
  readonly stores: BackingStores
  readonly numbers: NumberNodes
}

/** Fields of V8's own objects that its snapshots name, by type and word. */
const NAMED_FIELDS: Partial<Record<TypeName, Readonly<Record<number, string>>>> = {
  ACCESSOR_PAIR: { 1: 'getter', 2: 'setter' },
  CELL: { 1: 'value' },
  FEEDBACK_CELL: { 1: 'value' },
  PROPERTY_CELL: { 3: 'value', 4: 'dependent_code' },
  ALLOCATION_SITE: { 1: 'transition_info', 2: 'nested_site', 3: 'dependent_code' },
  ARRAY_BOILERPLATE_DESCRIPTION: { 2: 'constant_elements' },
}
/** Fields of JavaScript objects of which each type has its own. */
const OWN_FIELDS: Partial<Record<TypeName, Readonly<Record<number, string>>>> = {
  JS_MAP: { 3: 'table' },
  JS_SET: { 3: 'table' },
  JS_WEAK_MAP: { 3: 'table' },
  JS_WEAK_SET: { 3: 'table' },
  JS_PROMISE: { 3: 'reactions_or_result' },
  JS_TYPED_ARRAY: { 3: 'buffer' },
  JS_DATA_VIEW: { 3: 'buffer' },
  JS_RAB_GSAB_DATA_VIEW: { 3: 'buffer' },
  JS_GLOBAL_OBJECT: { 3: 'native_context', 4: 'global_proxy' },
}
/** What a function that waits has: https://github.com/v8/v8/blob/main/src/objects/js-generator.tq */
const GENERATOR_FIELDS = { 3: 'function', 4: 'context', 5: 'receiver', 9: 'parameters_and_registers' }
/** What stands beside a function's bytecode, by word. */
const BYTECODE_TAGS = { 2: '(constant pool)', 3: '(handler table)', 4: '(source position table)' }
/** What a bound function has: what it calls, `this`, the arguments. */
const BOUND = { target: 3, receiver: 4, arguments: 5 }

const MOST_NAMED_INDEXES = 1 << 16
/** No object has more words by itself; arrays do, and are not asked. */
const MOST_FIELDS = 256
/** Units of a name that are repeated in that of a WeakMap's entry. */
const MOST_OF_NAME = 100

/** @param out where the edges go, node by node; those of nodes in front of the objects' are there already */
export function connectNodes(
  heap: Heap,
  reached: Reached,
  columns: NodeColumns,
  parts: Parts,
  out: EdgeWriter,
  firstEdge: Uint32Array,
  idOf: (node: number) => number,
): void {
  const visitor = new Visitor(heap, reached, columns, parts, out, idOf)
  let node = columns.first
  for (let word = heap.nextObject(0); word >= 0; word = heap.nextObject(word + 1)) {
    visitor.visit(word, node - columns.first)
    firstEdge[++node] = out.count
  }
  const toJavaScript = parts.texts.strings.intern('native_to_javascript')
  for (const object of parts.natives.objects) {
    out.push(EdgeType.internal, toJavaScript, columns.first + heap.ordinalAt(object))
    firstEdge[++node] = out.count
  }
  for (let i = 0; i < parts.stores.bytes.length; i++) firstEdge[++node] = out.count
}

class Visitor {
  readonly #heap: Heap
  readonly #reached: Reached
  readonly #columns: NodeColumns
  readonly #shapes: Shapes
  readonly #scopes: Scopes
  readonly #texts: Texts
  readonly #natives: NativeSides
  readonly #stores: BackingStores
  readonly #numbers: NumberNodes
  readonly #out: EdgeWriter
  readonly #idOf: (node: number) => number
  readonly #text: (value: string) => number
  readonly #labels
  /** By small number: the number of its text. */
  readonly #indexNames: number[] = []
  readonly #fieldNames: ReadonlyMap<number, ReadonlyMap<number, number>>
  /** By instance type. */
  readonly #ownFieldNames: readonly (readonly (readonly [field: number, label: number])[] | undefined)[]
  /** By word of the object that is visited: the last object in which it was told of by name, so that it is not again. */
  readonly #told = new Float64Array(MOST_FIELDS).fill(NOWHERE)
  #word = NOWHERE
  #edgeStart = 0
  readonly #pairs: Pairs | undefined
  readonly #accessorNames = new Map<string, number>()

  constructor(
    heap: Heap,
    reached: Reached,
    columns: NodeColumns,
    { shapes, scopes, texts, natives, stores, numbers }: Parts,
    out: EdgeWriter,
    idOf: (node: number) => number,
  ) {
    this.#heap = heap
    this.#reached = reached
    this.#columns = columns
    this.#shapes = shapes
    this.#scopes = scopes
    this.#texts = texts
    this.#natives = natives
    this.#stores = stores
    this.#numbers = numbers
    this.#out = out
    this.#idOf = idOf
    this.#text = (value) => texts.strings.intern(value)
    const text = this.#text
    this.#labels = {
      ...{
        map: text('map'),
        first: text('first'),
        second: text('second'),
        parent: text('parent'),
        actual: text('actual'),
      },
      ...{
        proto: text('__proto__'),
        properties: text('properties'),
        elements: text('elements'),
        shared: text('shared'),
      },
      ...{ context: text('context'), cell: text('feedback_cell'), code: text('code'), prototype: text('prototype') },
      ...{
        initialMap: text('initial_map'),
        bindings: text('bindings'),
        boundThis: text('bound_this'),
        name: text('name'),
      },
      ...{ boundFunction: text('bound_function'), target: text('target'), scopeInfo: text('scope_info') },
      ...{
        previous: text('previous'),
        extension: text('extension'),
        source: text('source'),
        store: text('backing_store'),
      },
      ...{ constructor: text('constructor'), backPointer: text('back_pointer'), descriptors: text('descriptors') },
      ...{ dependentCode: text('dependent_code'), transitions: text('transitions'), transition: text('transition') },
      ...{ prototypeInfo: text('prototype_info'), enumCache: text('enum_cache'), lineEnds: text('line_ends') },
      value: text('value'),
      ...{ contextData: text('context_data'), toNative: text('javascript_to_native') },
    }
    this.#fieldNames = this.#numbered(NAMED_FIELDS)
    const generators = (['JS_ASYNC_FUNCTION_OBJECT', 'JS_ASYNC_GENERATOR_OBJECT'] as const).map(
      (name) => heap.layout.types[name],
    )
    // Generators stand in front of the two kinds of them that have a constant.
    if (generators[0]! > 0) generators.push(generators[0]! - 1)
    const fields = this.#labelled(GENERATOR_FIELDS)
    const own = [...this.#numbered(OWN_FIELDS), ...generators.map((type) => [type, fields] as const)]
    const byType: (readonly (readonly [number, number])[] | undefined)[] = Array(heap.layout.functions.last + 1)
    for (const [type, labels] of own) if (type >= 0) byType[type] = [...labels]
    this.#ownFieldNames = byType
    this.#bytecodeTags = [...this.#labelled(BYTECODE_TAGS)]
    this.#tags = {
      properties: text('(object properties)'),
      elements: text('(object elements)'),
      bound: text('(bound arguments)'),
    }
    this.#pairs = findPairs(heap, reached)
  }
  readonly #bytecodeTags: readonly (readonly [field: number, tag: number])[]
  readonly #tags: { readonly properties: number; readonly elements: number; readonly bound: number }

  #labelled(fields: Readonly<Record<number, string>>): ReadonlyMap<number, number> {
    return new Map(Object.entries(fields).map(([word, label]) => [Number(word), this.#text(label)]))
  }
  #numbered(
    table: Partial<Record<TypeName, Readonly<Record<number, string>>>>,
  ): Map<number, ReadonlyMap<number, number>> {
    return new Map(
      Object.entries(table).map(([name, fields]) => [
        this.#heap.layout.types[name as TypeName],
        this.#labelled(fields),
      ]),
    )
  }

  visit(word: number, ordinal: number): void {
    const heap = this.#heap
    const { layout } = heap
    const { types, contexts, strings: kinds, fields } = layout
    const size = heap.sizeAt(word)
    const type = heap.typeOfMap(heap.mapOf(word))
    this.#word = word
    this.#edgeStart = this.#out.count
    if (type < layout.firstNonstring) {
      const kind = type & kinds.representation
      if (kind === kinds.cons) {
        this.#internal(this.#labels.first, word + fields.consFirst)
        this.#internal(this.#labels.second, word + fields.consSecond)
      } else if (kind === kinds.sliced) this.#internal(this.#labels.parent, word + fields.slicedParent)
      else if (kind === kinds.thin) this.#internal(this.#labels.actual, word + fields.thinActual)
      this.#internal(this.#labels.map, word)
    } else if (type > types.JS_PROXY) this.#visitJavaScript(word, size, type)
    else if (type >= contexts.first && type <= contexts.last) this.#visitContext(word, size, type)
    else if (type === this.#reached.ephemeronType) this.#visitEphemerons(word)
    else if (type === types.MAP) this.#visitMap(word, size)
    else if (type === types.SHARED_FUNCTION_INFO) this.#visitShared(word, size)
    else if (type === types.SCRIPT) this.#visitScript(word, size)
    else if (type === types.SYMBOL) {
      this.#internal(this.#labels.name, word + fields.symbolName)
      this.#internal(this.#labels.map, word)
    } else if (this.#isArray(type)) this.#visitArray(word, size, type)
    else {
      if (type === types.BYTECODE_ARRAY) {
        for (const [field, tag] of this.#bytecodeTags) this.#tag(word + field, tag, NodeType.code)
      }
      if (type === types.HEAP_NUMBER) {
        this.#out.push(EdgeType.internal, this.#labels.value, this.#numbers.digitsOf(heap.f64[word + 1]!))
      }
      for (const [field, label] of this.#fieldNames.get(type) ?? []) this.#internal(label, word + field)
      this.#internal(this.#labels.map, word)
      this.#rest(word, size, type)
    }
    this.#pairsOfKey(word, ordinal)
  }

  /** Arrays whose entries V8 names by their numbers. */
  #isArray(type: number): boolean {
    const { types } = this.#heap.layout
    return (
      (type >= types.FIXED_ARRAY && type < types.BYTE_ARRAY) ||
      type === types.WEAK_FIXED_ARRAY ||
      type === types.WEAK_FIXED_ARRAY + 1 ||
      type === types.WEAK_ARRAY_LIST ||
      type === types.DESCRIPTOR_ARRAY ||
      type === types.STRONG_DESCRIPTOR_ARRAY
    )
  }

  #visitArray(word: number, size: number, type: number): void {
    const { layout } = this.#heap
    const { types } = layout
    let first = word + 2
    if (type === types.WEAK_ARRAY_LIST) first++
    else if (type === types.DESCRIPTOR_ARRAY || type === types.STRONG_DESCRIPTOR_ARRAY) {
      first = word + layout.fields.descriptorsHeader
      this.#internal(this.#labels.enumCache, first - 1)
    }
    for (let at = first; at < word + size; at++) {
      const low = this.#heap.u32[2 * at]!
      if ((low & 1) === 0) continue
      this.#edge((low & 7) === 3 ? EdgeType.weak : EdgeType.internal, this.#indexName(at - first), at)
    }
    this.#internal(this.#labels.map, word)
  }

  #visitMap(word: number, size: number): void {
    const heap = this.#heap
    const { map: at, types } = heap.layout
    const labels = this.#labels
    const transitions = word + at.transitions
    if (heap.weakTarget(transitions) >= 0) this.#edge(EdgeType.weak, labels.transition, transitions)
    else {
      const isInfo = heap.typeAt(heap.target(transitions)) === types.PROTOTYPE_INFO
      this.#internal(isInfo ? labels.prototypeInfo : labels.transitions, transitions)
    }
    this.#internal(labels.descriptors, word + at.descriptors)
    this.#internal(labels.prototype, word + at.prototype)
    const isMap = heap.typeAt(heap.target(word + at.constructor)) === types.MAP
    this.#internal(isMap ? labels.backPointer : labels.constructor, word + at.constructor)
    this.#internal(labels.dependentCode, word + at.dependentCode)
    this.#internal(labels.map, word)
    this.#rest(word, size, types.MAP)
  }

  #visitShared(word: number, size: number): void {
    const { fields, sharedRawByte, types } = this.#heap.layout
    const text = this.#text
    this.#internal(text('name_or_scope_info'), word + fields.sharedName)
    if (fields.sharedScript >= 0) this.#internal(text('script_or_debug_info'), word + fields.sharedScript)
    else this.#internal(text('script'), word + fields.sharedScriptNewer)
    if (fields.sharedData >= 0) this.#internal(text('function_data'), word + fields.sharedData)
    else this.#internal(text('trusted_function_data'), word + 1)
    if (fields.sharedName > 2) this.#internal(text('untrusted_function_data'), word + 2)
    this.#internal(text('raw_outer_scope_info_or_feedback_metadata'), word + fields.sharedMetadata)
    this.#internal(this.#labels.map, word)
    this.#rest(word, Math.min(size, sharedRawByte >> 3), types.SHARED_FUNCTION_INFO)
  }

  #visitScript(word: number, size: number): void {
    const { fields, types } = this.#heap.layout
    this.#internal(this.#labels.source, word + fields.scriptSource)
    this.#internal(this.#labels.name, word + fields.scriptName)
    this.#internal(this.#labels.contextData, word + fields.scriptLineEnds - 2)
    this.#internal(this.#labels.lineEnds, word + fields.scriptLineEnds)
    this.#internal(this.#labels.map, word)
    this.#rest(word, size, types.SCRIPT)
  }

  #visitContext(word: number, size: number, type: number): void {
    const heap = this.#heap
    const { contexts, contextSlots, types } = heap.layout
    const labels = this.#labels
    const slots = size - 2
    const info = heap.target(word + 2)
    if (type !== contexts.native && heap.typeAt(info) === types.SCOPE_INFO) {
      const scope = this.#scopes.of(info)
      if (this.#hasNames(type, scope)) {
        // A context that can be extended has one slot more in front of its variables; scopes do not say so where it is.
        const own = scope.functionSlot >= 0 ? 1 : 0
        const extension = slots - contextSlots - scope.names.length - own > 0 ? 1 : 0
        for (let i = 0; i < scope.names.length; i++) {
          const slot = scope.firstSlot + extension + i
          if (scope.names[i]! >= 0 && slot < slots) this.#named(EdgeType.context, scope.names[i]!, word + 2 + slot)
        }
        if (own > 0 && scope.functionSlot < slots) {
          this.#named(EdgeType.context, this.#text(scope.functionName), word + 2 + scope.functionSlot)
        }
        if (extension > 0) this.#internal(labels.extension, word + 2 + contextSlots)
      }
    }
    this.#internal(labels.scopeInfo, word + 2)
    this.#internal(labels.previous, word + 3)
    this.#internal(labels.map, word)
    this.#rest(word, size, type)
  }

  /** Whether V8 names the variables of such a context: those of blocks it does not. */
  #hasNames(type: number, { isStrict, isDeclaration }: Scope): boolean {
    const { contexts } = this.#heap.layout
    if (type === contexts.function || type === contexts.module || type === contexts.script) return true
    if (type === contexts.eval) return isStrict
    return type === contexts.block && isDeclaration
  }

  #visitEphemerons(word: number): void {
    for (const at of ephemeronsIn(this.#heap, word)) {
      const key = this.#heap.referent(at)
      const value = this.#heap.referent(at + 1)
      this.#push(EdgeType.weak, this.#indexName(at - word - 2), this.#heap.ordinalAt(key))
      this.#push(EdgeType.weak, this.#indexName(at - word - 1), this.#heap.ordinalAt(value))
      if (key >= 0 && value >= 0)
        this.#out.push(EdgeType.internal, this.#pairName(word, key, value), this.#nodeOf(value))
    }
    this.#internal(this.#labels.map, word)
  }
  /** The same entries, as the keys have them. */
  #pairsOfKey(word: number, ordinal: number): void {
    const pairs = this.#pairs
    if (!pairs || (pairs.isKey[ordinal >>> 5]! & (1 << (ordinal & 31))) === 0) return
    for (let pair = pairs.first.get(word) ?? NOWHERE; pair >= 0; pair = pairs.next[pair]!) {
      const [table, value] = [pairs.table[pair]!, pairs.value[pair]!]
      this.#out.push(EdgeType.internal, this.#pairName(table, word, value), this.#nodeOf(value))
    }
  }
  /** What `snapshot/ephemerons.ts` understands. */
  #pairName(table: number, key: number, value: number): number {
    const { name } = this.#columns
    const show = (object: number): string => {
      const node = this.#nodeOf(object)
      return `(${this.#texts.strings.get(name[node]!).slice(0, MOST_OF_NAME)} @${this.#idOf(node)})`
    }
    // V8 numbers them by the edges that the node has so far; all that counts is that no two are alike.
    const number = this.#out.count - this.#edgeStart + 1
    return this.#text(
      `${number} / part of key ${show(key)} -> value ${show(value)} pair in WeakMap (table @${this.#idOf(this.#nodeOf(table))})`,
    )
  }
  #nodeOf(object: number): number {
    return this.#columns.first + this.#heap.ordinalAt(object)
  }
  #visitJavaScript(word: number, size: number, type: number): void {
    const heap = this.#heap
    const { fields, types, functions } = heap.layout
    const labels = this.#labels
    const map = heap.mapOf(word)
    const shape = this.#shapes.of(map)
    const own = this.#ownFieldNames[type]
    if (own) for (const [field, label] of own) if (field < size) this.#internal(label, word + field)
    const native = isApiObject(heap, type) ? this.#natives.place.get(word) : undefined
    if (native !== undefined) this.#out.push(EdgeType.internal, labels.toNative, this.#columns.end + native)
    if (type === types.JS_WEAK_REF) this.#edge(EdgeType.weak, labels.target, word + FIRST_OWN_FIELD)
    if (type === types.JS_ARRAY_BUFFER) {
      const store = this.#stores.place.get(word)
      if (store !== undefined) {
        const node = this.#columns.end + this.#natives.objects.length + store
        this.#out.push(EdgeType.internal, labels.store, node)
      }
      this.#internal(labels.map, word)
      this.#rest(word, size, type)
      return
    }
    this.#properties(word, shape)
    this.#elements(word, shape)
    this.#named(EdgeType.property, labels.proto, map + heap.layout.map.prototype)
    if (type === types.JS_BOUND_FUNCTION) this.#visitBound(word)
    else if (type >= functions.first && type <= functions.last) this.#visitFunction(word, size, shape)
    const properties = word + fields.properties
    this.#tag(properties, this.#tags.properties)
    this.#internal(labels.properties, properties)
    const elements = word + fields.elements
    this.#tag(elements, this.#tags.elements)
    this.#internal(labels.elements, elements)
    this.#internal(labels.map, word)
    this.#rest(word, size, type)
  }

  #visitFunction(word: number, size: number, shape: Shape): void {
    const heap = this.#heap
    const { fields, types, map } = heap.layout
    const labels = this.#labels
    if (shape.hasPrototypeSlot && fields.functionPrototype >= 0) {
      const slot = word + fields.functionPrototype
      const target = heap.target(slot)
      if (heap.typeAt(target) === types.MAP) {
        this.#edge(EdgeType.property, labels.prototype, target + map.prototype)
        this.#internal(labels.initialMap, slot)
      } else this.#named(EdgeType.property, labels.prototype, slot)
    }
    this.#internal(labels.cell, word + fields.functionCell)
    this.#internal(labels.shared, word + fields.functionShared)
    this.#internal(labels.context, word + fields.functionContext)
    for (let field = FIRST_OWN_FIELD; field < size; field++) {
      const type = heap.typeAt(heap.target(word + field))
      if (type === types.CODE || type === types.INSTRUCTION_STREAM) {
        this.#internal(labels.code, word + field)
        break
      }
    }
  }

  #visitBound(word: number): void {
    const heap = this.#heap
    const labels = this.#labels
    const bound = word + BOUND.arguments
    this.#tag(bound, this.#tags.bound)
    this.#internal(labels.bindings, bound)
    this.#internal(labels.boundThis, word + BOUND.receiver)
    this.#internal(labels.boundFunction, word + BOUND.target)
    const list = heap.target(bound)
    if (list < 0 || heap.typeAt(list) !== heap.layout.types.FIXED_ARRAY) return
    for (let i = 0; i < heap.lengthOf(list); i++) {
      this.#edge(EdgeType.shortcut, this.#text(`bound_argument_${i}`), list + 2 + i)
    }
  }

  #properties(word: number, shape: Shape): void {
    const heap = this.#heap
    const { fields, types } = heap.layout
    const outside = heap.target(word + fields.properties)
    if (!shape.isDictionary) {
      for (const { name, key, inObject, outside: place, isAccessor } of shape.fields) {
        if (inObject >= 0) this.#property(name, key, word + inObject, isAccessor)
        else if (outside >= 0) this.#property(name, key, outside + 2 + place, isAccessor)
      }
      for (const { name, key, value, isAccessor } of shape.shared) this.#property(name, key, value, isAccessor)
    } else if (shape.type === types.JS_GLOBAL_OBJECT) {
      // Its entries are cells that have name, details and value.
      const length = outside < 0 ? 0 : heap.lengthOf(outside)
      for (let at = outside + 2; at < outside + 2 + length; at++) {
        const cell = heap.target(at)
        if (cell < 0 || heap.typeAt(cell) !== types.PROPERTY_CELL) continue
        const key = heap.target(cell + 1)
        const isAccessor = heap.isSmi(cell + 2) && this.#isAccessor(heap.smi(cell + 2))
        if (key >= 0) this.#property(this.#text(this.#texts.name(key)), key, cell + 3, isAccessor)
      }
    } else {
      for (const at of this.#shapes.entries(outside)) {
        const key = heap.target(at)
        const isAccessor = heap.isSmi(at + 2) && this.#isAccessor(heap.smi(at + 2))
        this.#property(this.#text(this.#texts.name(key)), key, at + 1, isAccessor)
      }
    }
  }
  #isAccessor(details: number): boolean {
    const { kindMask, accessor } = this.#heap.layout.details
    return (details & kindMask) === accessor
  }

  #property(name: number, key: number, at: number, isAccessor: boolean): void {
    const heap = this.#heap
    const type = name === 0 ? EdgeType.internal : EdgeType.property
    if (!isAccessor) {
      this.#named(type, name, at)
      return
    }
    const pair = heap.target(at)
    if (pair < 0 || heap.typeAt(pair) !== heap.layout.types.ACCESSOR_PAIR) return
    this.#named(type, name, at)
    this.#accessor('get', key, name, pair + 1)
    this.#accessor('set', key, name, pair + 2)
  }
  #accessor(which: 'get' | 'set', key: number, name: number, at: number): void {
    const ordinal = this.#heap.referentOrdinal(at)
    if (ordinal < 0 || this.#columns.essence[ordinal] !== Essence.all) return
    // Symbols are not said to be got.
    if (!this.#texts.isString(key)) {
      this.#edge(EdgeType.property, name, at)
      return
    }
    const id = `${which} ${name}`
    let full = this.#accessorNames.get(id)
    if (full === undefined) {
      full = this.#text(`${which} ${this.#texts.name(key)}`)
      this.#accessorNames.set(id, full)
    }
    this.#edge(EdgeType.property, full, at)
  }

  #elements(word: number, shape: Shape): void {
    const heap = this.#heap
    const { fields, types, dictionaryElements, objectElements } = heap.layout
    const elements = heap.target(word + fields.elements)
    if (elements < 0) return
    const length = heap.lengthOf(elements)
    if (shape.elementsKind === dictionaryElements) {
      // key, value, details
      const capacity = heap.isSmi(elements + 4) ? heap.smi(elements + 4) : 0
      const end = elements + 2 + length
      const first = end - 3 * capacity
      if (capacity === 0 || first < elements + 5) return
      for (let at = first; at + 2 < end; at += 3) {
        if (heap.isSmi(at)) this.#named(EdgeType.element, heap.smi(at) >>> 0, at + 1)
        else {
          const key = heap.target(at)
          if (key >= 0 && heap.typeAt(key) === types.HEAP_NUMBER)
            this.#named(EdgeType.element, heap.f64[key + 1]! >>> 0, at + 1)
        }
      }
    } else if (objectElements.includes(shape.elementsKind) && heap.typeAt(elements) === types.FIXED_ARRAY) {
      const used =
        shape.type === types.JS_ARRAY && heap.isSmi(word + FIRST_OWN_FIELD) ? heap.smi(word + FIRST_OWN_FIELD) : length
      for (let i = 0; i < Math.min(length, used); i++) this.#named(EdgeType.element, i, elements + 2 + i)
    }
  }

  /** What no name was found for: hidden edges, numbered in their order, as V8 does. */
  #rest(word: number, size: number, type: number): void {
    const heap = this.#heap
    const [from, to] = taggedWords(heap, word, size, type)
    let number = 0
    for (let at = from; at < to; at++) {
      const field = at - word
      if (field < MOST_FIELDS && this.#told[field] === word) continue
      const low = heap.u32[2 * at]!
      if ((low & 1) === 0 || heap.wordAt(low, heap.u32[2 * at + 1]!) < 0) continue
      if ((low & 7) === 3) this.#edge(EdgeType.weak, this.#indexName(number++), at)
      else if ((low & 7) === 1) {
        if (isWeakField(heap, type, field, at, size)) continue
        this.#edge(EdgeType.hidden, number++, at)
      }
    }
  }

  /** An edge that V8 has only to what is more than a constant of its own. */
  #edge(type: number, name: number, at: number): void {
    this.#tell(at)
    const target = this.#heap.referentOrdinal(at)
    if (target >= 0 && this.#columns.essence[target] === Essence.all) this.#push(type, name, target)
  }
  #internal(name: number, at: number): void {
    this.#edge(EdgeType.internal, name, at)
  }
  /** An edge that the program has made, to whatever it may be. */
  #named(type: number, name: number, at: number): void {
    this.#tell(at)
    if (this.#heap.isSmi(at)) {
      // All that ends in a zero bit looks like one, but only the upper half counts.
      if (this.#heap.u32[2 * at] === 0) this.#out.push(type, name, this.#numbers.ofInteger(this.#heap.smi(at)))
      return
    }
    const target = this.#heap.referentOrdinal(at)
    if (target >= 0 && this.#columns.essence[target] !== Essence.none) this.#push(type, name, target)
  }
  #push(type: number, name: number, target: number): void {
    if (target >= 0) this.#out.push(type, name, this.#columns.first + target)
  }
  #tell(at: number): void {
    const field = at - this.#word
    if (field >= 0 && field < MOST_FIELDS) this.#told[field] = this.#word
  }
  /** Gives a nameless array the name of what it is for. */
  #tag(at: number, name: number, type: number = NodeType.array): void {
    const target = this.#heap.referentOrdinal(at)
    if (target < 0 || this.#columns.essence[target] !== Essence.all) return
    const node = this.#columns.first + target
    if (this.#columns.name[node] !== 0 || this.#columns.type[node] !== NodeType.array) return
    this.#columns.name[node] = name
    this.#columns.type[node] = type
  }
  #indexName(index: number): number {
    if (index >= MOST_NAMED_INDEXES) return this.#out.numberName(index)
    this.#indexNames[index] ??= this.#text(String(index))
    return this.#indexNames[index]!
  }
}

/** Entries of WeakMaps, in lists by key. */
interface Pairs {
  /** By ordinal of an object, a bit each: whether it is the key of any. */
  readonly isKey: Uint32Array
  /** By word of an object: the first pair that it is the key of; and by pair: the next one of that key, or -1. */
  readonly first: ReadonlyMap<number, number>
  readonly next: readonly number[]
  readonly table: readonly number[]
  readonly value: readonly number[]
}

function findPairs(heap: Heap, { tables }: Reached): Pairs | undefined {
  const first = new Map<number, number>()
  const next: number[] = []
  const table: number[] = []
  const value: number[] = []
  const isKey = new Uint32Array((heap.count >>> 5) + 1)
  for (const word of tables) {
    for (const at of ephemeronsIn(heap, word)) {
      const key = heap.referent(at)
      const held = heap.referent(at + 1)
      if (key < 0 || held < 0) continue
      next.push(first.get(key) ?? NOWHERE)
      table.push(word)
      value.push(held)
      first.set(key, value.length - 1)
      const ordinal = heap.ordinalAt(key)
      isKey[ordinal >>> 5] = isKey[ordinal >>> 5]! | (1 << (ordinal & 31))
    }
  }
  return value.length === 0 ? undefined : { isKey, first, next, table, value }
}
