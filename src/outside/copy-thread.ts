// A second thread for copying a process's memory: both threads take pieces from one list until there is none left.
//
// The first thread never depends on it: who is late finds nothing to do, and who dies is waited for no longer than the
// process may stand still.

import { availableParallelism, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { compiled } from '../support/second-thread.ts'
import { readerOf } from './live-memory.ts'
import type { Descriptors, MemorySource } from './memory-source.ts'

/** Memory of the process from start to end, which goes to offset `at` of the copy. */
export interface Piece {
  readonly start: number
  readonly end: number
  readonly at: number
}

export interface CopyThread {
  /**
   * Carries out `copyOne` for pieces that the thread does not take, and waits until it is done with those it took.
   * @param whileWaiting called again and again; may throw to end it
   */
  share(pieces: readonly Piece[], copyOne: (piece: Piece) => void, whileWaiting: () => void): void
  close(): Promise<void>
}

/** Numbers that both threads see: which list it is, the next piece of it, how many there are, whether the thread is at work. */
const LIST = 0
const NEXT = 1
const COUNT = 2
const BUSY = 3
/** Whether a piece could not be read. */
const FAILED = 4
const MOST_PIECES = 1 << 16
const NO_PIECE = 1 << 30
const START_MS = 2000
const POLL_MS = 1
/** That one has to wait for another thread, whatever else limits it. */
const LONGEST_MS = 20_000

interface Shared {
  readonly descriptors: Descriptors
  readonly bytes: Uint8Array
  readonly pieces: Float64Array
  readonly state: Int32Array
}

/** Copies what the process has been given between the two addresses. */
export function copyResident(
  source: Pick<MemorySource, 'read' | 'resident'>,
  bytes: Uint8Array,
  { start, end, at }: Piece,
): void {
  for (const [from, to] of source.resident(start, end)) source.read(from, bytes, at + from - start, to - from)
}

/**
 * Starts the thread, which can write to `bytes` only; undefined where there is no processor for it, or where the memory
 * cannot be read by two.
 */
export async function startCopyThread(source: MemorySource, bytes: Uint8Array): Promise<CopyThread | undefined> {
  const { descriptors } = source
  // Where others want all processors, the process would stand still until both threads have had theirs.
  if (!descriptors || availableParallelism() < 2 || loadavg()[0]! > availableParallelism() - 1) return undefined
  return start(descriptors, bytes)
}

/** The same, whether there is a processor or not. */
export async function start(descriptors: Descriptors, bytes: Uint8Array): Promise<CopyThread | undefined> {
  const pieces = new Float64Array(new SharedArrayBuffer(8 * 3 * MOST_PIECES))
  const state = new Int32Array(new SharedArrayBuffer(20))
  state[NEXT] = NO_PIECE
  const program = fileURLToPath(compiled(new URL('./copy-thread.js', import.meta.url).href))
  const data: Shared = { descriptors, bytes, pieces, state }
  const worker = new Worker(program, { workerData: { copyThread: data }, execArgv: [] })
  worker.unref()
  const isUp = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), START_MS)
    worker.once('message', () => {
      clearTimeout(timer)
      resolve(true)
    })
    worker.once('error', () => resolve(false))
  })
  if (!isUp) {
    await worker.terminate()
    return undefined
  }
  return {
    share(all, copyOne, whileWaiting) {
      const startedMs = performance.now()
      const finished = (): void => {
        while (Atomics.load(state, BUSY) !== 0) {
          if (performance.now() - startedMs > LONGEST_MS) throw new Error('the second thread does not answer')
          Atomics.wait(state, BUSY, 1, POLL_MS)
          whileWaiting()
        }
      }
      // From the last time, which may have ended before its time.
      finished()
      const count = Math.min(all.length, MOST_PIECES)
      for (let i = 0; i < count; i++) pieces.set([all[i]!.start, all[i]!.end, all[i]!.at], 3 * i)
      // In this order: nobody may take a number before it stands for a piece.
      Atomics.store(state, COUNT, count)
      Atomics.store(state, NEXT, 0)
      Atomics.add(state, LIST, 1)
      Atomics.notify(state, LIST)
      try {
        for (let i = Atomics.add(state, NEXT, 1); i < count; i = Atomics.add(state, NEXT, 1)) copyOne(all[i]!)
        for (const piece of all.slice(count)) copyOne(piece)
        finished()
        if (Atomics.load(state, FAILED) !== 0) throw new Error('the second thread could not read the memory')
      } finally {
        Atomics.store(state, NEXT, NO_PIECE)
        Atomics.store(state, COUNT, 0)
      }
    },
    async close() {
      await worker.terminate()
    },
  }
}

function work({ descriptors, bytes, pieces, state }: Shared): never {
  const reader = readerOf(descriptors)
  for (let seen = Atomics.load(state, LIST); ; seen = Atomics.load(state, LIST)) {
    // Said before a piece is taken: who sees that none is left sees this as well.
    Atomics.store(state, BUSY, 1)
    try {
      for (let i = Atomics.add(state, NEXT, 1); i < Atomics.load(state, COUNT); i = Atomics.add(state, NEXT, 1)) {
        copyResident(reader, bytes, { start: pieces[3 * i]!, end: pieces[3 * i + 1]!, at: pieces[3 * i + 2]! })
      }
    } catch {
      Atomics.store(state, FAILED, 1)
    }
    Atomics.store(state, BUSY, 0)
    Atomics.notify(state, BUSY)
    Atomics.wait(state, LIST, seen)
  }
}

const own = isMainThread ? undefined : (workerData as { copyThread?: Shared } | null)?.copyThread
if (own) {
  const { parentPort } = await import('node:worker_threads')
  parentPort!.postMessage('ready')
  work(own)
}
