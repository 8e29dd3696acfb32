// What the arguments of `diff` and `analyze` stand for: snapshots, sorted by the isolate that they are of.

import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Bundle, BundleCapture } from '../../capture/bundle.ts'
import { isBundle } from '../../capture/bundle-folder.ts'
import { LeakscopeError } from '../../errors.ts'
import type { RunningScript } from '../../support/script-sources.ts'

export interface SnapshotInput {
  readonly file: string
  /** ISO 8601; undefined when nobody has written it down. */
  readonly takenAt: string | undefined
  /** How long the isolate stood still for it, as far as that is known. */
  readonly pausedMs?: number | undefined
  /** The sampling heap profile that was read with it. */
  readonly profile?: string | undefined
}

/** Snapshots of one isolate, in order of time. */
export interface Series {
  readonly isolate: string
  readonly snapshots: readonly SnapshotInput[]
}

/** What is known of the scripts that ran, besides what lies on this machine's disk. */
export interface KnownScripts {
  readonly scripts: readonly RunningScript[]
  /** Where the program ran; null where nobody knows. */
  readonly cwd: string | null
}

const NO_SCRIPTS: KnownScripts = { scripts: [], cwd: null }

export interface Comparison extends KnownScripts {
  readonly series: readonly Series[]
  /** Isolates that have nothing to be compared with, and why. */
  readonly notCompared: readonly { readonly isolate: string; readonly reason: string }[]
  /** Of the process that a bundle is of. */
  readonly nodeVersion?: string | undefined
}

/** From which size on, in bytes, a snapshot is opened by two threads. */
const WORTH_A_THREAD_BYTES = 16e6

/** If the files are large, starts the second thread before the command has loaded what it runs itself. */
export async function startThreadFor(paths: readonly string[], module: URL): Promise<void> {
  const sizes = paths.map((path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0)
  if (Math.max(...sizes) < WORTH_A_THREAD_BYTES) return
  const { startAhead } = await import('../../support/second-thread.ts')
  startAhead(module.href)
}

/** Files in order of time, or bundles, of which each isolate is compared with itself. */
export async function comparisonOf(paths: readonly string[]): Promise<Comparison> {
  const bundles = paths.filter(isBundle)
  if (bundles.length === 0) {
    if (paths.length > 1) return { series: [fileSeries(paths)], notCompared: [], ...NO_SCRIPTS }
    throw new LeakscopeError('usage-invalid', "missing required argument 'after'", {
      hint: 'One snapshot has nothing to be compared with; only a bundle can hold several.',
    })
  }
  if (bundles.length < paths.length) {
    throw new LeakscopeError('usage-invalid', 'a bundle cannot be compared with a file', {
      hint: `Name the file that is meant: ${join(bundles[0]!, 'main.heapsnapshot')}`,
    })
  }
  const opened = await openBundles(paths)
  const all = await mergeSeries(opened)
  const series = all.filter(({ snapshots }) => snapshots.length > 1)
  if (series.length === 0) {
    throw new LeakscopeError('usage-invalid', `there are not two snapshots of any isolate in ${paths.join(', ')}`, {
      hint: 'Take several in one visit with --count, or compare two bundles of one process.',
    })
  }
  const compared = new Set(series.map(({ isolate }) => isolate))
  const notCompared = [...new Set(opened.flatMap(({ bundle }) => bundle.captures.map(({ isolate }) => isolate)))]
    .filter((isolate) => !compared.has(isolate))
    .map((isolate) => ({ isolate, reason: whyNot(isolate, opened) }))
  const nodeVersion = opened.at(-1)!.bundle.process.nodeVersion ?? undefined
  return { series, notCompared, nodeVersion, ...(await scriptsOf(opened)) }
}

/** One file, or the last snapshot of each isolate in a bundle. */
export async function inputsOf(path: string): Promise<{ readonly series: readonly Series[] } & KnownScripts> {
  if (!isBundle(path)) return { series: [fileSeries([path])], ...NO_SCRIPTS }
  const opened = await openBundles([path])
  const series = (await mergeSeries(opened)).map(({ isolate, snapshots }) => ({
    isolate,
    snapshots: snapshots.slice(-1),
  }))
  return { series, ...(await scriptsOf(opened)) }
}

/** Of a script that is in several bundles, the last tells. */
async function scriptsOf(opened: readonly OpenedBundle[]): Promise<KnownScripts> {
  const { readScriptsFile } = await import('../../capture/scripts.ts')
  return {
    scripts: opened.flatMap(({ path, bundle: { scripts } }) =>
      scripts === null ? [] : readScriptsFile(join(path, scripts)),
    ),
    cwd: opened.at(-1)?.bundle.process.cwd ?? null,
  }
}

const fileSeries = (paths: readonly string[]): Series => ({
  isolate: 'main',
  snapshots: paths.map((file) => ({ file, takenAt: undefined })),
})

/** What reads bundles is loaded only where there are any. */
async function openBundles(paths: readonly string[]): Promise<OpenedBundle[]> {
  const { readBundle } = await import('../../capture/bundle.ts')
  return paths.map((path) => ({ path, bundle: readBundle(path) }))
}

interface OpenedBundle {
  readonly path: string
  readonly bundle: Bundle
}

/** The snapshots of each isolate in all bundles, main first, then by thread. */
async function mergeSeries(opened: readonly OpenedBundle[]): Promise<Series[]> {
  const { seriesOf } = await import('../../capture/bundle.ts')
  const merged = new Map<string, { threadId: number; snapshots: SnapshotInput[] }>()
  for (const { path, bundle } of opened) {
    for (const [isolate, captures] of seriesOf(bundle)) {
      const snapshots = merged.get(isolate)?.snapshots ?? []
      snapshots.push(
        ...captures.map(({ file, startedAt, pausedMs, profile }) => ({
          ...{ file: join(path, file!), takenAt: startedAt, pausedMs: pausedMs ?? undefined },
          profile: profile === null ? undefined : join(path, profile),
        })),
      )
      merged.set(isolate, { threadId: captures[0]!.threadId, snapshots })
    }
  }
  return [...merged]
    .sort(([, a], [, b]) => a.threadId - b.threadId)
    .map(([isolate, { snapshots }]) => ({ isolate, snapshots }))
}

function whyNot(isolate: string, opened: readonly OpenedBundle[]): string {
  const of = ({ bundle }: OpenedBundle): BundleCapture[] => bundle.captures.filter((it) => it.isolate === isolate)
  const failed = opened.flatMap(of).find(({ reason }) => reason !== null)
  if (failed) return `not captured: ${failed.reason}`
  const there = opened.filter((each) => of(each).length > 0)
  return there.length < opened.length
    ? `only in ${there.map(({ path }) => path).join(', ')}`
    : `only one snapshot of it in ${there.map(({ path }) => path).join(', ')}`
}
