// From a pid or a core file to the heaps in it: what V8's inspector would give, without the process's help.

import { LeakscopeError } from '../errors.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { giveBack } from '../support/arena.ts'
import { collectGarbage } from '../support/garbage.ts'
import type { RunningScript } from '../support/script-sources.ts'
import type { Contents } from './contents.ts'
import { type CopyThread, startCopyThread } from './copy-thread.ts'
import { openCoreMemory } from './core-memory.ts'
import { MACHINE_ARM64, MACHINE_X64, readElf, readV8Constants } from './elf.ts'
import { type OutOfMemory, outOfMemory } from './ending.ts'
import { type FoundFreezer, findFreezer } from './freezer.ts'
import { type CopyPlan, copyHeap, type HeapImage, planCopy, type Region, touch } from './heap-image.ts'
import type { ScheduledFunction } from './immediates.ts'
import { collectIsolate, type PendingSnapshot } from './isolate-snapshot.ts'
import type { JsFrame } from './js-stack.ts'
import { type Layout, layoutOf } from './layout.ts'
import { openLiveMemory } from './live-memory.ts'
import type { MemorySource } from './memory-source.ts'
import { byFreezer, bySignal, isOutOfReach, isStopped, runCounts, startWatchdog, statOf, whileStopped } from './stop.ts'
import type { Traces } from './traces.ts'
import type { HeapUsage } from './usage.ts'

export interface OutsideHeap {
  /** Of V8's `Heap` in the process. */
  readonly address: number
  /** `main`, or `worker:` and the thread's id. */
  readonly isolate: string
  readonly snapshot: Snapshot
  /** By which a later picture knows its objects again; only where that was asked for. */
  readonly traces: Traces | undefined
  /** What its collections and views hold; likewise. */
  readonly contents: Contents | undefined
  /** The program's scripts; the text of those that no file has. */
  readonly scripts: readonly RunningScript[]
  /** What its pages consist of. */
  readonly usage: HeapUsage
  /** By thread id: the functions of this isolate that it was in, the innermost first. */
  readonly stacks: ReadonlyMap<number, readonly JsFrame[]>
  /** What it has run in the next turn of its event loop: by setImmediate, or by awaiting one. */
  readonly scheduled: readonly ScheduledFunction[]
  /** The last error that native code has at hand. */
  readonly error: string | undefined
}

export interface OutsideCapture {
  /** The main thread's first. All are of the same instant. */
  readonly heaps: readonly OutsideHeap[]
  /** How long the process stood still; 0 if it was idle meanwhile, or is none any more. */
  readonly pausedMs: number
  /** Bytes that were copied. */
  readonly copiedBytes: number
  /** The signal that ended the process, by number; 0 where there was none. */
  readonly endedBy: number
  /** Of a core file of a process that was ended: more of that. */
  readonly ending?: Ending
  /** The program that the constants are from. */
  readonly executable: string
  readonly takenAt: Date
}

export interface Ending {
  readonly outOfMemory: OutOfMemory | undefined
  /** The functions that the thread was in which was ended, the innermost first; none if it was in no JavaScript. */
  readonly stack: readonly JsFrame[]
  /** The last error that native code of V8 had at hand: `TypeError: …`. */
  readonly error: string | undefined
}

export interface LiveOptions {
  /** The longest that the process may stand still; 0 to not stop it at all. Default 1000. */
  readonly maxPauseMs?: number
  readonly signal?: AbortSignal
  /** Whether its objects are to be known again: in a later picture, and in the memory of the process. Default false. */
  readonly isRecognizable?: boolean
  /** Called when the process runs again, before the graph is built. */
  readonly onCopied?: ((pausedMs: number) => void) | undefined
}

const DEFAULT_MAX_PAUSE_MS = 1000
/** Attempts to copy while nobody runs, the time between them, and for how long nobody must have run before one. */
const IDLE = { attempts: 4, patientAttempts: 150, betweenMs: 20, forMs: 3 }
/** Attempts where the machine is so busy that the process, or the copying, was kept waiting. */
const BUSY = { attempts: 4, betweenMs: 250 }
/** Attempts after one in the middle of a garbage collection. */
const COLLECTING = { attempts: 4, betweenMs: 25 }

/**
 * Takes the heaps of a running process. First without stopping it: if no thread of it ran meanwhile, the copy is as
 * good. Else it is stopped, for as long as copying takes.
 *
 * Memory: the size of its V8 heap, and some 100 bytes an object; nothing in the process.
 * @throws LeakscopeError `target-…`; `heap-unreadable`, naming the check that failed; `price-too-high` for a pause that
 * is longer than allowed
 */
export async function captureFromOutside(pid: number, options: LiveOptions = {}): Promise<OutsideCapture> {
  const { maxPauseMs = DEFAULT_MAX_PAUSE_MS, signal, isRecognizable = false, onCopied = () => {} } = options
  if (process.platform !== 'linux') {
    throw new LeakscopeError(
      'platform-unsupported',
      `a process cannot be read from outside on ${process.platform}, only on Linux`,
    )
  }
  if (pid === process.pid) throw new LeakscopeError('usage-invalid', `process ${pid} is leakscope itself`)
  const birth = statOf(pid)?.birth
  if (birth === undefined) throw new LeakscopeError('target-not-found', `there is no process ${pid}`)
  const source = openLiveMemory(pid)
  try {
    const layout = readLayout(source)
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted()
      const takenAt = new Date()
      const copy = await copyLive(source, pid, birth, maxPauseMs)
      const { pausedMs } = copy
      onCopied(pausedMs)
      try {
        const heaps = heapsIn(copy, layout, source, isRecognizable)
        return { ...heaps, pausedMs, endedBy: 0, executable: source.executable, takenAt }
      } catch (error) {
        // The garbage collector may have been at work, of which the next moment shows nothing.
        const mayPass = error instanceof LeakscopeError && error.code === 'heap-unreadable'
        if (!mayPass || attempt === COLLECTING.attempts) throw error
        await sleep(COLLECTING.betweenMs)
      }
    }
  } catch (error) {
    if (!(error instanceof LeakscopeError) && statOf(pid)?.birth !== birth)
      throw new LeakscopeError('target-died', `process ${pid} has ended while it was read`, { cause: error })
    throw error
  } finally {
    source.close()
  }
}

/**
 * The heaps in a core file.
 * @param executable what wrote it; by default, what the core says
 * @param isRecognizable as in {@link LiveOptions}
 */
export function openCore(path: string, executable?: string, isRecognizable = false): OutsideCapture {
  const source = openCoreMemory(path, executable)
  try {
    const layout = readLayout(source)
    const found = heapsIn({ image: copyHeap(source, planCopy(source)) }, layout, source, isRecognizable)
    const { endedBy, endedThread } = source
    const own = found.heaps.find(({ stacks }) => stacks.has(endedThread))
    const ending: Ending = {
      outOfMemory: outOfMemory(source, endedThread),
      stack: own?.stacks.get(endedThread) ?? [],
      error: own?.error,
    }
    return {
      ...found,
      ...(endedBy !== 0 && { ending }),
      pausedMs: 0,
      endedBy,
      executable: source.executable,
      takenAt: new Date(),
    }
  } finally {
    source.close()
  }
}

async function copyLive(
  source: MemorySource,
  pid: number,
  birth: number,
  maxPauseMs: number,
): Promise<Copy & { readonly pausedMs: number }> {
  const plan = planCopy(source)
  touch(plan)
  const thread = plan.bytes.length > WORTH_A_THREAD ? await startCopyThread(source, plan.bytes) : undefined
  try {
    const whileIdle = (attempts: number): Promise<HeapImage | undefined> =>
      copyIdle(source, pid, plan, thread, attempts)
    const idle = await whileIdle(IDLE.attempts)
    if (idle) return { image: idle, pausedMs: 0 }
    if (isStopped(pid)) throw new LeakscopeError('target-timeout', `process ${pid} is stopped and yet was running`)
    if (maxPauseMs <= 0) {
      throw new LeakscopeError(
        'price-too-high',
        `process ${pid} was never idle for as long as copying its heap takes`,
        { hint: '--max-pause says how long it may be stopped for that.' },
      )
    }
    const outOfReach = isOutOfReach(pid)
    const freezer: FoundFreezer = outOfReach ? findFreezer(pid) : { problem: '' }
    if (!outOfReach || freezer.folder !== undefined) {
      const halting = freezer.folder === undefined ? bySignal(pid, birth) : byFreezer(freezer.folder)
      for (let attempt = 1; ; attempt++) {
        const watchdog = await startWatchdog(pid, birth, maxPauseMs, freezer.folder)
        try {
          const { value, pausedMs } = whileStopped(
            pid,
            birth,
            maxPauseMs,
            (checkTime) => copyHeap(source, plan, checkTime, thread),
            { halting, onStopped: watchdog.stopped },
          )
          return { image: value, pausedMs }
        } catch (error) {
          const mayPass = error instanceof LeakscopeError && error.code === 'target-timeout'
          if (!mayPass || attempt === BUSY.attempts) throw error
          plan.bytes.fill(0)
        } finally {
          watchdog.dismiss()
        }
        await sleep(BUSY.betweenMs)
      }
    }
    const late = await whileIdle(IDLE.patientAttempts)
    if (late) return { image: late, pausedMs: 0 }
    throw new LeakscopeError(
      'target-not-permitted',
      `process ${pid} cannot be stopped from here, and was never idle for as long as copying its heap takes: it is the first of its container (PID 1 of its namespace), which SIGSTOP does not reach from inside, and ${freezer.problem}`,
      {
        hint: 'Run leakscope outside of the container, on the same machine, or try again when the process is idle. The way over the inspector needs no stop: --via inspector.',
      },
    )
  } finally {
    await thread?.close()
  }
}

/** Copies without a stop; undefined if in none of the attempts nobody ran from begin to end. */
async function copyIdle(
  source: MemorySource,
  pid: number,
  plan: CopyPlan,
  thread: CopyThread | undefined,
  attempts: number,
): Promise<HeapImage | undefined> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    if (attempt > 0) await sleep(IDLE.betweenMs)
    // What somebody else has stopped stays as it is, and cannot run either.
    const before = runCounts(pid)
    if (before === undefined) continue
    await sleep(IDLE.forMs)
    if (runCounts(pid) !== before) continue
    const image = copyHeap(source, plan, undefined, thread)
    if (runCounts(pid) === before) return image
    plan.bytes.fill(0, 0, image.bytes.length)
  }
  return undefined
}

/** Bytes of a copy that take longer to copy than a thread takes to start. */
const WORTH_A_THREAD = 1 << 26

/** @throws LeakscopeError if the executable has no constants of V8's, or is of another machine */
function readLayout(source: MemorySource): Layout {
  const elf = readElf(source.executable)
  if (elf.machine !== MACHINE_X64 && elf.machine !== MACHINE_ARM64) {
    throw new LeakscopeError(
      'platform-unsupported',
      `${source.name} is of a machine (ELF ${elf.machine}) that cannot be read from outside`,
      {
        hint: 'Only x64 and arm64 can.',
      },
    )
  }
  let constants = readV8Constants(elf)
  if (constants.size === 0) {
    // Some distributions have Node in a shared library.
    const library = source.mappings().find(({ name }) => /\/lib(node|v8)[^/]*\.so/.test(name))
    if (library) constants = readV8Constants(readElf(source.fileOf(library)))
  }
  if (constants.size === 0) {
    throw new LeakscopeError(
      'target-not-node',
      `${source.name} cannot be read from outside: its binary has no v8dbg_ constants`,
      {
        hint: 'It is not Node.js, or one whose symbols were stripped (as in Deno and workerd). The way over the inspector works with any Node.js: --via inspector.',
      },
    )
  }
  return layoutOf(constants, source.name)
}

/** Who has this is to let go of the image as soon as it is not needed any more: it is as large as the heap. */
interface Copy {
  image: HeapImage | undefined
}

function heapsIn(
  copy: Copy,
  layout: Layout,
  source: MemorySource,
  isRecognizable: boolean,
): Pick<OutsideCapture, 'heaps' | 'copiedBytes'> {
  const { pending, copiedBytes } = collect(copy, layout, source, isRecognizable)
  if (copiedBytes > WORTH_COLLECTING) collectGarbage()
  const found = pending.map(({ address, finish }) => ({ address, ...enoughMemory(source, finish) }))
  // Where Node does not say, by the order of the threads.
  const ids = found.map(({ threadId }, i) => threadId ?? i)
  const isUnique = new Set(ids).size === ids.length
  const heaps = found
    .map(({ address, snapshot, traces, contents, scripts, usage, stacks, scheduled, error }, i) => ({
      threadId: isUnique ? ids[i]! : i,
      ...{ address, snapshot, traces, contents, scripts, usage, stacks, scheduled, error },
    }))
    .sort((a, b) => a.threadId - b.threadId)
    .map(({ threadId, ...heap }) => ({ isolate: threadId === 0 ? 'main' : `worker:${threadId}`, ...heap }))
  return { heaps, copiedBytes }
}

interface PendingHeap extends PendingSnapshot {
  readonly address: number
}

/** Takes the image away from who has the copy: when this is done, nobody refers to it any more. */
function collect(
  copy: Copy,
  layout: Layout,
  source: MemorySource,
  isRecognizable: boolean,
): { pending: PendingHeap[]; copiedBytes: number } {
  const image = copy.image!
  copy.image = undefined
  const pending: PendingHeap[] = []
  try {
    for (const heap of isolatesByThread(image)) {
      const regions = image.isolates.find((it) => it.heap === heap)!
      const collected = enoughMemory(source, () => collectIsolate(image, layout, regions, source, isRecognizable))
      pending.push({ ...collected, address: heap })
    }
  } catch (error) {
    for (const { abandon } of pending) abandon()
    throw error
  }
  giveBack(image.bytes)
  return { pending, copiedBytes: image.bytes.length }
}

const WORTH_COLLECTING = 1 << 26

/** What JavaScript says where it has no memory, or where an array would be longer than one can be. */
function enoughMemory<T>(source: MemorySource, action: () => T): T {
  try {
    return action()
  } catch (cause) {
    if (!(cause instanceof RangeError && /array/i.test(cause.message))) throw cause
    throw new LeakscopeError('price-too-high', `the graph of ${source.name} takes more memory than there is`, { cause })
  }
}

/** The isolates, by the thread whose stack refers to them most: the main thread's first. */
function isolatesByThread({ isolates, stacks, pages, bytes }: HeapImage): number[] {
  const heaps = isolates.map(({ heap }) => heap)
  if (heaps.length < 2) return heaps
  const ofPage = new Map<number, number>()
  for (const { address, bytes: size, heap } of pages) {
    for (let at = 0; at < size; at += PAGE_UNIT) ofPage.set((address + at) / PAGE_UNIT, heap)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const found: number[] = []
  for (const thread of [...stacks.keys()].sort((a, b) => a - b)) {
    const votes = countReferences(view, stacks.get(thread)!, ofPage)
    const most = [...votes].sort((a, b) => b[1] - a[1])[0]?.[0]
    if (most !== undefined && !found.includes(most)) found.push(most)
  }
  return [...found, ...heaps.filter((heap) => !found.includes(heap))]
}

const PAGE_UNIT = 1 << 18

function countReferences(
  view: DataView,
  { at, start, end }: Region,
  ofPage: ReadonlyMap<number, number>,
): Map<number, number> {
  const votes = new Map<number, number>()
  for (let offset = at; offset + 8 <= at + end - start; offset += 8) {
    const low = view.getUint32(offset, true)
    if ((low & 3) !== 1) continue
    const heap = ofPage.get(view.getUint32(offset + 4, true) * 2 ** 14 + (low >>> 18)) ?? 0
    if (heap !== 0) votes.set(heap, (votes.get(heap) ?? 0) + 1)
  }
  return votes
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
