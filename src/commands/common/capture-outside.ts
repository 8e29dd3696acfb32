// Pictures of all heaps of a process, read from outside one after the other, into a bundle as the inspector's way writes it.

import { join } from 'node:path'
import type { Bundle, BundleCapture, BundleRound } from '../../capture/bundle.ts'
import { holdsBundle, SCRIPTS } from '../../capture/bundle-folder.ts'
import { writeManifest } from '../../capture/capture-bundle.ts'
import { ProcessFactsSchema } from '../../capture/isolate-facts.ts'
import { pause } from '../../capture/pause.ts'
import { joinScripts, withoutTexts, writeScripts } from '../../capture/scripts.ts'
import { captureFromOutside, type OutsideCapture, type OutsideHeap } from '../../outside/open.ts'
import { PictureSeries } from '../../outside/series.ts'
import { writeSnapshot } from '../../snapshot/write.ts'
import type { Encoder } from '../../support/encoder.ts'
import { createPartialFolder } from '../../support/folders.ts'
import { toolVersion } from '../../support/version.ts'
import { readOsFacts, workingFolder } from '../../target/os-facts.ts'

export interface OutsideBundleOptions {
  readonly force: boolean
  readonly count: number
  /** From the beginning of one to that of the next, unless that takes longer by itself. */
  readonly everyMs: number
  readonly maxPauseMs: number
  readonly signal: AbortSignal
  readonly nodeVersion: string | null
  readonly command: readonly string[]
  /** What redacts a file; the texts of scripts are left out then. */
  readonly redactor?: ((path: string) => Encoder) | undefined
  /** Before each picture, and before the wait for it. */
  readonly onBegin?: (round: number, isWaiting: boolean) => void
  readonly onPicture?: (capture: OutsideCapture, round: number) => void | Promise<void>
  /** As soon as the process runs again; the picture is made from the copy after that. */
  readonly onCopied?: () => void
  /** Makes what samples allocations meanwhile; its profiles go beside the pictures. */
  readonly sampling?: ((folder: string) => Promise<OutsideSampling>) | undefined
  /** Waited for before each picture but the first, beside the time. */
  readonly until?: () => Promise<void>
  /** Resolves when waiting makes no sense any more. */
  readonly closed?: Promise<void>
}

export interface OutsideSampling {
  /** Writes what was sampled of an isolate so far, and stops with the last; returns the file's name, null for none. */
  write(isolate: string, stem: string, isLast: boolean): Promise<string | null>
  end(): Promise<void>
}

export interface OutsideBundle {
  readonly bundle: Bundle
  /** Of the last one, what can be asked of its objects. */
  readonly last: LastPicture
}

export interface LastPicture {
  readonly heaps: readonly Omit<OutsideHeap, 'snapshot' | 'traces'>[]
}

export async function captureOutsideBundle(
  pid: number,
  path: string,
  options: OutsideBundleOptions,
): Promise<OutsideBundle> {
  const { force, count, everyMs, maxPauseMs, signal, redactor, closed = new Promise<void>(() => {}) } = options
  const started = new Date()
  const folder = createPartialFolder(path, force, holdsBundle)
  let sampling: OutsideSampling | undefined
  const series = new PictureSeries()
  const rounds: BundleRound[] = []
  const captures: BundleCapture[] = []
  // A function of its own: when it has returned, nobody holds the picture any more.
  const takeOne = async (round: number): Promise<LastPicture> => {
    const startedAt = new Date()
    rounds.push({ round, startedAt: startedAt.toISOString(), os: readOsFacts(pid) ?? null })
    const capture = await captureFromOutside(pid, {
      maxPauseMs,
      signal,
      isRecognizable: count > 1,
      onCopied: options.onCopied,
    })
    if (count > 1) series.add(capture)
    await options.onPicture?.(capture, round)
    for (const { isolate, snapshot } of capture.heaps) {
      const threadId = isolate === 'main' ? 0 : Number(isolate.slice('worker:'.length))
      const stem = `${isolate === 'main' ? 'main' : `worker-${threadId}`}${count > 1 ? `-${round}` : ''}`
      const file = `${stem}.heapsnapshot`
      const profile = (await sampling?.write(isolate, stem, round === count)) ?? null
      const { fileBytes } = writeSnapshot(snapshot, join(folder.path, file), {
        encoders: redactor ? [redactor(join(path, file))] : [],
      })
      captures.push({
        ...{ round, isolate, threadId, title: null, url: null, status: 'captured', reason: null, file, fileBytes },
        ...{ nodeCount: snapshot.nodeCount, edgeCount: snapshot.edgeCount, pausedMs: capture.pausedMs },
        ...{ profile, startedAt: capture.takenAt.toISOString(), durationMs: Date.now() - startedAt.getTime() },
        facts: null,
      })
    }
    return {
      heaps: capture.heaps.map(({ snapshot, traces, ...rest }) => {
        rest.contents?.settle()
        return rest
      }),
    }
  }
  try {
    sampling = await options.sampling?.(folder.path)
    let last: LastPicture | undefined
    for (let round = 1; round <= count; round++) {
      if (round > 1) {
        options.onBegin?.(round, true)
        await series.rest()
        await pause(Math.max(0, started.getTime() + (round - 1) * everyMs - Date.now()), closed, signal)
        await options.until?.()
      }
      options.onBegin?.(round, false)
      last = await takeOne(round)
    }
    const scripts = joinScripts(last!.heaps.map((heap) => heap.scripts))
    if (scripts.length > 0) writeScripts(join(folder.path, SCRIPTS), redactor ? withoutTexts(scripts) : scripts)
    const { nodeVersion, command } = options
    const bundle: Bundle = {
      schemaVersion: 1,
      tool: { name: 'leakscope', version: toolVersion() },
      process: {
        ...ProcessFactsSchema.parse({ pid, nodeVersion, argv: redactor ? command.slice(0, 2) : [...command] }),
        hostPid: pid,
        cwd: workingFolder(pid) ?? null,
      },
      startedAt: started.toISOString(),
      durationMs: Date.now() - started.getTime(),
      ...{ rounds, captures, links: [], scripts: scripts.length > 0 ? SCRIPTS : null },
    }
    writeManifest(folder.path, bundle)
    folder.commit()
    return { bundle, last: last! }
  } finally {
    series.close()
    folder.discard()
    await sampling?.end()
  }
}
