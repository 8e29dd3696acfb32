// Core files among the arguments of `diff`: their heaps are rebuilt into snapshots beside the others, in which objects have
// the same ids as in the core before, if both are of one process.

import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { isBundle } from '../../capture/bundle-folder.ts'
import { LeakscopeError } from '../../errors.ts'
import type { Report } from '../../findings/report.ts'
import { isCore } from '../../outside/core-memory.ts'
import { type OutsideCapture, openCore } from '../../outside/open.ts'
import { PictureSeries } from '../../outside/series.ts'
import { writeSnapshot } from '../../snapshot/write.ts'
import { isOwn } from '../../source/origins.ts'
import { formatBytes, printable } from '../../support/format.ts'
import { createScriptSources } from '../../support/script-sources.ts'
import type { Comparison, SnapshotInput } from './inputs.ts'

/** `SIGABRT`; by its number where it has no name here. */
export const signalName = (number: number): string =>
  Object.entries(constants.signals).find(([, each]) => each === number)?.[0] ?? `signal ${number}`

/** What ended the process, with places in the sources; null for one that went on. */
export function endedOf({ endedBy, ending, heaps }: OutsideCapture): Report['ended'] {
  if (!ending) return null
  const { outOfMemory, stack, error } = ending
  const { show } = createScriptSources({ scripts: heaps.flatMap(({ scripts }) => scripts) })
  return {
    signal: signalName(endedBy),
    reason: outOfMemory ? 'out-of-memory' : null,
    detail: outOfMemory?.where || null,
    heapBytes: outOfMemory?.heapMegabytes === undefined ? null : Math.round(outOfMemory.heapMegabytes * 2 ** 20),
    error: outOfMemory ? null : (error ?? null),
    stack: stack.map(({ function: name, url, line, column }) => {
      const place = line > 0 && isOwn(url) ? show({ url, line, column }) : { url, line, column }
      return { function: name, url: place.url, line: place.line, column: place.column }
    }),
  }
}

const MOST_FRAMES = 8

/** As in a stack of JavaScript. */
function frameText({ function: name, url, line, column }: NonNullable<Report['ended']>['stack'][number]): string {
  const place = line > 0 ? `${printable(url)}:${line}:${column}` : printable(url) || 'native code'
  return `at ${printable(name ?? '(anonymous)')} (${place})`
}

/** What a user should know of a core file first: in the first line all that ended it, then where that was. */
export function coreSentence(path: string, { executable }: OutsideCapture, ended: Report['ended']): string {
  const whose = `${printable(path)} is the memory of ${printable(executable)}`
  if (!ended) return `${whose}, of a process that went on`
  const { signal, reason, detail, heapBytes, error, stack } = ended
  const figures = [detail, heapBytes === null ? null : `${formatBytes(heapBytes)} in use after its last collection`]
  const more = figures.filter((each) => each !== null).join(', ')
  const why = reason
    ? `: V8 was out of memory${more && ` (${more})`}`
    : error === null
      ? ''
      : ` (the last error at hand: ${printable(error)})`
  const frames = stack.slice(0, MOST_FRAMES).map((frame) => `  ${frameText(frame)}`)
  const rest = stack.length > MOST_FRAMES ? [`  … and ${stack.length - MOST_FRAMES} more`] : []
  // What Node itself does at the moment says little.
  const own = stack.findIndex(({ url, line }) => line > 0 && isOwn(url))
  const inner = stack[Math.max(0, own)]
  const where = inner ? frameText(inner) : 'in no JavaScript'
  return [`${whose}, which ${signal} ended${why}, ${where}`, ...frames, ...rest].join('\n')
}

export interface ReadCores {
  readonly comparison: Comparison
  /** By the file that is read: what the user has named. */
  readonly named: ReadonlyMap<string, string>
  close(): void
}

/**
 * Files and cores, in order of time.
 * @param onCore told of each core, in a sentence
 */
export function readCores(
  paths: readonly string[],
  executable: string | undefined,
  onCore: (sentence: string) => void,
): ReadCores {
  const bundle = paths.find(isBundle)
  if (bundle !== undefined) {
    throw new LeakscopeError('usage-invalid', 'a bundle cannot be compared with a core file', {
      hint: `Name the file that is meant: ${join(bundle, 'main.heapsnapshot')}`,
    })
  }
  const folder = mkdtempSync(join(tmpdir(), 'leakscope-cores-'))
  try {
    const named = new Map<string, string>()
    const isolates = new Map<string, SnapshotInput[]>()
    const add = (isolate: string, input: SnapshotInput): void => {
      isolates.set(isolate, [...(isolates.get(isolate) ?? []), input])
    }
    const scripts: Comparison['scripts'][number][] = []
    let series = new PictureSeries()
    let before: OutsideCapture | undefined
    for (const [i, path] of paths.entries()) {
      const takenAt = statSync(path, { throwIfNoEntry: false })?.mtime.toISOString()
      if (!isCore(path)) {
        add('main', { file: path, takenAt })
        continue
      }
      const capture = openCore(path, executable, true)
      onCore(coreSentence(path, capture, endedOf(capture)))
      if (before && !isOneProcess(before, capture)) series = new PictureSeries()
      series.add(capture)
      before = capture
      for (const { isolate, snapshot, scripts: own } of capture.heaps) {
        const file = join(folder, `${isolate.replace(':', '-')}-${i}.heapsnapshot`)
        writeSnapshot(snapshot, file)
        named.set(file, path)
        add(isolate, { file, takenAt })
        scripts.push(...own)
      }
    }
    const all = Array.from(isolates, ([isolate, snapshots]) => ({ isolate, snapshots }))
    const comparison: Comparison = {
      series: all.filter(({ snapshots }) => snapshots.length > 1),
      notCompared: all
        .filter(({ snapshots }) => snapshots.length < 2)
        .map(({ isolate, snapshots }) => ({ isolate, reason: `only in ${named.get(snapshots[0]!.file)}` })),
      ...{ scripts, cwd: null },
    }
    return { comparison, named, close: () => rmSync(folder, { recursive: true, force: true }) }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

/** Whether V8's own heap stands at the same address: the system chooses it anew for each process. */
const isOneProcess = (a: OutsideCapture, b: OutsideCapture): boolean => a.heaps[0]?.address === b.heaps[0]?.address
