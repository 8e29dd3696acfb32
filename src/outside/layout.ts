// Where things stand in V8's objects, from the constants in the binary; what those lack is found by rules.
//
// The constants: https://github.com/v8/v8/blob/main/tools/gen-postmortem-metadata.py

import { LeakscopeError } from '../errors.ts'

/** How the size of an object follows from its first words, where its map does not have it. */
export const Sizing = {
  /** Up to the next word that is a map. */
  unknown: 0,
  oneByteString: 1,
  twoByteString: 2,
  /** Two words, and one for each of as many elements as the second one says. */
  elements: 3,
  bytes: 4,
  bytecode: 5,
  propertyArray: 6,
  descriptors: 7,
  /** Three words, and as many as the second one says there is room for. */
  list: 8,
  freeSpace: 9,
  preparseData: 10,
} as const

/** Instance types that matter, by V8's name without `_TYPE`; -1 where this V8 has none such. */
const TYPE_NAMES = [
  ...['MAP', 'SYMBOL', 'HEAP_NUMBER', 'ODDBALL', 'FIXED_ARRAY', 'BYTE_ARRAY', 'BYTECODE_ARRAY', 'FIXED_DOUBLE_ARRAY'],
  ...['PROPERTY_ARRAY', 'DESCRIPTOR_ARRAY', 'STRONG_DESCRIPTOR_ARRAY', 'WEAK_FIXED_ARRAY', 'WEAK_ARRAY_LIST'],
  ...['FEEDBACK_VECTOR', 'FEEDBACK_METADATA', 'EMBEDDER_DATA_ARRAY', 'PREPARSE_DATA', 'TRUSTED_FIXED_ARRAY'],
  ...['PROTECTED_FIXED_ARRAY', 'TRUSTED_BYTE_ARRAY', 'TRUSTED_WEAK_FIXED_ARRAY', 'PROTECTED_WEAK_FIXED_ARRAY'],
  ...['ARRAY_LIST', 'DEPENDENT_CODE', 'FREE_SPACE', 'SCOPE_INFO', 'SHARED_FUNCTION_INFO', 'SCRIPT', 'ACCESSOR_PAIR'],
  ...['ACCESSOR_INFO', 'CELL', 'FEEDBACK_CELL', 'PROPERTY_CELL', 'PROTOTYPE_INFO', 'ALLOCATION_SITE', 'WEAK_CELL'],
  ...['ALLOCATION_MEMENTO', 'ENUM_CACHE', 'TUPLE2', 'CODE', 'INSTRUCTION_STREAM', 'FOREIGN', 'TRUSTED_FOREIGN'],
  ...[
    'JS_PROXY',
    'JS_OBJECT',
    'JS_ARRAY',
    'JS_MAP',
    'JS_SET',
    'JS_WEAK_MAP',
    'JS_WEAK_SET',
    'JS_WEAK_REF',
    'JS_PROMISE',
    'JS_ERROR',
  ],
  ...['JS_FINALIZATION_REGISTRY', 'JS_ARRAY_BUFFER', 'JS_TYPED_ARRAY', 'JS_DATA_VIEW', 'JS_RAB_GSAB_DATA_VIEW'],
  ...['JS_REG_EXP', 'JS_BOUND_FUNCTION', 'JS_GLOBAL_OBJECT', 'JS_GLOBAL_PROXY', 'JS_FUNCTION', 'JS_GENERATOR_OBJECT'],
  ...['JS_ASYNC_FUNCTION_OBJECT', 'JS_ASYNC_GENERATOR_OBJECT', 'CONTEXT_CELL', 'UNCOMPILED_DATA_WITH_PREPARSE_DATA'],
  ...['ARRAY_BOILERPLATE_DESCRIPTION', 'REG_EXP_BOILERPLATE_DESCRIPTION', 'CLOSURE_FEEDBACK_CELL_ARRAY'],
  ...['OBJECT_BOILERPLATE_DESCRIPTION', 'SCRIPT_CONTEXT_TABLE', 'INTERPRETER_DATA', 'SLOPPY_ARGUMENTS_ELEMENTS'],
  ...['COVERAGE_INFO', 'BYTECODE_WRAPPER', 'CODE_WRAPPER', 'TEMPLATE_OBJECT_DESCRIPTION', 'MEGA_DOM_HANDLER'],
  ...['REG_EXP_DATA', 'ATOM_REG_EXP_DATA', 'IR_REG_EXP_DATA'],
] as const
export type TypeName = (typeof TYPE_NAMES)[number]

/** More than V8 has instance types. */
const TYPE_COUNT = 1 << 16

/** Words are of 8 bytes, counted from the object's start, where its map stands. */
export interface Layout {
  readonly types: Readonly<Record<TypeName, number>>
  /** By instance type: as V8 calls it in heap snapshots, `ScopeInfo`. */
  readonly typeNames: ReadonlyMap<number, string>
  /** By instance type: a {@link Sizing}. */
  readonly sizing: Uint8Array
  readonly firstNonstring: number
  readonly bigInt: number
  readonly hole: number
  readonly contexts: Readonly<Record<'first' | 'last' | keyof typeof CONTEXTS, number>>
  /** Objects that native code has made from templates of its own. */
  readonly apiObjects: { readonly first: number; readonly behind: number }
  readonly functions: { readonly first: number; readonly last: number }
  readonly strings: {
    readonly representation: number
    readonly seq: number
    readonly cons: number
    readonly external: number
    readonly sliced: number
    readonly thin: number
    readonly encoding: number
    readonly twoByte: number
  }
  /** Of a Map: bytes for what ends in Byte, else words. */
  readonly map: {
    readonly sizeByte: number
    readonly inObjectByte: number
    readonly typeByte: number
    readonly bitFieldByte: number
    readonly bitField2Byte: number
    readonly bitField3Byte: number
    readonly prototype: number
    readonly constructor: number
    readonly descriptors: number
    readonly dependentCode: number
    readonly transitions: number
    readonly dictionaryBit: number
    readonly ownCountMask: number
    readonly ownCountShift: number
    readonly elementsKindMask: number
    readonly elementsKindShift: number
  }
  readonly details: {
    readonly kindMask: number
    readonly accessor: number
    readonly locationMask: number
    readonly locationShift: number
    readonly field: number
    readonly indexMask: number
    readonly indexShift: number
  }
  readonly fields: Readonly<Record<FieldName, number>>
  readonly dictionaryElements: number
  /** Kinds of elements that may refer to objects, but for frozen and sealed ones, of which V8 does not tell by number. */
  readonly objectElements: readonly number[]
  readonly contextSlots: number
  readonly scopeInfoFirst: number
  readonly bytecodeDataByte: number
  /** Of an oddball: which one it is, by number; -1 where holes have a type of their own. */
  readonly oddballHole: number
  /** First byte of a SharedFunctionInfo, of a JSArrayBuffer that is no reference. */
  readonly sharedRawByte: number
  readonly uncompiledStartByte: number
}

/** Words of fields, by the constant's class and field; a field that this V8 lacks is -1. */
const FIELDS = {
  properties: ['JSReceiver', 'raw_properties_or_hash'],
  elements: ['JSObject', 'elements'],
  functionShared: ['JSFunction', 'shared'],
  functionContext: ['JSFunction', 'context'],
  functionCell: ['JSFunction', 'raw_feedback_cell'],
  functionPrototype: ['JSFunction', 'prototype_or_initial_map'],
  sharedName: ['SharedFunctionInfo', 'name_or_scope_info'],
  sharedScript: ['SharedFunctionInfo', 'script_or_debug_info'],
  sharedScriptNewer: ['SharedFunctionInfo', 'script'],
  sharedMetadata: ['SharedFunctionInfo', 'feedback_metadata'],
  sharedData: ['SharedFunctionInfo', 'function_data'],
  scriptName: ['Script', 'name'],
  scriptSource: ['Script', 'source'],
  scriptLineEnds: ['Script', 'line_ends'],
  bufferBytes: ['JSArrayBuffer', 'byte_length'],
  bufferStore: ['JSArrayBuffer', 'backing_store'],
  consFirst: ['ConsString', 'first'],
  consSecond: ['ConsString', 'second'],
  slicedParent: ['SlicedString', 'parent'],
  slicedOffset: ['SlicedString', 'offset'],
  thinActual: ['ThinString', 'actual'],
  symbolName: ['Symbol', 'name'],
  regExpSource: ['JSRegExp', 'source'],
  regExpDataSource: ['RegExpData', 'source'],
  descriptorsHeader: ['DescriptorArray', 'header_size'],
} as const
type FieldName = keyof typeof FIELDS

/** What V8 calls types otherwise than its constants do. */
const TWO_AFTER_FEEDBACK_VECTOR = 2
/** Function types that follow JS_FUNCTION_TYPE where no constant ends them: constructors of the kinds of arrays, … */
const FUNCTION_TYPES = 16
/** Which of the types of contexts: AWAIT, BLOCK, CATCH, DEBUG_EVALUATE, EVAL, FUNCTION, MODULE, NATIVE, SCRIPT, WITH. */
const CONTEXTS = { block: 1, eval: 4, function: 5, module: 6, native: 7, script: 8 } as const

/**
 * @param of what the constants are of, for messages
 * @throws LeakscopeError `heap-unreadable` that names the constant or check, for a V8 that is built otherwise
 */
export function layoutOf(constants: ReadonlyMap<string, number>, of: string): Layout {
  const refuse = (problem: string): LeakscopeError =>
    new LeakscopeError('heap-unreadable', `the heap of ${of} cannot be read from outside: ${problem}`, {
      hint: 'Known to be readable are the official builds of Node.js 18, 20, 22, 24 and 26. The way over the inspector works with any: --via inspector.',
    })
  const number = (name: string): number => {
    const value = constants.get(name)
    if (value === undefined) throw refuse(`its binary lacks the constant v8dbg_${name}`)
    return value
  }
  // The last part of a field's name is its type, which changes between versions.
  const fieldBytes = new Map<string, number>()
  const types = new Map<string, number>()
  const typeNames = new Map<number, string>()
  for (const [name, value] of constants) {
    const field = /^class_(\w+?)__(\w+?)__/.exec(name)
    if (field) fieldBytes.set(`${field[1]}.${field[2]}`, value)
    const type = /^type_(\w+?)__(\w+)_TYPE$/.exec(name)
    if (!type) continue
    types.set(type[2]!, value)
    if (!typeNames.has(value)) typeNames.set(value, type[1]!)
  }
  const fieldByte = (name: string): number => {
    const bytes = fieldBytes.get(name)
    if (bytes === undefined) throw refuse(`its binary lacks the place of ${name}`)
    return bytes
  }
  if (number('SystemPointerSize') !== 8) throw refuse('it is not a 64-bit V8')
  if ((constants.get('TaggedSize') ?? 8) !== 8) {
    throw refuse('its V8 compresses pointers (TaggedSize is 4), which is not supported')
  }
  const type = Object.fromEntries(TYPE_NAMES.map((name) => [name, types.get(name) ?? -1])) as Record<TypeName, number>
  for (const name of [
    'MAP',
    'FIXED_ARRAY',
    'BYTE_ARRAY',
    'FEEDBACK_VECTOR',
    'JS_OBJECT',
    'JS_PROXY',
    'JS_FUNCTION',
  ] as const) {
    if (type[name] < 0) throw refuse(`its binary lacks the constant of ${name}_TYPE`)
  }
  if (type.FREE_SPACE < 0) type.FREE_SPACE = type.FEEDBACK_VECTOR + TWO_AFTER_FEEDBACK_VECTOR
  if (type.FEEDBACK_METADATA < 0) type.FEEDBACK_METADATA = type.FEEDBACK_VECTOR - 1
  typeNames.set(type.FREE_SPACE, 'FreeSpace')
  typeNames.set(type.FEEDBACK_METADATA, 'FeedbackMetadata')

  const firstNonstring = number('FirstNonstringType')
  const contexts = { first: number('FirstContextType'), last: number('LastContextType') }
  for (let each = contexts.first; each <= contexts.last; each++) typeNames.set(each, 'Context')
  const strings = {
    representation: number('StringRepresentationMask'),
    seq: number('SeqStringTag'),
    cons: number('ConsStringTag'),
    external: number('ExternalStringTag'),
    sliced: number('SlicedStringTag'),
    thin: number('ThinStringTag'),
    encoding: number('StringEncodingMask'),
    twoByte: number('TwoByteStringTag'),
  }
  const fields = Object.fromEntries(
    Object.entries(FIELDS).map(([name, [of, field]]) => {
      const bytes = fieldBytes.get(`${of}.${field}`)
      return [name, bytes === undefined ? -1 : bytes >> 3]
    }),
  ) as Record<FieldName, number>
  for (const name of [
    'properties',
    'elements',
    'functionShared',
    'functionContext',
    'sharedName',
    'scriptName',
    'scriptSource',
  ] as const) {
    if (fields[name] < 0) throw refuse(`its binary lacks the place of ${FIELDS[name].join('.')}`)
  }
  const hasHoleOddball = constants.has('OddballTheHole')
  return {
    types: type,
    typeNames,
    sizing: sizingOf(type, firstNonstring, contexts, strings),
    firstNonstring,
    bigInt: firstNonstring + 1,
    hole: hasHoleOddball ? -1 : type.FEEDBACK_VECTOR + 3,
    contexts: {
      ...contexts,
      block: contexts.first + CONTEXTS.block,
      eval: contexts.first + CONTEXTS.eval,
      function: contexts.first + CONTEXTS.function,
      module: contexts.first + CONTEXTS.module,
      native: contexts.first + CONTEXTS.native,
      script: contexts.first + CONTEXTS.script,
    },
    apiObjects: {
      first: number('APIObjectType'),
      // No type in between has a constant.
      behind: Math.min(...[type.JS_DATA_VIEW, type.JS_TYPED_ARRAY, type.JS_ARRAY_BUFFER].filter((each) => each > 0)),
    },
    functions: {
      first: constants.get('FirstJSFunctionType') ?? type.JS_FUNCTION,
      last: constants.get('LastJSFunctionType') ?? type.JS_FUNCTION + FUNCTION_TYPES,
    },
    strings,
    map: {
      sizeByte: fieldByte('Map.instance_size_in_words'),
      inObjectByte: fieldByte('Map.inobject_properties_start_or_constructor_function_index'),
      typeByte: fieldByte('Map.instance_type'),
      bitFieldByte: fieldByte('Map.bit_field'),
      bitField2Byte: fieldByte('Map.bit_field2'),
      bitField3Byte: fieldByte('Map.bit_field3'),
      prototype: fieldByte('Map.prototype') >> 3,
      constructor: fieldByte('Map.constructor_or_back_pointer') >> 3,
      descriptors: fieldByte('Map.instance_descriptors') >> 3,
      dependentCode: fieldByte('Map.dependent_code') >> 3,
      transitions: fieldByte('Map.raw_transitions') >> 3,
      dictionaryBit: number('bit_field3_is_dictionary_map_shift'),
      ownCountMask: number('bit_field3_number_of_own_descriptors_mask'),
      ownCountShift: number('bit_field3_number_of_own_descriptors_shift'),
      elementsKindMask: number('bit_field2_elements_kind_mask'),
      elementsKindShift: number('bit_field2_elements_kind_shift'),
    },
    details: {
      kindMask: number('prop_kind_mask'),
      accessor: number('prop_kind_Accessor'),
      locationMask: number('prop_location_mask'),
      locationShift: number('prop_location_shift'),
      field: number('prop_location_Field'),
      indexMask: number('prop_index_mask'),
      indexShift: number('prop_index_shift'),
    },
    fields,
    dictionaryElements: number('elements_dictionary_elements'),
    objectElements: [number('elements_fast_elements'), number('elements_fast_holey_elements')],
    contextSlots: number('context_min_slots'),
    scopeInfoFirst: number('scopeinfo_idx_first_vars'),
    bytecodeDataByte: fieldByte('BytecodeArray.data'),
    oddballHole: hasHoleOddball ? number('OddballTheHole') : -1,
    sharedRawByte: fieldBytes.get('SharedFunctionInfo.length') ?? Number.POSITIVE_INFINITY,
    uncompiledStartByte: fieldByte('UncompiledData.start_position'),
  }
}

function sizingOf(
  type: Readonly<Record<TypeName, number>>,
  firstNonstring: number,
  contexts: { readonly first: number; readonly last: number },
  strings: Layout['strings'],
): Uint8Array {
  const sizing = new Uint8Array(TYPE_COUNT)
  const set = (types: readonly TypeName[], rule: number): void => {
    for (const name of types) if (type[name] >= 0) sizing[type[name]] = rule
  }
  for (let each = 0; each < firstNonstring; each++) {
    if ((each & strings.representation) !== strings.seq) continue
    sizing[each] = (each & strings.encoding) === strings.twoByte ? Sizing.twoByteString : Sizing.oneByteString
  }
  // All types in between are FixedArrays with another name: hash tables, ordered maps, dictionaries, …
  sizing.fill(Sizing.elements, type.FIXED_ARRAY, type.BYTE_ARRAY)
  sizing.fill(Sizing.elements, contexts.first, contexts.last + 1)
  set(['TRUSTED_FIXED_ARRAY', 'PROTECTED_FIXED_ARRAY', 'WEAK_FIXED_ARRAY', 'EMBEDDER_DATA_ARRAY'], Sizing.elements)
  set(['TRUSTED_WEAK_FIXED_ARRAY', 'PROTECTED_WEAK_FIXED_ARRAY', 'FIXED_DOUBLE_ARRAY'], Sizing.elements)
  // TRANSITION_ARRAY has no constant of its own.
  if (type.WEAK_FIXED_ARRAY >= 0) sizing[type.WEAK_FIXED_ARRAY + 1] = Sizing.elements
  set(['BYTE_ARRAY', 'TRUSTED_BYTE_ARRAY'], Sizing.bytes)
  set(['BYTECODE_ARRAY'], Sizing.bytecode)
  set(['PROPERTY_ARRAY'], Sizing.propertyArray)
  set(['DESCRIPTOR_ARRAY', 'STRONG_DESCRIPTOR_ARRAY'], Sizing.descriptors)
  set(['WEAK_ARRAY_LIST', 'ARRAY_LIST', 'DEPENDENT_CODE'], Sizing.list)
  set(['FREE_SPACE'], Sizing.freeSpace)
  set(['PREPARSE_DATA'], Sizing.preparseData)
  return sizing
}
