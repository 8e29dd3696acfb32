// Captures every isolate of a process in one visit, into one folder: one at a time, so that little is in memory.

import { join } from 'node:path'
import { LeakscopeError } from '../errors.ts'
import type { Encoder } from '../support/encoder.ts'
import { createPartialFile } from '../support/files.ts'
import { createPartialFolder } from '../support/folders.ts'
import type { RunningScript } from '../support/script-sources.ts'
import { toolVersion } from '../support/version.ts'
import { readOsFacts, workingFolder } from '../target/os-facts.ts'
import { ANSWER_MS, type InspectorSession } from '../target/session.ts'
import { attachWorkers, type Workers } from '../target/workers.ts'
import { type Bundle, type BundleCapture, type BundleLink, type BundleRound, BundleSchema } from './bundle.ts'
import { holdsBundle, MANIFEST, SCRIPTS } from './bundle-folder.ts'
import { type BundleSampling, createBundleSampling, type SamplingOptions } from './bundle-sampling.ts'
import { captureHeapSnapshot, type HeapSnapshotFile, type HeapSnapshotProgress } from './heap-snapshot.ts'
import { type IsolateFacts, ProcessFactsSchema, readIsolateFacts, readProcessFacts } from './isolate-facts.ts'
import { fileStem, type Isolate, listIsolates } from './isolates.ts'
import { pause } from './pause.ts'
import type { QuotedIsolate } from './quote.ts'
import { joinScripts, readScripts, withoutTexts, writeScripts } from './scripts.ts'
import { captureWorker, type WorkerLimits } from './worker.ts'
import { findParentPort, findWorkerObjects } from './worker-links.ts'

export interface BundleOptions {
  /** The target's id on this machine; undefined when it runs elsewhere. */
  readonly pid: number | undefined
  readonly signal: AbortSignal
  /** Replaces a bundle that is there already. */
  readonly force?: boolean
  /** How many rounds, each of all isolates. */
  readonly count?: number
  /** From the end of one round to the next. */
  readonly everyMs?: number
  /** Waited for as well, before each round but the first. */
  readonly until?: () => Promise<void>
  readonly limits?: IsolateLimits
  /** What the bytes of a snapshot go through on their way to its file. */
  readonly encoders?: (path: string) => readonly Encoder[]
  /** Leaves out what may be as secret as what is in the heap: what the program was started with, and the texts of its scripts. */
  readonly redacted?: boolean
  /**
   * Has allocations sampled from before an isolate's first snapshot to the end. After each snapshot a profile is put
   * beside it, of what was allocated since the start and is still alive; where that fails, it is left out.
   */
  readonly sampling?: SamplingOptions
  /** Asked before the first snapshot, with the isolates that answer; what it throws ends the capture. */
  readonly approve?: (isolates: readonly QuotedIsolate[]) => Promise<void>
  /** Told what is begun: an isolate, or, where that is null, the wait for a round. */
  readonly onBegin?: (what: { readonly round: number; readonly isolate: string | null }) => void
  readonly onProgress?: (progress: HeapSnapshotProgress) => void
  /** Told of each isolate when it is done or has failed. */
  /** @param path where the file is until the bundle is whole; undefined where there is none */
  readonly onCapture?: (capture: BundleCapture, path: string | undefined) => void
}

export interface IsolateLimits extends WorkerLimits {
  /** How long it may take over a small question. */
  readonly answerMs?: number
  /** How long it may take to begin. */
  readonly beginWithinMs?: number
}

/**
 * Writes a bundle to `path`. An isolate that does not answer, is busy without end, or ends meanwhile is noted in the
 * bundle and spoils nothing; when there is none that could be captured, that is an error, and there is no bundle.
 */
export async function captureBundle(session: InspectorSession, path: string, options: BundleOptions): Promise<Bundle> {
  const { pid, signal, count = 1, everyMs = 0 } = options
  const started = new Date()
  const folder = createPartialFolder(path, options.force ?? false, holdsBundle)
  let workers: Workers | undefined
  let sampling: BundleSampling | undefined
  try {
    workers = await attachWorkers(session)
    sampling = createBundleSampling(options.sampling, folder.path)
    const visit: Visit = { session, workers, options, sampling, folder: folder.path, failures: new Map() }
    const own = await orElse(session, readProcessFacts(session), ProcessFactsSchema.parse({}))
    const rounds: BundleRound[] = []
    const captures: BundleCapture[] = []
    for (let round = 1; round <= count; round++) {
      if (round > 1) {
        options.onBegin?.({ round, isolate: null })
        await pause(everyMs, session.closed, signal)
        await options.until?.()
      }
      rounds.push({
        round,
        startedAt: new Date().toISOString(),
        os: (pid === undefined ? null : readOsFacts(pid)) ?? null,
      })
      captures.push(...(await captureRound(visit, round)))
    }
    if (captures.every(({ status }) => status === 'failed')) throw visit.failures.get('main')!
    const links = await findLinks(visit)
    const scripts = await readAllScripts(visit)
    if (scripts.length > 0) writeScripts(join(folder.path, SCRIPTS), options.redacted ? withoutTexts(scripts) : scripts)
    const bundle: Bundle = {
      schemaVersion: 1,
      tool: { name: 'leakscope', version: toolVersion() },
      process: {
        ...own,
        argv: options.redacted ? (own.argv?.slice(0, 2) ?? null) : own.argv,
        hostPid: pid ?? null,
        cwd: (pid === undefined ? null : workingFolder(pid)) ?? null,
      },
      startedAt: started.toISOString(),
      durationMs: Date.now() - started.getTime(),
      rounds,
      captures,
      links,
      scripts: scripts.length > 0 ? SCRIPTS : null,
    }
    writeManifest(folder.path, bundle)
    folder.commit()
    return bundle
  } catch (error) {
    throw named(error, folder.path, path)
  } finally {
    folder.discard()
    sampling?.abandon()
    await workers?.leave()
  }
}

/** Nobody has asked for a folder of that other name, which is gone by the time that its error is read. */
function named(error: unknown, partial: string, path: string): unknown {
  if (!(error instanceof LeakscopeError) || !error.message.includes(partial)) return error
  const { code, message, hint } = error
  return new LeakscopeError(code, message.replaceAll(partial, path), { cause: error, ...(hint && { hint }) })
}

interface Visit {
  readonly session: InspectorSession
  readonly workers: Workers
  readonly options: BundleOptions
  readonly sampling: BundleSampling
  /** Where the files go. */
  readonly folder: string
  /** Isolates that were given up, by name; in later rounds they are not asked again. */
  readonly failures: Map<string, LeakscopeError>
}

async function captureRound(visit: Visit, round: number): Promise<BundleCapture[]> {
  const captures: BundleCapture[] = []
  const done = new Set<string>()
  // The second time for workers that have started during the first; a program may start them without end.
  for (let pass = 0; pass < 2; pass++) {
    const isolates = listIsolates(visit.session, visit.workers).filter(({ name }) => !done.has(name))
    await Promise.all(isolates.map((isolate) => requireAnswer(visit, isolate)))
    if (round === 1 && pass === 0) {
      const answering = isolates.filter(({ name }) => !visit.failures.has(name))
      await visit.options.approve?.(answering.map(({ name, client }) => ({ isolate: name, client })))
    }
    for (const isolate of isolates) {
      done.add(isolate.name)
      const capture = await captureIsolate(visit, isolate, round)
      captures.push(capture)
      visit.options.onCapture?.(capture, capture.file === null ? undefined : join(visit.folder, capture.file))
    }
  }
  return captures
}

/** Gives up who does not answer: all at the same time, so that many of them take no longer than one. */
async function requireAnswer(visit: Visit, isolate: Isolate): Promise<void> {
  if (visit.failures.has(isolate.name)) return
  const timeoutMs = visit.options.limits?.answerMs ?? ANSWER_MS
  try {
    await isolate.client.send('Runtime.evaluate', { expression: '0' }, { timeoutMs })
  } catch (error) {
    giveUp(visit, isolate, error)
  }
}

/** Notes that an isolate has failed, or throws on: what fails for any other reason, no isolate can do without. */
function giveUp({ session, failures }: Visit, { name, worker }: Isolate, error: unknown): void {
  const itsOwn =
    error instanceof LeakscopeError &&
    (error.code === 'target-timeout' || error.code === 'target-protocol' || error.code === 'target-died')
  if (!itsOwn || session.signal.aborted) throw error
  failures.set(name, error)
  worker?.giveUp(error)
}

async function captureIsolate(visit: Visit, isolate: Isolate, round: number): Promise<BundleCapture> {
  const { options, failures, folder, sampling } = visit
  const { name, threadId, worker } = isolate
  const started = new Date()
  options.onBegin?.({ round, isolate: name })
  const { count = 1 } = options
  // `main`, `worker-3`; in a series `main-1`, `worker-3-1`.
  const stem = `${fileStem(isolate)}${count > 1 ? `-${round}` : ''}`
  const file = `${stem}.heapsnapshot`
  let facts: IsolateFacts | null = null
  let snapshot: HeapSnapshotFile | undefined
  let profile: string | null = null
  try {
    if (!failures.has(name)) {
      facts = await readFacts(isolate, options.limits?.answerMs)
      await sampling.begin(isolate)
      snapshot = await captureHeap(isolate, join(folder, file), options)
      profile = await sampling.write(isolate, stem, round === count)
    }
  } catch (error) {
    giveUp(visit, isolate, error)
  }
  const failure = snapshot ? undefined : failures.get(name)
  return {
    round,
    isolate: name,
    threadId,
    title: worker?.title || null,
    url: worker?.url || null,
    status: snapshot ? 'captured' : 'failed',
    reason: failure ? [failure.message, failure.hint].filter((text) => text !== undefined).join('. ') : null,
    file: snapshot ? file : null,
    fileBytes: snapshot?.fileBytes ?? null,
    nodeCount: snapshot?.nodeCount ?? null,
    edgeCount: snapshot?.edgeCount ?? null,
    pausedMs: snapshot?.pausedMs ?? null,
    profile,
    startedAt: started.toISOString(),
    durationMs: Date.now() - started.getTime(),
    facts,
  }
}

function captureHeap(
  { worker, client }: Isolate,
  path: string,
  { limits = {}, signal, encoders, onProgress }: BundleOptions,
): Promise<HeapSnapshotFile> {
  const { beginWithinMs, silentMs } = limits
  const common = {
    ...(encoders && { encoders: encoders(path) }),
    ...(onProgress && { onProgress }),
    ...(beginWithinMs !== undefined && { beginWithinMs }),
  }
  signal.throwIfAborted()
  return worker
    ? captureWorker(worker, path, { ...common, ...(silentMs !== undefined && { silentMs }) })
    : captureHeapSnapshot(client, path, common)
}

/** A program in which nothing of the sort can be asked still has a heap. */
async function readFacts({ client, worker }: Isolate, timeoutMs: number | undefined): Promise<IsolateFacts | null> {
  try {
    return await readIsolateFacts(client, worker === undefined, timeoutMs)
  } catch (error) {
    if (error instanceof LeakscopeError && error.code === 'target-protocol') return null
    throw error
  }
}

/** Ties each worker to the object that stands for it, in main or, for a worker's own workers, in that worker. */
async function findLinks(visit: Visit): Promise<BundleLink[]> {
  const { session, workers, failures } = visit
  const isolates = listIsolates(session, workers)
  const links: BundleLink[] = []
  for (const from of isolates) {
    if (links.length === isolates.length - 1) break
    if (failures.has(from.name)) continue
    const objects = await orElse(session, findWorkerObjects(from.client), [])
    const found = objects.map(async ({ threadId, ...node }): Promise<BundleLink | undefined> => {
      const to = isolates.find((it) => it.threadId === threadId)
      if (!to) return undefined
      // One that was given up refuses at once.
      const portNodeId = await orElse(session, findParentPort(to.client), null)
      return { kind: 'worker', from: { isolate: from.name, ...node }, to: { isolate: to.name, portNodeId } }
    })
    links.push(...(await Promise.all(found)).filter((link) => link !== undefined))
  }
  const position = ({ to }: BundleLink) => isolates.findIndex(({ name }) => name === to.isolate)
  return links.sort((a, b) => position(a) - position(b))
}

async function readAllScripts({ session, workers, failures }: Visit): Promise<RunningScript[]> {
  const lists: RunningScript[][] = []
  for (const { name, client } of listIsolates(session, workers)) {
    if (!failures.has(name)) lists.push(await orElse(session, readScripts(client), []))
  }
  return joinScripts(lists)
}

/** What cannot be had, for whatever reason, as long as there is a process to ask. */
async function orElse<T>(session: InspectorSession, wanted: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await wanted
  } catch (error) {
    if (session.signal.aborted) throw error
    return otherwise
  }
}

export function writeManifest(folder: string, bundle: Bundle): void {
  const file = createPartialFile(join(folder, MANIFEST), false)
  try {
    file.write(`${JSON.stringify(BundleSchema.parse(bundle), null, 2)}\n`)
    file.commit()
  } finally {
    file.discard()
  }
}
