// Accounts for the resident memory of a process, line by line, from what the system and V8 say of it; pure arithmetic.

import type { MallocRegion } from '../target/linux-malloc.ts'
import type { Mapping } from '../target/memory-map.ts'
import { type MappingKind, mappingKinds } from './mapping-kinds.ts'

/** The lines, in the order in which they are shown; the ids never change. */
export const LEDGER_LABELS = {
  'js-heap-used': 'JS heap in use',
  'js-heap-unused': 'JS heap, not in use',
  code: 'compiled code',
  'array-buffers': 'ArrayBuffers',
  'other-external': 'other external memory',
  'wasm-memory': 'WebAssembly memory',
  'worker-heaps': 'heaps of workers',
  'native-heap': 'native heap in use',
  'allocator-slack': 'idle in the allocator',
  'thread-stacks': 'thread stacks',
  'shared-libraries': 'Node and libraries',
  'mapped-files': 'mapped files',
  'shared-memory': 'shared memory',
  unexplained: 'unexplained',
} as const

/** Parts of lines that others ask for by their labels. Node's memoryUsage() counts nothing of the first. */
export const RESIZABLE = 'resizable and growable, in no figure of process.memoryUsage()'
export const V8_ITSELF = 'V8 itself'

export type LedgerLineId = keyof typeof LEDGER_LABELS

export interface LedgerLine {
  readonly id: LedgerLineId
  readonly bytes: number
  /** What it is made of, where more is known; their sum may be less. */
  readonly parts: readonly { readonly label: string; readonly bytes: number }[]
}

export interface Ledger {
  /** The sum of all lines. */
  readonly rssBytes: number
  /** Every line, also those of nothing. */
  readonly lines: readonly LedgerLine[]
  /** What was guessed, or could not be told, in sentences. */
  readonly notes: readonly string[]
  readonly allocator: Allocator | null
}

export interface Allocator {
  /** `jemalloc`, `tcmalloc`, `mimalloc` or `musl` where its library is mapped, else `glibc`. */
  readonly name: string
  /** Null where its memory could not be looked into. */
  readonly arenas: number | null
}

/** What one isolate says of its memory; `null` for what it did not. */
export interface IsolateMemory {
  /** `main`, or `worker:3`. */
  readonly isolate: string
  /** Null when it did not answer. */
  readonly sizes: IsolateSizes | null
}

export interface IsolateSizes {
  /** Of the spaces that hold no code. */
  readonly usedBytes: number
  /** Of the same, resident or about to be. */
  readonly committedBytes: number
  readonly codeBytes: number
  readonly arrayBufferBytes: number
  /** All that V8 was told of, the bytes of ArrayBuffers among them. */
  readonly externalBytes: number
  /** What V8 itself has from malloc. */
  readonly mallocedBytes: number
}

export interface MemoryFacts {
  /** Main first. */
  readonly isolates: readonly IsolateMemory[]
  /** As V8 sees it, for where there are no mappings. */
  readonly rssBytes: number
  /** Null where the system does not tell. */
  readonly mappings: readonly Mapping[] | null
  /** Null where the memory of the process may not be read. */
  readonly malloc: readonly MallocRegion[] | null
  /** Whether V8 counts WebAssembly memory among what is external. */
  readonly externalHasWasm: boolean
  /** What the main isolate, and what each other one, has of Node's own sources, which count as external: about so much. */
  readonly ownSources: { readonly mainBytes: number; readonly workerBytes: number }
}

export function ledger(facts: MemoryFacts): Ledger {
  return facts.mappings === null ? withoutMappings(facts) : withMappings(facts, facts.mappings)
}

function withMappings(facts: MemoryFacts, mappings: readonly Mapping[]): Ledger {
  const { isolates, malloc, externalHasWasm } = facts
  const kinds = mappingKinds(mappings)
  const resident = (...wanted: MappingKind[]) =>
    sum(mappings.filter((_, i) => wanted.includes(kinds[i]!)).map(({ rssBytes }) => rssBytes))
  const rssBytes = sum(mappings.map((mapping) => mapping.rssBytes))
  const lines = new Lines(rssBytes)
  const name = allocatorName(mappings)
  const regions = name === 'glibc' ? malloc : null
  const notes: string[] = []

  const v8 = lines.purse(resident('v8'))
  heapLines(v8, isolates)
  const silent = isolates.filter(({ sizes }) => sizes === null)
  if (silent.length === 0) v8.rest('js-heap-unused')
  else {
    v8.rest('worker-heaps', `${silent.map(({ isolate }) => isolate).join(', ')} (no answer)`)
    notes.push(
      `${silent.length} of ${isolates.length} isolates did not answer; their heaps are guessed from what is left`,
    )
  }

  const wasmBytes = sum(mappings.filter((_, i) => kinds[i] === 'wasm').map(({ start, end }) => end - start))
  lines.purse(resident('wasm')).rest('wasm-memory')
  lines.purse(resident('buffer')).rest('array-buffers', RESIZABLE)
  lines.purse(resident('stack')).rest('thread-stacks')
  lines.purse(resident('library')).rest('shared-libraries')
  lines.purse(resident('file')).rest('mapped-files')
  lines.purse(resident('shared')).rest('shared-memory')

  const native = nativeMemory(mappings, kinds, regions)
  const handedOut = lines.purse(native.inUse)
  const told = toldOfNative(facts, externalHasWasm ? wasmBytes : 0)
  // Memory handed out and never touched is not resident. That is how large buffers begin, and little else.
  handedOut.take('array-buffers', told.arrayBuffers - native.untouched)
  handedOut.take('other-external', told.external)
  handedOut.take('native-heap', told.v8Itself, V8_ITSELF)
  handedOut.rest('native-heap')
  lines.purse(native.idle).rest('allocator-slack')
  lines.purse(native.unknown).rest('unexplained')

  if (name !== 'glibc') notes.push(`what lies idle in ${name} cannot be seen from outside; it is in the native heap`)
  else if (regions === null) {
    notes.push('the memory of the process may not be read, so what lies idle in malloc is counted in the native heap')
  } else if (native.unwalked > 0) {
    notes.push('some memory of malloc changed while it was looked at; all of that is counted in the native heap')
  }
  const arenas = regions?.filter(({ isArena }) => isArena).length ?? null
  return { rssBytes, lines: lines.all(), notes, allocator: { name, arenas } }
}

/** Over the protocol alone: what V8 says, as far as it can be resident, and a rest that only the system could explain. */
function withoutMappings(facts: MemoryFacts): Ledger {
  const { isolates, rssBytes, externalHasWasm } = facts
  const lines = new Lines(rssBytes)
  const all = lines.purse(rssBytes)
  heapLines(all, isolates)
  const main = isolates[0]?.sizes
  if (main) all.take('js-heap-unused', main.committedBytes - main.usedBytes)
  const told = toldOfNative(facts, 0)
  all.take('array-buffers', told.arrayBuffers)
  all.take('other-external', told.external)
  all.rest('unexplained')
  const notes = [
    'only V8 was asked: what the system knows of the process (native memory, stacks, libraries, files) is in "unexplained"',
    ...(externalHasWasm ? ['WebAssembly memory is in "other external memory"'] : []),
  ]
  return { rssBytes, lines: lines.all(), notes, allocator: null }
}

function heapLines(v8: Purse, isolates: readonly IsolateMemory[]): void {
  const [main, ...workers] = isolates
  v8.take('js-heap-used', main?.sizes?.usedBytes ?? 0)
  for (const { isolate, sizes } of workers) {
    if (sizes) v8.take('worker-heaps', sizes.committedBytes + sizes.codeBytes, isolate)
  }
  v8.take('code', main?.sizes?.codeBytes ?? 0)
}

/** What V8 says of memory that is not its own, of all isolates together, for they hand it to each other. */
function toldOfNative({ isolates, ownSources }: MemoryFacts, wasmBytes: number) {
  const all = isolates.flatMap(({ isolate, sizes }) => {
    // They are texts in Node's executable, and resident as a part of that.
    const ownBytes = isolate === 'main' ? ownSources.mainBytes : ownSources.workerBytes
    return sizes ? [{ ...sizes, externalBytes: Math.max(0, sizes.externalBytes - ownBytes) }] : []
  })
  const arrayBuffers = sum(all.map(({ arrayBufferBytes }) => arrayBufferBytes))
  const external = sum(all.map(({ externalBytes }) => externalBytes))
  // Node counts the bytes of SharedArrayBuffers, V8 does not: the difference may be below nothing.
  const v8Itself = sum(all.map(({ mallocedBytes }) => mallocedBytes))
  return { arrayBuffers, external: Math.max(0, external - arrayBuffers - wasmBytes), v8Itself }
}

interface NativeMemory {
  /** Resident and handed out, or not known to be idle. */
  inUse: number
  /** Resident, and free. */
  idle: number
  /** Handed out and not resident. */
  untouched: number
  /** Resident, and nothing of what we know. */
  unknown: number
  /** Resident, of malloc, but not to be looked into. */
  unwalked: number
}

function nativeMemory(
  mappings: readonly Mapping[],
  kinds: readonly MappingKind[],
  regions: readonly MallocRegion[] | null,
): NativeMemory {
  const native: NativeMemory = { inUse: 0, idle: 0, untouched: 0, unknown: 0, unwalked: 0 }
  for (const [i, { start, end, rssBytes }] of mappings.entries()) {
    const kind = kinds[i]!
    if (kind !== 'arena' && kind !== 'anonymous') continue
    const own = regions?.filter((region) => region.start >= start && region.end <= end) ?? []
    const known = sum(own.map((region) => region.end - region.start))
    const residentShare = Math.min(rssBytes, known)
    const used = sum(own.map(({ inUseBytes }) => inUseBytes))
    native.inUse += Math.min(used, residentShare)
    native.untouched += Math.max(0, used - residentShare)
    native.idle += Math.max(0, residentShare - used)
    const rest = rssBytes - residentShare
    if (kind === 'anonymous' && regions !== null) native.unknown += rest
    else {
      native.inUse += rest
      native.unwalked += kind === 'arena' ? rest : 0
      native.untouched += regions === null && kind === 'anonymous' ? end - start - rssBytes : 0
    }
  }
  return native
}

const ALLOCATORS = [
  [/\/libjemalloc[^/]*$/, 'jemalloc'],
  [/\/libtcmalloc[^/]*$/, 'tcmalloc'],
  [/\/libmimalloc[^/]*$/, 'mimalloc'],
  [/\/ld-musl-[^/]*$|\/libc\.musl-[^/]*$/, 'musl'],
] as const

function allocatorName(mappings: readonly Mapping[]): string {
  for (const [pattern, name] of ALLOCATORS) if (mappings.some((mapping) => pattern.test(mapping.name))) return name
  return 'glibc'
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

interface Purse {
  /** Puts `bytes` into a line, or what there is left. */
  take(id: LedgerLineId, bytes: number, part?: string): void
  rest(id: LedgerLineId, part?: string): void
}

/** Lines under way: every byte is given out once, so that they add up. */
class Lines {
  readonly #bytes = new Map<LedgerLineId, number>()
  readonly #parts = new Map<LedgerLineId, { label: string; bytes: number }[]>()
  #left: number

  constructor(rssBytes: number) {
    this.#left = rssBytes
  }

  /** An amount to be given out. */
  purse(bytes: number): Purse {
    let left = bytes
    const take = (id: LedgerLineId, wanted: number, part?: string): void => {
      const given = Math.min(left, Math.max(0, wanted))
      left -= given
      this.#add(id, given, part)
    }
    return { take, rest: (id, part) => take(id, left, part) }
  }

  /** What no purse had is unexplained. */
  all(): LedgerLine[] {
    this.#add('unexplained', this.#left, undefined)
    return (Object.keys(LEDGER_LABELS) as LedgerLineId[]).map((id) => ({
      id,
      bytes: this.#bytes.get(id) ?? 0,
      parts: this.#parts.get(id) ?? [],
    }))
  }

  #add(id: LedgerLineId, bytes: number, part: string | undefined): void {
    this.#left -= bytes
    this.#bytes.set(id, (this.#bytes.get(id) ?? 0) + bytes)
    if (part !== undefined && bytes > 0) this.#parts.set(id, [...(this.#parts.get(id) ?? []), { label: part, bytes }])
  }
}
