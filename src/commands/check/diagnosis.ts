// What a failed check does to name the leak: snapshots while the work goes on, compared, and kept if that is wanted.

import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { type Bundle, BundleSchema, readBundle } from '../../capture/bundle.ts'
import { holdsBundle, MANIFEST } from '../../capture/bundle-folder.ts'
import { captureBundle } from '../../capture/capture-bundle.ts'
import { pause } from '../../capture/pause.ts'
import { readScriptsFile, withoutTexts, writeScripts } from '../../capture/scripts.ts'
import type { Driver } from '../../check/driver.ts'
import type { Measured } from '../../check/rounds.ts'
import { workThatStandsOut } from '../../check/stand-out.ts'
import { LeakscopeError } from '../../errors.ts'
import { redactFile } from '../../snapshot/redaction/redact-file.ts'
import { createPartialFile } from '../../support/files.ts'
import { createPartialFolder } from '../../support/folders.ts'
import type { Progress } from '../../support/progress.ts'
import type { InspectorSession } from '../../target/session.ts'
import type { Target } from '../../target/visit.ts'
import { noteBeside, showProgress, type Wanted } from '../common/capturing.ts'
import { type Compared, compareAll } from '../common/comparison.ts'
import type { Context } from '../common/context.ts'
import { comparisonOf, type Series } from '../common/inputs.ts'
import { redactionKey } from '../common/redaction-key.ts'
import { byV8Sentence, MAX_PAUSE_OUTSIDE_MS, takeByWay, type Way, wayInto } from '../common/ways.ts'
import { agreeOnPrice } from '../snapshot/price.ts'
import type { CheckOptions } from './command.ts'

const SNAPSHOTS = 3
const BETWEEN_MS = { least: 1000, most: 15_000 }
/** On a machine that has become busy, work takes longer than it did. */
const PATIENCE_MS = 60_000
/** As for `snapshot`; and for a program of our own, which keeps nobody waiting. */
const MAX_PAUSE_MS = { ofOthers: 30_000, ofOwn: 600_000 }

/** Snapshots that were taken while the work went on. */
export interface CapturedWork {
  readonly via: Way
  /** How many bytes should have been lost meanwhile, by the measured rate. */
  readonly lostBytes: number
}

/** Takes snapshots into `folder`; undefined where that could not be done, which does not change the verdict. */
export async function captureWhileWorking(
  context: Context,
  progress: Progress,
  session: InspectorSession,
  visited: Target,
  driver: Driver,
  measured: Measured,
  options: CheckOptions,
  folder: string,
): Promise<CapturedWork | undefined> {
  const { pid, nodeVersion } = visited
  const { amount, takesMs, lostBytes } = workThatStandsOut(measured, BETWEEN_MS.most)
  const everyMs = Math.min(Math.max(1.2 * takesMs, BETWEEN_MS.least), BETWEEN_MS.most)
  const isOwn = options.pid === undefined
  const { via, maxPause, maxPause: maxPauseMs = MAX_PAUSE_MS[isOwn ? 'ofOwn' : 'ofOthers'] } = options
  const maxPauseOutsideMs = maxPause ?? MAX_PAUSE_OUTSIDE_MS
  const { memoryLimit: memoryLimitBytes, atAnyPrice = false, quiet = false } = options
  const wanted: Wanted = {
    ...{ name: folder, isolate: 'all', count: SNAPSHOTS, every: everyMs, waitMs: undefined, redactor: undefined },
    ...{ force: false, maxPauseMs, memoryLimitBytes, atAnyPrice, dryRun: false, json: false, quiet: true },
  }
  const target = { kind: 'process' as const, pid }
  const work = workInSteps(driver, amount, context.signal)
  let show = showProgress(progress, '')
  const until = () => pause(PATIENCE_MS, Promise.race([session.closed, work.done()]), context.signal)
  const note = quiet ? () => {} : noteBeside(context, progress)
  const fromOutside = async (): Promise<Way> => {
    const [{ captureOutsideBundle }, { readCommand }] = await Promise.all([
      import('../common/capture-outside.ts'),
      import('../diagnose/outside.ts'),
    ])
    await captureOutsideBundle(pid, folder, {
      ...{ force: false, count: SNAPSHOTS, everyMs, signal: context.signal, nodeVersion, closed: session.closed },
      ...{ maxPauseMs: maxPauseOutsideMs, command: await readCommand(pid), until },
      onBegin(round, isWaiting) {
        const which = ` (${round} of ${SNAPSHOTS})`
        if (isWaiting) work.step()
        progress.stage(isWaiting ? `the work goes on${which}` : `reading the heap from outside${which}`)
      },
    })
    return 'outside'
  }
  const byV8 = async (whyNotOutside: string | undefined): Promise<Way> => {
    note(byV8Sentence(target, via, visited, whyNotOutside))
    await captureBundle(session, folder, {
      ...{ pid, signal: context.signal, count: SNAPSHOTS, everyMs },
      approve: (isolates) => agreeOnPrice(context, progress, target, visited, wanted, isolates),
      until,
      onBegin({ round, isolate }) {
        const which = ` (${round} of ${SNAPSHOTS})`
        if (isolate === null) work.step()
        progress.stage(isolate === null ? `the work goes on${which}` : `walking the heap of ${isolate}${which}`)
        show = showProgress(progress, ` ${isolate}${which}`)
      },
      onProgress: (now) => show(now),
    })
    return wayInto(visited)
  }
  try {
    const taken = await takeByWay({
      ...{ target, asked: via, maxPauseMs: maxPauseOutsideMs, signal: context.signal, note, fromOutside, byV8 },
      // Nobody waits for a program of our own.
      first: isOwn ? 'inspector' : 'outside',
    })
    return { via: taken, lostBytes: lostBytes * (SNAPSHOTS - 1) }
  } catch (error) {
    if (!(error instanceof LeakscopeError) || context.signal.aborted) throw error
    const hint = error.hint && !quiet ? ` ${error.hint}` : ''
    noteBeside(context, progress)(`the leak could not be looked into: ${error.message}.${hint}`)
    return undefined
  } finally {
    await work.done()
  }
}

/** Work while nobody waits for it. A load may lose patience with a program whose heap is walked: that does not matter. */
function workInSteps(driver: Driver, amount: number, signal: AbortSignal) {
  let work: Promise<unknown> = Promise.resolve()
  return {
    step() {
      work = work.then(() => driver.run(amount, signal)).catch(() => {})
    },
    done: () => work.then(() => {}),
  }
}

export async function compareCapture(
  context: Context,
  progress: Progress,
  folder: string,
  { limit }: CheckOptions,
  json: boolean,
): Promise<Compared> {
  const comparison = await comparisonOf([folder])
  const compared = await compareAll({ ...comparison, series: comparison.series.map(byWork) }, progress, {
    ...{ sort: 'retained', index: false, json, signal: context.signal },
    limit: json ? Number.POSITIVE_INFINITY : limit,
  })
  // Where they were is gone by the time that anybody reads of them.
  const name = (file: string) => file.slice(folder.length + 1)
  return { ...compared, snapshots: compared.snapshots.map((it) => ({ ...it, file: name(it.file) })) }
}

/** The same work was done between any two: told by that, and not by how long it took, what leaks rises steadily. */
function byWork({ isolate, snapshots }: Series): Series {
  const times = snapshots.map(({ takenAt }) => Date.parse(takenAt!))
  const stepMs = (times.at(-1)! - times[0]!) / Math.max(1, times.length - 1)
  return {
    isolate,
    snapshots: snapshots.map(({ file }, i) => ({ file, takenAt: new Date(times[0]! + i * stepMs).toISOString() })),
  }
}

/** Copies a capture to where it is to be kept: packed, and, unless that was declined, without the program's texts. */
export async function keepCapture(
  context: Context,
  progress: Progress,
  from: string,
  to: string,
  options: CheckOptions,
): Promise<void> {
  const { redact, force = false } = options
  const bundle = readBundle(from)
  const folder = createPartialFolder(to, force, holdsBundle)
  try {
    const key = redactionKey(undefined)
    for (const { file } of bundle.captures) {
      if (file === null) continue
      progress.stage(`keeping ${file}`)
      if (redact) {
        const how = { key, signal: context.signal, onProgress: (part: number) => progress.update(part) }
        await redactFile(join(from, file), join(folder.path, `${file}.gz`), how)
      } else cpSync(join(from, file), join(folder.path, file))
    }
    if (bundle.scripts !== null) {
      const scripts = readScriptsFile(join(from, bundle.scripts))
      writeScripts(join(folder.path, bundle.scripts), redact ? withoutTexts(scripts) : scripts)
    }
    const kept: Bundle = redact
      ? {
          ...bundle,
          process: { ...bundle.process, argv: bundle.process.argv?.slice(0, 2) ?? null },
          captures: bundle.captures.map((it) => ({ ...it, file: it.file && `${it.file}.gz` })),
        }
      : bundle
    const manifest = createPartialFile(join(folder.path, MANIFEST), false)
    try {
      manifest.write(`${JSON.stringify(BundleSchema.parse(kept), null, 2)}\n`)
      manifest.commit()
    } finally {
      manifest.discard()
    }
    folder.commit()
  } finally {
    folder.discard()
  }
}
