// The sampling heap profiles that a bundle may have beside its snapshots: they tell who allocated what is new in them.

import { join } from 'node:path'
import type { LeakscopeError } from '../errors.ts'
import { ANSWER_MS, type ProtocolClient } from '../target/session.ts'
import type { Isolate } from './isolates.ts'
import {
  abandonSampling,
  type HeapSampling,
  readHeapSampling,
  startSampling,
  stopSampling,
  writeProfile,
} from './profile.ts'

export interface SamplingOptions {
  /** How many allocated bytes come on one sample, on average. */
  readonly intervalBytes: number
}

export interface BundleSampling {
  /** Has the isolate sampled, unless it is already or refuses. */
  begin(isolate: Isolate): Promise<void>
  /** Writes what was sampled so far, and stops with the last; returns the file's name, null when there is none. */
  write(isolate: Isolate, stem: string, last: boolean): Promise<string | null>
  /** Sees to it that nothing is sampled any more. */
  abandon(): void
}

/** Does nothing without options. A profile that cannot be had costs no snapshot. */
export function createBundleSampling(options: SamplingOptions | undefined, folder: string): BundleSampling {
  const running = new Map<string, ProtocolClient>()
  const asked = new Set<string>()
  const sampling = options && ({ kind: 'heap', includeCollected: false, ...options } satisfies HeapSampling)

  return {
    async begin({ name, client }) {
      if (!sampling || asked.has(name)) return
      asked.add(name)
      await ifItCan(async () => {
        await startSampling(client, sampling, { timeoutMs: ANSWER_MS })
        running.set(name, client)
      })
    },
    async write({ name, client }, stem, last) {
      if (!sampling || !running.has(name)) return null
      const profile = await ifItCan(async () => {
        if (!last) return readHeapSampling(client, { timeoutMs: ANSWER_MS })
        const profile = await stopSampling(client, sampling, { timeoutMs: ANSWER_MS })
        running.delete(name)
        return profile
      })
      if (!profile) return null
      const file = `${stem}.heapprofile`
      writeProfile(join(folder, file), profile, false)
      return file
    },
    abandon() {
      if (sampling) for (const client of running.values()) abandonSampling(client, sampling)
      running.clear()
    },
  }
}

async function ifItCan<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    const { code } = error as Partial<LeakscopeError>
    if (code === 'target-protocol' || code === 'target-timeout') return undefined
    throw error
  }
}
