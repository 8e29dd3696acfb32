// What the memory of a process is read through, be it alive or a core file.

/** A piece of a process's address space. */
export interface Mapping {
  readonly start: number
  readonly end: number
  readonly readable: boolean
  readonly writable: boolean
  readonly executable: boolean
  /** The file behind it, or a name in brackets such as `[stack]`; empty for memory without either. */
  readonly name: string
  /** Whether a file is behind it. */
  readonly hasFile: boolean
  /** Where in the file it begins. */
  readonly fileOffset: number
}

/** Open files of a running process, by number. */
export interface Descriptors {
  readonly memory: number
  readonly pagemap: number
}

export interface MemorySource {
  /** For messages: `process 4242`, `core.4242`. */
  readonly name: string
  /** Bytes of the file that it is; 0 for what is none. */
  readonly fileBytes: number
  /** The file with V8's constants: of the process, or of what wrote the core. */
  readonly executable: string
  /** Of a running process: what another thread can read the same memory by. */
  readonly descriptors?: Descriptors
  /** In ascending order. */
  mappings(): Mapping[]
  /** Reads into `target` from `at` on; returns how many bytes were there to be read. */
  read(address: number, target: Uint8Array, at: number, length: number): number
  /** The parts of start…end that have been given memory: pairs of start and end; all others read as zeros. */
  resident(start: number, end: number): readonly (readonly [start: number, end: number])[]
  /** The path of the file behind a mapping. */
  fileOf(mapping: Mapping): string
  /** By thread id: where its stack ends at the moment. Threads of which that is not known are left out. */
  stackPointers(): ReadonlyMap<number, number>
  close(): void
}

/** The address that stands at `address`, or 0. */
export function readWord(source: MemorySource, address: number): number {
  return source.read(address, WORD, 0, 8) === 8 ? WORD.readUInt32LE(0) + WORD.readUInt32LE(4) * 2 ** 32 : 0
}
const WORD = Buffer.alloc(8)

/** The mapping that has `address` in it, by bisection. */
export function mappingAt(mappings: readonly Mapping[], address: number): Mapping | undefined {
  let low = 0
  let high = mappings.length - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const mapping = mappings[middle]!
    if (address < mapping.start) high = middle - 1
    else if (address >= mapping.end) low = middle + 1
    else return mapping
  }
  return undefined
}
