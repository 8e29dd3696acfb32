// pprof's profile.proto, in and out: https://github.com/google/pprof/blob/main/proto/profile.proto

import { LeakscopeError } from '../errors.ts'
import type { Slices } from '../support/breathing.ts'
import { apartOf, type CallTree, FrameTable, type LooseTree, malformed, type SampleType } from './call-tree.ts'
import { growableFloats } from './growable.ts'
import { WireError, WireReader, WireWriter } from './protobuf.ts'
import { StackTrie } from './stack-trie.ts'

/** Numbers of fields, as profile.proto has them. */
const Profile = {
  sampleType: 1,
  sample: 2,
  mapping: 3,
  location: 4,
  function: 5,
  string: 6,
  durationNanos: 10,
  periodType: 11,
  period: 12,
  defaultSampleType: 14,
}
const ValueType = { type: 1, unit: 2 }
const Sample = { location: 1, value: 2, label: 3 }
const Label = { key: 1, text: 2 }
const Mapping = { id: 1, filename: 5, hasFunctions: 7, hasFilenames: 8, hasLines: 9 }
const Location = { id: 1, mapping: 2, address: 3, line: 4 }
const Line = { function: 1, line: 2 }
const Func = { id: 1, name: 2, systemName: 3, filename: 4, startLine: 5 }

const BREATHE_EVERY = 1024

/** Units that mean the same as one of ours, and how many of ours they are. */
const UNITS = new Map<string, readonly [unit: string, factor: number]>([
  ['nanoseconds', ['microseconds', 1e-3]],
  ['milliseconds', ['microseconds', 1e3]],
  ['seconds', ['microseconds', 1e6]],
  ['kilobytes', ['bytes', 1024]],
  ['megabytes', ['bytes', 1024 ** 2]],
])

/**
 * Reads a profile that is unpacked already. Samples of one stack are added up, whatever their labels.
 * @throws LeakscopeError `profile-malformed`
 */
export function* readPprof(file: string, bytes: Buffer): Slices<LooseTree> {
  try {
    return yield* readMessage(file, bytes)
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    throw malformed(
      file,
      `is no pprof profile, or a damaged one: ${error.message}`,
      'Fetch or capture it again.',
      error,
    )
  }
}

/** A message's place in the file. */
type Span = readonly [at: number, end: number]

function* readMessage(file: string, bytes: Buffer): Slices<LooseTree> {
  const strings: string[] = []
  const types: Span[] = []
  const locations: Span[] = []
  const functions: Span[] = []
  let durationNanos = 0
  let preferred = 0
  // Samples may stand in front of all that they refer to, so they come in a second round.
  for (const message = new WireReader(bytes); message.next(); ) {
    const span = (): Span => {
      const { at, end } = message.span()
      return [at, end]
    }
    if (message.field === Profile.string) strings.push(message.text())
    else if (message.field === Profile.sampleType) types.push(span())
    else if (message.field === Profile.location) locations.push(span())
    else if (message.field === Profile.function) functions.push(span())
    else if (message.field === Profile.durationNanos) durationNanos = message.number()
    else if (message.field === Profile.defaultSampleType) preferred = message.number()
    else message.skip()
  }
  yield
  const text = (index: number): string => {
    const found = strings[index]
    if (found === undefined) throw new WireError(`there is no text ${index}`)
    return found
  }
  if (types.length === 0) throw new WireError('it says of no type what its samples are')
  const sampleTypes = types.map((span) => {
    const { [ValueType.type]: type = 0, [ValueType.unit]: unit = 0 } = fieldsOf(bytes, span)
    return { name: text(type), unit: text(unit) }
  })
  const frames = new FrameTable()
  const frameOf = new Map<number, number>()
  for (const span of functions) {
    const fields = fieldsOf(bytes, span)
    const name = text(fields[Func.name] ?? 0) || text(fields[Func.systemName] ?? 0)
    const line = Math.max(0, fields[Func.startLine] ?? 0)
    const url = text(fields[Func.filename] ?? 0)
    frameOf.set(fields[Func.id] ?? 0, frames.add(name || '(anonymous)', url, line >>> 0, 0))
  }
  const stackOf = new Map<number, number[]>()
  for (const span of locations) {
    const [id, stack] = readLocation(bytes, span, frames, frameOf)
    stackOf.set(id, stack)
  }
  yield

  const trie = new StackTrie(file)
  const self = sampleTypes.map(growableFloats)
  let samples = 0
  for (const message = new WireReader(bytes); message.next(); ) {
    if (message.field !== Profile.sample) {
      message.skip()
      continue
    }
    if (++samples % BREATHE_EVERY === 0) yield
    const ids: number[] = []
    const values: number[] = []
    for (const sample = message.message(); sample.next(); ) {
      if (sample.field === Sample.location) sample.numbers((id) => ids.push(id))
      else if (sample.field === Sample.value) sample.numbers((value) => values.push(value))
      else sample.skip()
    }
    if (values.length !== sampleTypes.length) {
      throw new WireError(`sample ${samples} has ${values.length} values for ${sampleTypes.length} types`)
    }
    let node = -1
    for (let i = ids.length - 1; i >= 0; i--) {
      const stack = stackOf.get(ids[i]!)
      if (stack === undefined) throw new WireError(`sample ${samples} names location ${ids[i]}, which is not there`)
      for (let j = stack.length - 2; j >= 0; j -= 2) node = trie.below(node, stack[j]!, stack[j + 1]!)
    }
    if (node < 0) node = trie.below(-1, frames.add('(unknown)', '', 0, 0), 0)
    for (const column of self) while (column.length < trie.size) column.push(0)
    values.forEach((value, type) => {
      self[type]!.add(node, value)
    })
  }
  const scaled = sampleTypes.map(({ name, unit }, i) => {
    const [ours, factor] = UNITS.get(unit) ?? [unit, 1]
    return { type: { name, unit: ours }, values: self[i]!.view().map((value) => value * factor) }
  })
  // The one to look at stands last, as it does where nothing else is said.
  const first = preferred === 0 ? -1 : scaled.findIndex(({ type }) => type.name === text(preferred))
  if (first >= 0) scaled.push(...scaled.splice(first, 1))
  return {
    frames,
    ...trie.columns(),
    sampleTypes: scaled.map(({ type }) => type),
    self: scaled.map(({ values }) => values),
    durationMs: durationNanos > 0 ? durationNanos / 1e6 : null,
    period: null,
    nameOf: (node) => `${node}`,
  }
}

/** The numbers of a message, by field. */
function fieldsOf(bytes: Buffer, [at, end]: Span): Partial<Record<number, number>> {
  const fields: Partial<Record<number, number>> = {}
  for (const message = new WireReader(bytes, at, end); message.next(); ) {
    if (message.holdsNumber) fields[message.field] = message.number()
    else message.skip()
  }
  return fields
}

/** A location's id and its calls, frame and line of each; the innermost first where functions were inlined. */
function readLocation(
  bytes: Buffer,
  [at, end]: Span,
  frames: FrameTable,
  frameOf: ReadonlyMap<number, number>,
): [id: number, stack: number[]] {
  let id = 0
  let address = 0
  const stack: number[] = []
  for (const message = new WireReader(bytes, at, end); message.next(); ) {
    if (message.field === Location.id) id = message.number()
    else if (message.field === Location.line) {
      const { at, end } = message.span()
      const fields = fieldsOf(bytes, [at, end])
      const frame = frameOf.get(fields[Line.function] ?? 0)
      if (frame === undefined) throw new WireError(`location ${id} names a function that is not there`)
      stack.push(frame, Math.max(0, fields[Line.line] ?? 0) >>> 0)
    } else if (message.field === Location.address) address = message.number()
    else message.skip()
  }
  // Machine code that nobody has put names to.
  if (stack.length === 0) stack.push(frames.add(`0x${address.toString(16)}`, '', 0, 0), 0)
  return [id, stack]
}

export interface PprofOptions {
  /** Put on every sample, such as the isolate that it is of. */
  readonly labels?: Readonly<Record<string, string>>
}

/** Values are whole numbers there: time becomes nanoseconds, so that nothing is lost by rounding. */
const written = ({ name, unit }: SampleType): SampleType & { factor: number } =>
  unit === 'microseconds' ? { name, unit: 'nanoseconds', factor: 1000 } : { name, unit, factor: 1 }

/**
 * The profile as profile.proto has it, not packed yet. Each node that has something of its own becomes a sample.
 * @param self by sample type, by node; the tree's own unless something was left out or taken off
 */
export function* writePprof(
  tree: CallTree,
  self: readonly Float64Array[],
  { labels = {} }: PprofOptions = {},
): Slices<Buffer> {
  const strings = new Map<string, number>([['', 0]])
  const text = (value: string): number => {
    if (!strings.has(value)) strings.set(value, strings.size)
    return strings.get(value)!
  }
  const types = tree.sampleTypes.map(written)
  const out = new WireWriter()
  const message = new WireWriter()
  const inner = new WireWriter()
  const valueType = ({ name, unit }: SampleType): Buffer =>
    message.clear().number(ValueType.type, text(name)).number(ValueType.unit, text(unit)).written
  for (const type of types) out.bytes(Profile.sampleType, valueType(type))

  const labelBytes = Object.entries(labels).map(([key, value]) =>
    Buffer.from(message.clear().number(Label.key, text(key)).number(Label.text, text(value)).written),
  )
  /** By frame and line: the location's id. */
  const locations = new Map<number, number>()
  /** By depth: ids of the callers' locations. */
  const path: number[] = []
  for (let node = 0; node < tree.parent.length; node++) {
    if (node % BREATHE_EVERY === 0) yield
    const frame = tree.frame[node]!
    const depth = tree.depth[node]!
    const key = tree.line[node]! * tree.frames.size + frame
    let location = locations.get(key)
    if (location === undefined) {
      location = locations.size + 1
      locations.set(key, location)
    }
    path.length = depth
    path.push(apartOf(tree.frames, frame) === 'root' ? 0 : location)
    const values = self.map((column, type) => Math.round(column[node]! * types[type]!.factor))
    if (values.every((value) => value === 0)) continue
    if (!values.every(Number.isSafeInteger)) {
      throw new LeakscopeError('profile-mismatch', 'a value of the profile is too large for pprof')
    }
    const stack = path.filter((id) => id > 0).reverse()
    message.clear().numbers(Sample.location, stack).numbers(Sample.value, values)
    for (const label of labelBytes) message.bytes(Sample.label, label)
    out.bytes(Profile.sample, message.written)
  }

  // Without a mapping that says it has names, `go tool pprof` would look for a binary to take them from.
  message.clear().number(Mapping.id, 1).number(Mapping.filename, text('node'))
  message.number(Mapping.hasFunctions, 1).number(Mapping.hasFilenames, 1).number(Mapping.hasLines, 1)
  out.bytes(Profile.mapping, message.written)
  const functions = new Set<number>()
  for (const [key, id] of locations) {
    const frame = key % tree.frames.size
    functions.add(frame)
    inner.clear().number(Line.function, frame + 1)
    // Of callers V8 does not say which line called: where the function begins is the best there is.
    inner.number(Line.line, Math.floor(key / tree.frames.size) || tree.frames.line(frame))
    message.clear().number(Location.id, id).number(Location.mapping, 1).bytes(Location.line, inner.written)
    out.bytes(Profile.location, message.written)
  }
  for (const frame of functions) {
    const name = text(tree.frames.name(frame))
    message
      .clear()
      .number(Func.id, frame + 1)
      .number(Func.name, name)
      .number(Func.systemName, name)
    message.number(Func.filename, text(tree.frames.url(frame)))
    message.number(Func.startLine, tree.frames.line(frame))
    out.bytes(Profile.function, message.written)
  }
  out.number(Profile.durationNanos, Math.round((tree.durationMs ?? 0) * 1e6))
  const last = types.at(-1)!
  if (tree.period !== null) {
    out.bytes(Profile.periodType, valueType(last)).number(Profile.period, Math.round(tree.period * last.factor))
  }
  out.number(Profile.defaultSampleType, text(last.name))
  for (const value of strings.keys()) out.text(Profile.string, value)
  return out.written
}
