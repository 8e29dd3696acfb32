// Writes a snapshot or a profile of this process to a file that gets its name when it is whole, if there is room.

import { closeSync, openSync, renameSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { freemem, totalmem } from 'node:os'
import { join } from 'node:path'
import { getHeapStatistics } from 'node:v8'
import { complain } from './complain.cts'
import { openEngine } from './engine.cts'
import type { Event } from './wire.cts'

/** What V8 needs beside the heap while it makes a snapshot, for a byte of heap: 3.7 seen with the smallest objects. */
const MEMORY_PER_BYTE = 5
/** The same of the file: 2.4 seen. */
const DISK_PER_BYTE = 3
/** Enough for a week in the life of a program, and fine enough to find what fills its heap. */
const SAMPLE_EVERY_BYTES = 256 * 1024

let busy = false
/** Set when a file could not be written although there seemed to be room: the next one could not either. */
let gaveUp = false

/** Never throws; says in one line why there is no snapshot. */
export function captureSnapshot(folder: string, why: string): void {
  if (busy || gaveUp) return
  try {
    requireRoom(folder)
    busy = true
    const file = createFile(folder, why, 'heapsnapshot')
    const engine = openEngine(({ method, params }: Event) => {
      if (method === 'HeapProfiler.addHeapSnapshotChunk') file.write((params as { readonly chunk: string }).chunk)
    })
    // Makes V8 compute each script's line ends once; Node 18 and 20 walk a script from its beginning for every closure.
    for (const method of ['Debugger.enable', 'Debugger.disable']) engine.post(method, {}, () => {})
    engine.post('HeapProfiler.takeHeapSnapshot', { captureNumericValue: true }, (error) => {
      busy = false
      engine.close()
      file.end(error)
    })
  } catch (error) {
    busy = false
    complain(`no snapshot (${why}): ${(error as Error).message}`)
  }
}

/** Samples what is allocated and still alive, from now on; `finish` writes it to a file. */
export function startSampling(folder: string): { finish(why: string): void } {
  const engine = openEngine(() => {})
  engine.post('HeapProfiler.startSampling', { samplingInterval: SAMPLE_EVERY_BYTES }, (error) => {
    if (error) complain(`no profile: ${error.message}`)
  })
  return {
    finish(why) {
      engine.post('HeapProfiler.stopSampling', {}, (error, result) => {
        engine.close()
        const file = createFile(folder, why, 'heapprofile')
        if (result) file.write(JSON.stringify((result as { readonly profile: object }).profile))
        file.end(error)
      })
    },
  }
}

function requireRoom(folder: string): void {
  const { used_heap_size: used } = getHeapStatistics()
  requireBytes('memory', availableMemory(), used * MEMORY_PER_BYTE)
  const { bavail, bsize } = statfsSync(folder)
  requireBytes(`disk at ${folder}`, bavail * bsize, used * DISK_PER_BYTE)
}

function requireBytes(what: string, there: number, needed: number): void {
  if (there >= needed) return
  const [have, want] = [there, needed].map((bytes) => Math.round(bytes / 1e6))
  throw new Error(`it may take ${want} MB of ${what}, and there are ${have}`)
}

/** As far as the cgroup allows; what is cached there counts as used, which errs on the safe side. */
function availableMemory(): number {
  const { availableMemory, constrainedMemory } = process as {
    availableMemory?(): number
    constrainedMemory?(): number
  }
  if (availableMemory) return availableMemory()
  const limit = constrainedMemory?.() ?? 0
  return limit > 0 && limit < totalmem() ? Math.min(freemem(), limit - process.memoryUsage.rss()) : freemem()
}

/**
 * A file of the owner's alone, made when there is something to write. After the first piece that does not fit, the
 * others are dropped, and so is the file.
 */
function createFile(folder: string, why: string, ending: string) {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  const path = join(folder, `leakscope-${process.pid}-${time}-${why}.${ending}`)
  const partial = `${path}.partial`
  let fd: number | undefined
  let problem: unknown

  function attempt(action: () => void): void {
    try {
      if (!problem) action()
    } catch (error) {
      problem = error
    }
  }

  return {
    write(text: string): void {
      attempt(() => {
        fd ??= openSync(partial, 'wx', 0o600)
        const piece = Buffer.from(text)
        for (let done = 0; done < piece.length; ) done += writeSync(fd, piece, done)
      })
    },
    end(error: Error | null): void {
      const opened = fd
      problem ??= error ?? (opened === undefined ? new Error('there was nothing to write') : undefined)
      // Some disks say only now that they are full.
      if (opened !== undefined) attempt(() => closeSync(opened))
      attempt(() => renameSync(partial, path))
      if (!problem) return
      gaveUp = true
      complain(`no ${ending} (${why}): ${(problem as Error).message}`)
      rmSync(partial, { force: true })
    },
  }
}
