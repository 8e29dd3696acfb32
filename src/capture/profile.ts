// Has V8 sample one isolate: where its time goes, or what it allocates. Whoever starts that has to stop it.

import { z } from 'zod'
import { LeakscopeError } from '../errors.ts'
import { createPartialFile } from '../support/files.ts'
import type { ProtocolClient, SendOptions } from '../target/session.ts'

export type Sampling = CpuSampling | HeapSampling

export interface CpuSampling {
  readonly kind: 'cpu'
  /** From one sample to the next. */
  readonly intervalMicros: number
}

export interface HeapSampling {
  readonly kind: 'heap'
  /** How many allocated bytes come on one sample, on average. */
  readonly intervalBytes: number
  /**
   * Whether what has been collected since is in the profile as well; Node 18 does not know how. `survivors`: only what
   * did not die in the first collection that it met, which is what collecting costs.
   */
  readonly includeCollected: boolean | 'survivors'
}

export interface Profile {
  /** As V8 gave it: what a `.cpuprofile` or `.heapprofile` file holds. */
  readonly content: object
  /** How many there are; 0 also where they are not told one by one, as by the agent's compiled profiler. */
  readonly samples: number
  /** Of a heap: what the samples stand for. */
  readonly bytes: number | null
}

interface HeapNode {
  readonly selfSize: number
  readonly children: readonly HeapNode[]
}

const CPU = z.object({
  profile: z.looseObject({
    nodes: z.array(z.unknown()).min(1),
    samples: z.array(z.unknown()),
    timeDeltas: z.array(z.unknown()),
  }),
})
const HEAP = z.object({
  profile: z.looseObject({
    // No deeper than the 128 frames that V8 looks at. Older versions do not tell of each sample.
    head: z.custom<HeapNode>((head) => Array.isArray((head as Partial<HeapNode> | undefined)?.children)),
    samples: z.array(z.unknown()).default([]),
  }),
})

/** Leaves nothing going on when it fails. A heap that somebody else samples is refused, and left to them. */
export async function startSampling(client: ProtocolClient, sampling: Sampling, options: SendOptions): Promise<void> {
  // V8 samples a heap once, for the last who asks, and without a word to the others.
  if (sampling.kind === 'heap' && (await isSampled(client, options))) {
    throw new LeakscopeError('target-protocol', 'its allocations are being sampled already, by somebody else', {
      hint: 'V8 samples a heap for one only; try again when the other debugger or profiler has stopped.',
    })
  }
  try {
    await (sampling.kind === 'cpu' ? startCpu(client, sampling, options) : startHeap(client, sampling, options))
  } catch (error) {
    // One that did not answer in time may still come to it.
    abandonSampling(client, sampling)
    throw error
  }
}

async function startCpu(client: ProtocolClient, { intervalMicros }: CpuSampling, options: SendOptions): Promise<void> {
  await Promise.all([
    client.send('Profiler.enable', {}, options),
    client.send('Profiler.setSamplingInterval', { interval: intervalMicros }, options),
    client.send('Profiler.start', {}, options),
  ])
}

async function startHeap(
  client: ProtocolClient,
  { intervalBytes, includeCollected }: HeapSampling,
  options: SendOptions,
): Promise<void> {
  const params = {
    samplingInterval: intervalBytes,
    ...(includeCollected && {
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: includeCollected !== 'survivors',
    }),
  }
  await client.send('HeapProfiler.startSampling', params, options)
}

/** What was sampled on the heap so far. V8 collects garbage first, so that all of it is alive. */
export async function readHeapSampling(client: ProtocolClient, options: SendOptions): Promise<Profile> {
  return heapProfile(await client.send('HeapProfiler.getSamplingProfile', {}, options))
}

/** Ends it, and gives what was sampled. */
export async function stopSampling(client: ProtocolClient, { kind }: Sampling, options: SendOptions): Promise<Profile> {
  if (kind === 'heap') return heapProfile(await client.send('HeapProfiler.stopSampling', {}, options))
  const [answer] = await Promise.all([
    client.send('Profiler.stop', {}, options),
    client.send('Profiler.disable', {}, options),
  ])
  const { profile } = parse(CPU, answer)
  return { content: profile, samples: profile.samples.length, bytes: null }
}

/** Sees to it that nothing goes on after a failure; what was sampled is lost. Does not wait for who may never answer. */
export function abandonSampling(client: ProtocolClient, sampling: Sampling): void {
  // Not the session's own signal: by that, it may be over already.
  stopSampling(client, sampling, { signal: AbortSignal.timeout(ABANDON_MS) }).catch(() => {})
}

const ABANDON_MS = 5000

async function isSampled(client: ProtocolClient, options: SendOptions): Promise<boolean> {
  try {
    await client.send('HeapProfiler.getSamplingProfile', {}, options)
    return true
  } catch (error) {
    if (error instanceof LeakscopeError && error.code === 'target-protocol') return false
    throw error
  }
}

function heapProfile(answer: unknown): Profile {
  const { profile } = parse(HEAP, answer)
  let bytes = 0
  const nodes = [profile.head]
  for (let node = nodes.pop(); node; node = nodes.pop()) {
    bytes += node.selfSize
    nodes.push(...node.children)
  }
  return { content: profile, samples: profile.samples.length, bytes }
}

function parse<T>(schema: z.ZodType<T>, answer: unknown): T {
  const { success, data, error } = schema.safeParse(answer)
  if (success) return data
  throw new LeakscopeError('target-protocol', 'the target sent no complete profile', { cause: error })
}

/** Writes a profile to `path`, readable by its owner only; returns how many bytes it takes. */
export function writeProfile(path: string, { content }: Profile, force: boolean): number {
  const file = createPartialFile(path, force)
  try {
    file.write(JSON.stringify(content))
    file.commit()
    return file.bytes
  } finally {
    file.discard()
  }
}
