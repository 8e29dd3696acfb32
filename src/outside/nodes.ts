// What each living object is in a heap snapshot: its type, its name, its size.
//
// As V8 does it: https://github.com/v8/v8/blob/main/src/profiler/heap-snapshot-generator.cc (V8HeapExplorer::AddEntry)

import { NodeType } from '../snapshot/meta.ts'
import type { Heap } from './heap.ts'
import type { TypeName } from './layout.ts'
import type { Shapes } from './shapes.ts'
import type { Texts } from './texts.ts'

export interface NodeColumns {
  /** Columns of the snapshot. */
  readonly type: Uint8Array
  readonly name: Uint32Array
  readonly size: Uint32Array | Float64Array
  /** Node of the object with ordinal 0; the others' follow, in order. */
  readonly first: number
  /** By ordinal of an object: an {@link Essence}. */
  readonly essence: Uint8Array
  /** The node behind the last object's. */
  readonly end: number
  /** Words of the global objects. */
  readonly globals: readonly number[]
}

/** Which references to an object V8's snapshots have. */
export const Essence = {
  all: 0,
  /** Only those that the program has made: true, null, … */
  named: 1,
  /** None: what stands for no value. */
  none: 2,
} as const

const CODE: readonly TypeName[] = [
  ...(['ALLOCATION_SITE', 'ARRAY_BOILERPLATE_DESCRIPTION', 'BYTECODE_ARRAY', 'BYTECODE_WRAPPER'] as const),
  ...(['CLOSURE_FEEDBACK_CELL_ARRAY', 'CODE', 'CODE_WRAPPER', 'FEEDBACK_CELL', 'FEEDBACK_METADATA'] as const),
  ...(['FEEDBACK_VECTOR', 'INSTRUCTION_STREAM', 'INTERPRETER_DATA', 'OBJECT_BOILERPLATE_DESCRIPTION'] as const),
  ...(['PREPARSE_DATA', 'REG_EXP_BOILERPLATE_DESCRIPTION', 'SCOPE_INFO', 'TEMPLATE_OBJECT_DESCRIPTION'] as const),
]
const SHAPES: readonly TypeName[] = [
  ...(['DESCRIPTOR_ARRAY', 'STRONG_DESCRIPTOR_ARRAY', 'PROTOTYPE_INFO', 'ENUM_CACHE', 'CELL'] as const),
]
/** Types that other types are like, by V8's name: LoadHandler, UncompiledData…, TrustedByteArray, … */
const CODE_NAME = /^(LoadHandler|StoreHandler|UncompiledData.*|Trusted.*|Protected.*|.*Handler)$/

/** Word of an oddball that says which one it is. */
const ODDBALL_KIND = 5
/** Empty things that V8 does not tell of have this many words. */
const EMPTY_WORDS = 2

/** @param into columns to be filled, from the node `first` on, which is the first object's */
export function describeNodes(
  heap: Heap,
  shapes: Shapes,
  texts: Texts,
  first: number,
  { type, name, size }: Pick<NodeColumns, 'type' | 'name' | 'size'>,
): NodeColumns {
  const { layout } = heap
  const { types, functions, contexts, strings: kinds, typeNames } = layout
  const { strings } = texts
  const essence = new Uint8Array(heap.count)
  const globals: number[] = []

  const text = (value: string): number => strings.intern(value)
  const names = {
    cons: text('(concatenated string)'),
    sliced: text('(sliced string)'),
    bound: text('native_bind'),
    context: text('system / Context'),
    nativeContext: text('system / NativeContext'),
    number: text('heap number'),
    symbol: text('symbol'),
    privateSymbol: text('private symbol'),
    bigint: text('bigint'),
    map: text('system / Map'),
    global: text('global'),
  }
  /** By instance type: the node's type and name where the type is all there is to say. */
  const systemTypes = new Map<number, { type: number; name: number }>()
  const systemType = (each: number): { type: number; name: number } => {
    let found = systemTypes.get(each)
    if (!found) {
      const isArray = (each >= types.FIXED_ARRAY && each <= types.BYTE_ARRAY) || each === types.FIXED_DOUBLE_ARRAY
      const called = typeNames.get(each) ?? (each === types.WEAK_FIXED_ARRAY + 1 ? 'TransitionArray' : `type ${each}`)
      const isOf = (list: readonly TypeName[]): boolean => list.some((it) => types[it] === each)
      found = {
        type:
          isOf(CODE) || CODE_NAME.test(called)
            ? NodeType.code
            : isArray
              ? NodeType.array
              : isOf(SHAPES) || called === 'TransitionArray'
                ? NodeType.objectShape
                : NodeType.hidden,
        name: isArray ? 0 : text(`system / ${called}`),
      }
      systemTypes.set(each, found)
    }
    return found
  }

  // The same version that keeps what it knows of pages apart from them counts nothing that all isolates share, and the
  // text of an external string as a part of it.
  const asOfV8_13 = heap.pages.some(({ metadata }) => metadata !== 0)
  let node = first
  for (let word = heap.nextObject(0); word >= 0; word = heap.nextObject(word + 1)) {
    const map = heap.mapOf(word)
    const each = heap.typeOfMap(map)
    const words = heap.sizeAt(word)
    let bytes = 8 * words
    if (asOfV8_13) {
      if (heap.isShared(word)) bytes = 0
      else if (each < layout.firstNonstring && (each & kinds.representation) === kinds.external) {
        bytes += texts.length(word) * ((each & kinds.encoding) === kinds.twoByte ? 2 : 1)
      }
    }
    size[node] = bytes
    const put = (nodeType: number, nodeName: number): void => {
      type[node] = nodeType
      name[node] = nodeName
    }
    if (each < layout.firstNonstring) {
      const kind = each & kinds.representation
      if (kind === kinds.cons) put(NodeType.consString, names.cons)
      else if (kind === kinds.sliced) put(NodeType.slicedString, names.sliced)
      else put(NodeType.string, texts.intern(word, each))
    } else if (each > types.JS_PROXY) {
      if (each >= functions.first && each <= functions.last) put(NodeType.closure, text(shapes.nameOf(word)))
      else if (each === types.JS_BOUND_FUNCTION) put(NodeType.closure, names.bound)
      else if (each === types.JS_REG_EXP) put(NodeType.regexp, text(patternOf(heap, texts, word)))
      else if (each === types.JS_GLOBAL_OBJECT) {
        put(NodeType.object, names.global)
        globals.push(word)
      } else put(NodeType.object, shapes.classOf(word, shapes.of(map)).name)
    } else if (each >= contexts.first && each <= contexts.last) {
      if (each === contexts.native) put(NodeType.hidden, names.nativeContext)
      else put(NodeType.object, names.context)
    } else {
      switch (each) {
        case types.SHARED_FUNCTION_INFO:
          put(NodeType.code, text(shapes.functionName(word) || '(shared function info)'))
          break
        case types.SCRIPT: {
          const named = heap.target(word + layout.fields.scriptName)
          put(NodeType.code, named >= 0 && texts.isString(named) ? text(texts.text(named)) : 0)
          break
        }
        case types.HEAP_NUMBER:
          put(NodeType.number, names.number)
          break
        case types.SYMBOL:
          if (texts.isPrivateSymbol(word)) put(NodeType.hidden, names.privateSymbol)
          else put(NodeType.symbol, names.symbol)
          break
        case layout.bigInt:
          put(NodeType.bigint, names.bigint)
          break
        case types.MAP:
          // Those that are a part of V8 stand where nothing ever changes.
          put(heap.isShared(word) ? NodeType.hidden : NodeType.objectShape, names.map)
          break
        case types.CODE:
        case types.INSTRUCTION_STREAM:
          put(NodeType.code, 0)
          break
        default: {
          const system = systemType(each)
          put(system.type, system.name)
          if (each === types.ODDBALL) {
            const isHole = layout.oddballHole >= 0 && heap.smi(word + ODDBALL_KIND) === layout.oddballHole
            essence[node - first] = isHole ? Essence.none : Essence.named
          } else if (each === layout.hole) essence[node - first] = Essence.none
          else if (words <= EMPTY_WORDS && system.type === NodeType.array && heap.isShared(word))
            essence[node - first] = Essence.none
        }
      }
    }
    node++
  }
  return { type, name, size, first, essence, end: node, globals }
}

/** A regular expression's pattern, which newer versions keep in an object of its own. */
function patternOf(heap: Heap, texts: Texts, word: number): string {
  const { fields, typeNames } = heap.layout
  const found = heap.target(word + (fields.regExpSource >= 0 ? fields.regExpSource : 3))
  if (found < 0) return ''
  if (texts.isString(found)) return texts.text(found)
  if (!typeNames.get(heap.typeAt(found))?.endsWith('RegExpData')) return ''
  const source = heap.target(found + (fields.regExpDataSource >= 0 ? fields.regExpDataSource : 2))
  return source < 0 ? '' : texts.text(source)
}
