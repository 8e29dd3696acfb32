// Samples an isolate of a process for a while, or all of them side by side, and writes what comes of it to files.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { LeakscopeError } from '../errors.ts'
import { createPartialFolder } from '../support/folders.ts'
import { ANSWER_MS, type InspectorSession } from '../target/session.ts'
import { attachWorkers } from '../target/workers.ts'
import { compileAnew, isCaught } from './endless-loop.ts'
import { fileStem, type Isolate, listIsolates, mainIsolate, workerIsolate } from './isolates.ts'
import { abandonSampling, type Profile, type Sampling, startSampling, stopSampling, writeProfile } from './profile.ts'
import { withWorker } from './worker.ts'

export interface ProfileOptions {
  readonly sampling: Sampling
  readonly durationMs: number
  /** Replaces a file, or a folder of profiles, that is there already. */
  readonly force?: boolean
  /**
   * Ends the sampling before its time, and keeps what there is: who has seen enough wants that, where half a snapshot
   * is worth nothing. Before it has begun there is nothing to keep, and this is an error.
   */
  readonly enough?: AbortSignal
  readonly limits?: ProfileLimits
  /** Told when the first isolate is sampled. */
  readonly onBegin?: () => void
  /** Of the time, from 0 to 1. */
  readonly onProgress?: (fraction: number) => void
}

export interface ProfileLimits {
  /** How long an isolate may take to begin. */
  readonly answerMs?: number
  /** How long it may take to hand over what was sampled. */
  readonly handOverMs?: number
}

export interface ProfileCapture {
  /** `main`, or `worker:` and the thread's id. */
  readonly isolate: string
  /** The name that the program gave the worker; null when it gave none, and for main. */
  readonly title: string | null
  /** Null when there is no profile, as are the four that follow. */
  readonly file: string | null
  readonly fileBytes: number | null
  readonly samples: number | null
  /** Of a heap: what the samples stand for. */
  readonly sampledBytes: number | null
  readonly sampledMs: number | null
  /** Why there is no profile; null when there is. */
  readonly reason: string | null
}

/** More than V8 takes to put a million samples together, or to collect the garbage of a heap of gigabytes. */
const HAND_OVER_MS = 60_000
const STEP_MS = 100

/** Whether a folder with these entries holds profiles and nothing else, so that it may be replaced. */
export function holdsProfiles(entries: readonly string[]): boolean {
  return entries.length > 0 && entries.every((name) => /^(main|worker-\d+)\.(cpu|heap)profile$/.test(name))
}

/** Writes a profile of the main thread, or of the worker with that thread id, to the file `path`. */
export async function captureProfile(
  session: InspectorSession,
  which: 'main' | number,
  path: string,
  options: ProfileOptions,
): Promise<ProfileCapture> {
  const capture = async (isolate: Isolate) =>
    write(isolate, path, await sample(session, isolate, options), options.force ?? false)
  if (which === 'main') return capture(mainIsolate(session))
  return withWorker(session, which, (worker) => capture(workerIsolate(worker)))
}

/**
 * Writes a profile of each isolate that there is at the start to the folder `path`. An isolate that does not answer, or
 * ends meanwhile, has none, and spoils nothing; when there is not one profile, that is an error, and there is no folder.
 */
export async function captureProfiles(
  session: InspectorSession,
  path: string,
  options: ProfileOptions,
): Promise<ProfileCapture[]> {
  const folder = createPartialFolder(path, options.force ?? false, holdsProfiles)
  const workers = await attachWorkers(session)
  try {
    const isolates = listIsolates(session, workers)
    const outcomes = await Promise.allSettled(isolates.map((isolate) => sample(session, isolate, options)))
    const captures = outcomes.map((outcome, i): ProfileCapture => {
      const isolate = isolates[i]!
      if (outcome.status === 'rejected') return failed(session, isolate, outcome.reason)
      const file = `${fileStem(isolate)}.${options.sampling.kind}profile`
      const capture = write(isolate, join(folder.path, file), outcome.value, false)
      return { ...capture, file: join(path, file) }
    })
    if (captures.every(({ file }) => file === null)) throw (outcomes[0] as PromiseRejectedResult).reason
    folder.commit()
    return captures
  } finally {
    folder.discard()
    await workers.leave()
  }
}

interface Sampled {
  readonly profile: Profile
  readonly sampledMs: number
}

async function sample(session: InspectorSession, isolate: Isolate, options: ProfileOptions): Promise<Sampled> {
  const { client } = isolate
  const { sampling, enough, limits = {}, onBegin } = options
  enough?.throwIfAborted()
  const caught = sampling.kind === 'cpu' && (await isCaught(client))
  await startSampling(client, sampling, { timeoutMs: limits.answerMs ?? ANSWER_MS })
  try {
    const startedMs = performance.now()
    onBegin?.()
    if (caught) await compileAnew(client)
    await pass(session, isolate, options)
    const sampledMs = performance.now() - startedMs
    const profile = await stopSampling(client, sampling, { timeoutMs: limits.handOverMs ?? HAND_OVER_MS })
    return { profile, sampledMs }
  } catch (error) {
    abandonSampling(client, sampling)
    throw error
  }
}

/** Waits until the time is up, enough is sampled, or the isolate is gone, which the next request will tell. */
async function pass(
  session: InspectorSession,
  { worker }: Isolate,
  { durationMs, enough, onProgress }: ProfileOptions,
): Promise<void> {
  const over = new AbortController()
  session.closed.then(() => over.abort())
  const signal = AbortSignal.any([over.signal, session.signal, ...(enough ? [enough] : [])])
  const startedMs = performance.now()
  for (let passedMs = 0; passedMs < durationMs; passedMs = performance.now() - startedMs) {
    if (signal.aborted || worker?.isOpen === false) return
    onProgress?.(passedMs / durationMs)
    await sleep(Math.min(STEP_MS, durationMs - passedMs), undefined, { signal }).catch(() => {})
  }
}

function write({ name, worker }: Isolate, path: string, { profile, sampledMs }: Sampled, force: boolean) {
  return {
    isolate: name,
    title: worker?.title || null,
    file: path,
    fileBytes: writeProfile(path, profile, force),
    samples: profile.samples,
    sampledBytes: profile.bytes,
    sampledMs: Math.round(sampledMs),
    reason: null,
  }
}

/** What an isolate has not got; what fails for any reason but its own is thrown on. */
function failed(session: InspectorSession, { name, worker }: Isolate, error: unknown): ProfileCapture {
  const itsOwn =
    error instanceof LeakscopeError &&
    (error.code === 'target-timeout' || error.code === 'target-protocol' || error.code === 'target-died')
  if (!itsOwn || session.signal.aborted) throw error
  worker?.giveUp(error)
  return {
    isolate: name,
    title: worker?.title || null,
    file: null,
    fileBytes: null,
    samples: null,
    sampledBytes: null,
    sampledMs: null,
    reason: [error.message, error.hint].filter((text) => text !== undefined).join('. '),
  }
}
