// What each mapping of a process is there for, told by its name, its flags and its neighbours.

import { ARENA_BYTES } from '../target/linux-malloc.ts'
import type { Mapping } from '../target/memory-map.ts'

/**
 * `v8`: heap pages, code and tables of all isolates. `wasm`: WebAssembly memory in its guard region. `buffer`: an
 * ArrayBuffer that can be resized, or WebAssembly memory without guards; V8 maps both itself. `arena`: memory that
 * malloc hands out in pieces. `anonymous`: pieces of malloc with a mapping of their own, and what nobody tells.
 */
export type MappingKind = 'v8' | 'wasm' | 'buffer' | 'arena' | 'anonymous' | 'stack' | 'library' | 'file' | 'shared'

/** V8 reserves that much around a memory whose accesses it leaves unchecked. */
const WASM_GUARD_BYTES = 4 * 2 ** 30
const MOST_GUARD_BYTES = 1 << 16
/** What Node gives its workers, and what systems give other threads unless they are told otherwise. */
const STACK_BYTES: ReadonlySet<number> = new Set([4 << 20, 8 << 20])

/** Of mappings in the order of their addresses, the kind of each. */
export function mappingKinds(mappings: readonly Mapping[]): MappingKind[] {
  // A library is a file of which some part can be run; its data is mapped from it as well, and what follows is its too.
  const libraries = new Set(mappings.filter(({ access }) => access[2] === 'x').map(({ name }) => name))
  const kinds: MappingKind[] = []
  for (const [i, mapping] of mappings.entries()) {
    const around = { before: mappings[i - 1], after: mappings[i + 1], beyond: mappings[i + 2] }
    kinds.push(kindOf(mapping, around, kinds[i - 1], libraries))
  }
  return kinds
}

interface Neighbours {
  readonly before: Mapping | undefined
  readonly after: Mapping | undefined
  /** The one behind `after`. */
  readonly beyond: Mapping | undefined
}

function kindOf(
  it: Mapping,
  { before, after, beyond }: Neighbours,
  kindBefore: MappingKind | undefined,
  libraries: ReadonlySet<string>,
): MappingKind {
  const follows = before?.end === it.start
  if (it.access[3] === 's' && !it.name.startsWith('/')) return 'shared'
  if (/^\/(memfd:|SYSV|dev\/shm\/|dev\/zero)|^anon_inode:/.test(it.name)) return 'shared'
  if (it.name.startsWith('/')) return libraries.has(it.name) || /\.(so|node)\b/.test(it.name) ? 'library' : 'file'
  if (it.name.includes('stack')) return 'stack'
  if (it.name === '[heap]') return 'arena'
  if (it.name !== '' && !it.name.startsWith('[anon')) return 'library' // [vdso] and its like
  if (it.flags.has('dc')) return kindOfV8(it, follows ? before : undefined, after, beyond)
  if (follows && isGuard(before!) && (it.flags.has('nh') || STACK_BYTES.has(it.end - it.start))) return 'stack'
  if (it.start % ARENA_BYTES === 0 && it.flags.has('nr')) return 'arena'
  if (follows && kindBefore === 'library' && it.access === 'rw-p') return 'library'
  return 'anonymous'
}

function isGuard({ access, end, start, flags, name }: Mapping): boolean {
  return access === '---p' && name === '' && !flags.has('dc') && end - start <= MOST_GUARD_BYTES
}

/**
 * V8 reserves what a memory or a buffer may grow into: the part in use lies at the front, and nobody may touch the rest.
 * Many buffers stand side by side, so that in front of one there may be the reserve of another.
 */
function kindOfV8(
  it: Mapping,
  before: Mapping | undefined,
  after: Mapping | undefined,
  beyond: Mapping | undefined,
): MappingKind {
  const isReserved = after?.start === it.end && after.access === '---p' && after.flags.has('dc')
  if (it.access !== 'rw-p' || !isReserved) return 'v8'
  if (after.end - after.start >= WASM_GUARD_BYTES) return 'wasm'
  // V8's own tables have a part in front that can be touched; its room for code has one behind, above a guard.
  const belongsToFront = before?.flags.has('dc') && before.access !== '---p'
  const belongsToCode = beyond?.start === after.end && beyond.access[2] === 'x'
  return belongsToFront || belongsToCode || isHeapPage(it) ? 'v8' : 'buffer'
}

/** Heap pages begin at multiples of their size: kRegularPageSize in V8's src/common/globals.h. */
const HEAP_PAGE_BYTES = 1 << 18

const isHeapPage = ({ start, end }: Mapping): boolean =>
  start % HEAP_PAGE_BYTES === 0 && (end - start) % HEAP_PAGE_BYTES === 0
