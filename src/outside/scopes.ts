// What ScopeInfos tell: the names of variables and where contexts have them, the function's name, its place in the text.
//
// https://github.com/v8/v8/blob/main/src/objects/scope-info.tq

import { type Heap, NOWHERE } from './heap.ts'
import type { Texts } from './texts.ts'

export interface Scope {
  /** Names of variables in contexts, by number of the variable; -1 where there is none, else the text's number. */
  readonly names: readonly number[]
  /** Slot of a context in which the first variable stands. */
  readonly firstSlot: number
  readonly functionName: string
  /** Slot of a context in which the function has itself, by its own name; -1 if nowhere. */
  readonly functionSlot: number
  /** Unit of the script's text with which the function begins; -1 if this does not say. */
  readonly start: number
  readonly isStrict: boolean
  /** Whether variables that are declared by `var` in it are its own. */
  readonly isDeclaration: boolean
}

/** Two of the flags, which follow a type of four bits. */
const STRICT = 1 << 5
const DECLARATION = 1 << 6
/** Where the function's own name is kept: two bits. 2 means in the context. */
const FUNCTION_VARIABLE = { shift: 12, mask: 3, inContext: 2 }
/** From so many variables on, a hash table has their names. */
const MOST_INLINE = 75
/** In a hash table, behind map and length: entries, deleted ones, capacity. */
const TABLE_HEADER = 5

export class Scopes {
  readonly #heap: Heap
  readonly #texts: Texts
  readonly #scopes = new Map<number, Scope>()

  constructor(heap: Heap, texts: Texts) {
    this.#heap = heap
    this.#texts = texts
  }

  /** @param word of a ScopeInfo */
  of(word: number): Scope {
    let scope = this.#scopes.get(word)
    if (!scope) {
      scope = this.#read(word)
      this.#scopes.set(word, scope)
    }
    return scope
  }

  #read(word: number): Scope {
    const heap = this.#heap
    const { contextSlots, scopeInfoFirst, types } = heap.layout
    const end = word + heap.sizeAt(word)
    // A small integer, or as of V8 13 a number of 32 bits in the other half of the word.
    const flags = heap.u32[2 * word + 3]! || heap.u32[2 * word + 2]!
    const count = Math.max(0, Math.min(heap.smi(word + 3), end - word))
    let at = word + 1 + scopeInfoFirst
    // A module's scope has a number in front.
    if (count > 0) while (at < end && heap.isSmi(at)) at++
    const names: number[] = []
    if (heap.smi(word + 3) >= MOST_INLINE) {
      this.#readTable(heap.target(at), names)
      at++
    } else {
      for (let i = 0; i < count; i++) names.push(this.#nameAt(at + i))
      at += count
    }
    // Then, what kind of variable each is.
    at += heap.smi(word + 3)
    let start = scopeInfoFirst > 3 && heap.isSmi(word + 4) ? heap.smi(word + 4) : NOWHERE
    let functionName = ''
    let nameAt = NOWHERE
    for (; at < end; at++) {
      const target = heap.target(at)
      if (target >= 0) {
        if (nameAt < 0 && this.#texts.isString(target)) {
          functionName = this.#texts.text(target)
          nameAt = at
        } else if (heap.typeAt(target) === types.SCOPE_INFO) break
      } else if (start < 0 && scopeInfoFirst <= 3 && at + 1 < end && at !== nameAt + 1) {
        // Two numbers in a row are where the function begins and ends; one behind a name is the name's slot.
        if (heap.isSmi(at) && heap.isSmi(at + 1) && heap.smi(at) >= 0 && heap.smi(at + 1) >= heap.smi(at))
          start = heap.smi(at++)
      }
    }
    const functionVariable = (flags >>> FUNCTION_VARIABLE.shift) & FUNCTION_VARIABLE.mask
    return {
      names,
      firstSlot: contextSlots,
      functionName,
      functionSlot:
        functionVariable === FUNCTION_VARIABLE.inContext && nameAt >= 0 && heap.isSmi(nameAt + 1)
          ? heap.smi(nameAt + 1)
          : NOWHERE,
      start,
      isStrict: (flags & STRICT) !== 0,
      isDeclaration: (flags & DECLARATION) !== 0,
    }
  }

  #nameAt(at: number): number {
    const name = this.#heap.target(at)
    return name >= 0 && this.#texts.isString(name) ? this.#texts.strings.intern(this.#texts.name(name)) : NOWHERE
  }

  #readTable(table: number, names: number[]): void {
    const heap = this.#heap
    if (!heap.isObject(table)) return
    const end = table + heap.sizeAt(table)
    for (let at = table + TABLE_HEADER; at + 1 < end; at += 2) {
      if (!heap.isSmi(at + 1)) continue
      const name = this.#nameAt(at)
      const index = heap.smi(at + 1)
      if (name >= 0 && index >= 0 && index < end - table) names[index] = name
    }
    for (let i = 0; i < names.length; i++) names[i] ??= NOWHERE
  }
}
