// What maps say of their objects: where which property stands, and which class the objects are of.

import { type Heap, NOWHERE } from './heap.ts'
import type { Scopes } from './scopes.ts'
import type { Texts } from './texts.ts'

/** A property that stands in the object, or in the array of those for which the object has no room. */
export interface Field {
  /** Word of the property's name. */
  readonly key: number
  /** Number of its text. */
  readonly name: number
  /** Word in the object, or -1. */
  readonly inObject: number
  /** Place in the array of properties, or -1. */
  readonly outside: number
  readonly isAccessor: boolean
}

/** A property whose value all objects of the map share: it stands in the map's descriptors. */
export interface SharedProperty {
  readonly key: number
  readonly name: number
  /** Word of the value. */
  readonly value: number
  readonly isAccessor: boolean
}

export interface Shape {
  readonly map: number
  readonly type: number
  /** Whether properties stand in a hash table. */
  readonly isDictionary: boolean
  /** Whether the map is of an object that is a prototype, and then of no other. */
  readonly isPrototype: boolean
  readonly elementsKind: number
  readonly hasPrototypeSlot: boolean
  /** Whether the constructor that the map names is the one that objects were made by. */
  readonly isOfConstructor: boolean
  readonly fields: readonly Field[]
  readonly shared: readonly SharedProperty[]
  /** What is known of the class of all objects with this map. */
  objectClass: ObjectClass | undefined
}

export interface ObjectClass {
  /** Number of the name's text. */
  readonly name: number
  /** Word of the function whose place in the source V8 takes for the object's, or NOWHERE. */
  readonly maker: number
}

const HAS_PROTOTYPE_SLOT = 0x80
const NEW_TARGET_IS_BASE = 1
/** Of an entry of a dictionary: name, value, details. */
const ENTRY = 3
const CAPACITY = 4
const DESCRIPTOR_ARRAYS = 2
/** Maps that follow one another, prototypes that do: more are a circle. */
const MOST_STEPS = 10_000
const MOST_PROTOTYPES = 100

export class Shapes {
  readonly #heap: Heap
  readonly #texts: Texts
  readonly #scopes: Scopes
  readonly #shapes = new Map<number, Shape>()
  readonly #functionNames = new Map<number, string>()

  constructor(heap: Heap, texts: Texts, scopes: Scopes) {
    this.#heap = heap
    this.#texts = texts
    this.#scopes = scopes
  }

  of(map: number): Shape {
    // Objects of one kind often lie side by side.
    if (this.#last?.map === map) return this.#last
    let shape = this.#shapes.get(map)
    if (!shape) {
      shape = this.#read(map)
      this.#shapes.set(map, shape)
    }
    this.#last = shape
    return shape
  }
  #last: Shape | undefined

  #read(map: number): Shape {
    const { u8, u32, layout } = this.#heap
    const { map: at } = layout
    const bits3 = u32[(8 * map + at.bitField3Byte) >> 2]!
    const bits2 = u8[8 * map + at.bitField2Byte]!
    const isDictionary = ((bits3 >>> at.dictionaryBit) & 1) === 1
    const ownCount = (bits3 & at.ownCountMask) >>> at.ownCountShift
    return {
      map,
      type: this.#heap.typeOfMap(map),
      isDictionary,
      // The bit below: https://github.com/v8/v8/blob/main/src/objects/map.tq (MapBitFields3)
      isPrototype: ((bits3 >>> (at.dictionaryBit - 1)) & 1) === 1,
      elementsKind: (bits2 & at.elementsKindMask) >>> at.elementsKindShift,
      hasPrototypeSlot: (u8[8 * map + at.bitFieldByte]! & HAS_PROTOTYPE_SLOT) !== 0,
      isOfConstructor: (bits2 & NEW_TARGET_IS_BASE) === 1,
      ...(isDictionary ? { fields: [], shared: [] } : this.#properties(map, ownCount)),
      objectClass: undefined,
    }
  }

  #properties(map: number, ownCount: number): { fields: Field[]; shared: SharedProperty[] } {
    const heap = this.#heap
    const { layout } = heap
    const { details, map: mapAt } = layout
    const fields: Field[] = []
    const shared: SharedProperty[] = []
    const descriptors = heap.target(map + mapAt.descriptors)
    const type = heap.typeAt(descriptors)
    if (type < layout.types.DESCRIPTOR_ARRAY || type >= layout.types.DESCRIPTOR_ARRAY + DESCRIPTOR_ARRAYS)
      return { fields, shared }
    const firstInObject = heap.u8[8 * map + mapAt.inObjectByte]!
    const inObjectCount = heap.u8[8 * map + mapAt.sizeByte]! - firstInObject
    const count = Math.min(ownCount, heap.u16[4 * descriptors + 4]!)
    for (let i = 0; i < count; i++) {
      const at = descriptors + layout.fields.descriptorsHeader + 3 * i
      const key = heap.target(at)
      if (key < 0 || !heap.isSmi(at + 1)) continue
      const bits = heap.smi(at + 1)
      const name = this.#texts.strings.intern(this.#texts.name(key))
      const isAccessor = (bits & details.kindMask) === details.accessor
      if ((bits & details.locationMask) >>> details.locationShift !== details.field) {
        shared.push({ key, name, value: at + 2, isAccessor })
        continue
      }
      const index = (bits & details.indexMask) >>> details.indexShift
      const isInObject = index < inObjectCount
      fields.push({
        ...{ key, name, isAccessor },
        inObject: isInObject ? firstInObject + index : -1,
        outside: isInObject ? -1 : index - inObjectCount,
      })
    }
    return { fields, shared }
  }

  /** The words of an object's dictionary of properties that hold a name; its value and details follow. */
  *entries(dictionary: number): Generator<number> {
    const heap = this.#heap
    if (dictionary < 0 || !heap.isSmi(dictionary + CAPACITY)) return
    const end = dictionary + 2 + heap.lengthOf(dictionary)
    const first = end - ENTRY * heap.smi(dictionary + CAPACITY)
    if (!(first > dictionary + CAPACITY && first <= end)) return
    const { firstNonstring, types } = heap.layout
    for (let at = first; at + 2 < end; at += ENTRY) {
      const type = heap.typeAt(heap.target(at))
      if (type >= 0 && (type < firstNonstring || type === types.SYMBOL)) yield at
    }
  }

  isFunction(word: number): boolean {
    const { functions } = this.#heap.layout
    const type = this.#heap.typeAt(word)
    return type >= functions.first && type <= functions.last
  }

  /** The name that a SharedFunctionInfo has, which its scope has for it if it has one. */
  functionName(shared: number): string {
    let name = this.#functionNames.get(shared)
    if (name === undefined) {
      const heap = this.#heap
      const named = heap.target(shared + heap.layout.fields.sharedName)
      const type = heap.typeAt(named)
      if (type === heap.layout.types.SCOPE_INFO) name = this.#scopes.of(named).functionName
      else name = named >= 0 && this.#texts.isString(named) ? this.#texts.text(named) : ''
      this.#functionNames.set(shared, name)
    }
    return name
  }
  /** The name of the function at `word`. */
  nameOf(word: number): string {
    const shared = this.#heap.target(word + this.#heap.layout.fields.functionShared)
    return shared < 0 ? '' : this.functionName(shared)
  }

  /** The word of a map's constructor, or NOWHERE: it stands in the first of the maps from which this one came. */
  mapConstructor(map: number): number {
    const heap = this.#heap
    const { types, map: at } = heap.layout
    let from = map
    for (let step = 0; step < MOST_STEPS; step++) {
      const found = heap.target(from + at.constructor)
      const type = heap.typeAt(found)
      if (type === types.MAP) from = found
      // A pair of the constructor and a scope of native code.
      else return type === types.TUPLE2 ? heap.target(found + 1) : found
    }
    return NOWHERE
  }

  /** Whether objects of the map have a property of that name; not asked of those that have a dictionary. */
  hasOwn({ fields, shared }: Shape, name: string): boolean {
    const wanted = this.#texts.strings.intern(name)
    return fields.some((field) => field.name === wanted) || shared.some((property) => property.name === wanted)
  }

  /** The word where an object has its own value of a property, or NOWHERE. Accessors have none. */
  ownValue(word: number, shape: Shape, name: string): number {
    const heap = this.#heap
    const { fields, types } = heap.layout
    const wanted = this.#texts.strings.intern(name)
    if (shape.isDictionary) {
      // That of the global object has other entries.
      if (shape.type === types.JS_GLOBAL_OBJECT) return NOWHERE
      for (const at of this.entries(heap.target(word + fields.properties))) {
        if (this.#texts.name(heap.target(at)) === name) return at + 1
      }
      return NOWHERE
    }
    for (const field of shape.fields) {
      if (field.name !== wanted) continue
      if (field.inObject >= 0) return word + field.inObject
      const outside = heap.target(word + fields.properties)
      return outside < 0 ? NOWHERE : outside + 2 + field.outside
    }
    return shape.shared.find((property) => property.name === wanted && !property.isAccessor)?.value ?? NOWHERE
  }

  /**
   * The class of a JavaScript object, and the function that made it, as V8 tells them in its snapshots.
   * https://github.com/v8/v8/blob/main/src/objects/js-objects.cc (GetConstructorHelper)
   */
  classOf(word: number, shape: Shape): ObjectClass {
    if (shape.objectClass) return shape.objectClass
    const { found, isOwn } = this.#searchClass(word, shape)
    // What an object itself says holds for no other object, although they may share a map.
    if (!isOwn && !shape.isPrototype) shape.objectClass = found
    return found
  }

  #searchClass(word: number, shape: Shape): { found: ObjectClass; isOwn: boolean } {
    const heap = this.#heap
    const { strings } = this.#texts
    const mapsMaker = this.mapConstructor(shape.map)
    const mapsName = this.isFunction(mapsMaker) ? this.nameOf(mapsMaker) : ''
    if (shape.isOfConstructor && !shape.isPrototype && mapsName !== '' && mapsName !== 'Object') {
      return { found: { name: strings.intern(mapsName), maker: mapsMaker }, isOwn: false }
    }
    let at = word
    let map = shape.map
    for (let step = 0; step < MOST_PROTOTYPES && at >= 0 && map >= 0; step++) {
      const each = this.of(map)
      if (each.type < heap.layout.types.JS_PROXY) break
      const isOwn = step === 0
      const tag = this.ownValue(at, each, '<symbol Symbol.toStringTag>')
      const text = tag < 0 ? NOWHERE : heap.target(tag)
      if (text >= 0 && this.#texts.isString(text)) {
        return { found: { name: strings.intern(this.#texts.text(text)), maker: NOWHERE }, isOwn }
      }
      // A prototype has its class's constructor, but is no instance of that class.
      const made = isOwn ? NOWHERE : this.ownValue(at, each, 'constructor')
      const maker = made < 0 ? NOWHERE : heap.target(made)
      const name = maker >= 0 && this.isFunction(maker) ? this.nameOf(maker) : ''
      if (name !== '') return { found: { name: strings.intern(name), maker }, isOwn }
      at = heap.target(map + heap.layout.map.prototype)
      map = at < 0 ? NOWHERE : heap.mapOf(at)
    }
    const isFunction = this.isFunction(word)
    return { found: { name: strings.intern(isFunction ? 'Function' : 'Object'), maker: NOWHERE }, isOwn: false }
  }
}
