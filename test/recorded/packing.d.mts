export class Strings {
  readonly texts: readonly string[]
  constructor(texts?: readonly string[])
}

export interface Frame {
  readonly head: string
  readonly middle: string
  readonly rowEnd: string
}

/** A snapshot in columns. */
export interface Heap extends Frame {
  readonly nodes: Uint32Array
}

export function frameOf(heap: Heap): Frame

export function parse(bytes: Buffer, strings: Strings): Heap
export function write(heap: Heap, strings: Strings): Buffer
export function pack(
  heap: Heap,
  base: Heap | undefined,
  strings: Strings,
  isSameProcess: boolean,
  known: number,
): Buffer[]
export function unpack(
  streams: readonly Buffer[],
  frame: Frame,
  base: Heap | undefined,
  strings: Strings,
  isSameProcess: boolean,
): Heap
