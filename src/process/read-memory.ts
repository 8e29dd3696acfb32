// Asks a process, its isolates and the system for what its ledger is made of, in one go.

import { type IsolateFacts, readIsolateFacts } from '../capture/isolate-facts.ts'
import { LeakscopeError } from '../errors.ts'
import { readMallocRegions } from '../target/linux-malloc.ts'
import { readMemoryMap } from '../target/memory-map.ts'
import type { InspectorSession } from '../target/session.ts'
import type { Workers, WorkerThread } from '../target/workers.ts'
import type { IsolateMemory, IsolateSizes, MemoryFacts } from './ledger.ts'

export interface Asked {
  readonly session: InspectorSession
  readonly workers: Workers
  /** The target's id on this machine; undefined when it runs elsewhere. */
  readonly pid: number | undefined
  /** As `process.version`. */
  readonly nodeVersion: string
}

export interface ProcessMemory extends MemoryFacts {
  /** Of the main isolate, with all that else it said. */
  readonly main: IsolateFacts
}

/** How long a worker may take: the others and the system are asked again only when it has answered. */
const WORKER_MS = 3000

/** @throws LeakscopeError when main does not answer; a worker that does not is noted as such */
export async function readProcessMemory({ session, workers, pid, nodeVersion }: Asked): Promise<ProcessMemory> {
  const others = workers.list().map(readWorker)
  const main = await readIsolateFacts(session, true)
  const isolates = [{ isolate: 'main', sizes: sizesOf(main) }, ...(await Promise.all(others))]
  // Right after the answers, for both to be of the same moment.
  const mappings = pid === undefined ? undefined : readMemoryMap(pid)
  const malloc = pid === undefined || mappings === undefined ? undefined : readMallocRegions(pid, mappings)
  if (pid !== undefined && mappings?.length === 0) throw new LeakscopeError('target-died', `process ${pid} has ended`)
  const major = Number(/^v(\d+)/.exec(nodeVersion)?.[1])
  return {
    main,
    isolates,
    rssBytes: main.memoryUsage?.rss ?? 0,
    mappings: mappings ?? null,
    malloc: malloc ?? null,
    // Seen on 18 to 24, and not on 26.
    externalHasWasm: major < 25,
    // Seen with http, zlib and crypto loaded: 0.7 MB on 18, 1.8 to 2.5 on 20 to 26; 1.2 and up to 3 in a worker.
    ownSources: major < 19 ? { mainBytes: 0.7e6, workerBytes: 1.2e6 } : { mainBytes: 2e6, workerBytes: 2.7e6 },
  }
}

async function readWorker(worker: WorkerThread): Promise<IsolateMemory> {
  const isolate = `worker:${worker.threadId}`
  try {
    return { isolate, sizes: sizesOf(await readIsolateFacts(worker, false, WORKER_MS)) }
  } catch (error) {
    if (error instanceof LeakscopeError) return { isolate, sizes: null }
    throw error
  }
}

function sizesOf({ memoryUsage, heapStatistics, heapSpaces }: IsolateFacts): IsolateSizes | null {
  if (!memoryUsage || !heapSpaces) return null
  const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0)
  const [code, data] = [true, false].map((wanted) =>
    heapSpaces.filter(({ space_name }) => space_name.includes('code') === wanted),
  )
  return {
    usedBytes: sum(data!.map((space) => space.space_used_size)),
    committedBytes: sum(data!.map((space) => space.physical_space_size)),
    codeBytes: sum(code!.map((space) => space.physical_space_size)),
    arrayBufferBytes: memoryUsage.arrayBuffers,
    externalBytes: memoryUsage.external,
    mallocedBytes: heapStatistics?.malloced_memory ?? 0,
  }
}
