// The process that compares the snapshots of a test: reads a task, writes what it found as JSON.

import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { readLocalSource } from '../analysis/culprit.ts'
import { compareAll } from '../commands/comparison.ts'
import type { SnapshotInput } from '../commands/inputs.ts'
import { silentProgress } from '../support/progress.ts'
import { mapPosition } from '../support/source-maps.ts'
import type { MadeScript } from './here.ts'

export interface Task {
  /** In order of time. */
  readonly snapshots: readonly SnapshotInput[]
  readonly scripts: readonly MadeScript[]
}

const { snapshots, scripts } = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Task
const pathOf = (url: string): string => (url.startsWith('file:') ? fileURLToPath(url) : url)
/** A script and the file that it was made of have one name; the other way to write it stands for the file. */
const otherName = (url: string): string => (url.startsWith('file:') ? pathOf(url) : pathToFileURL(url).href)

const madeOf = new Map(scripts.map(({ url, file }) => [pathOf(url), file]))
/** By path, how the heap names the script, which is how it is first asked for; V8's debugger makes URLs of all names. */
const names = new Map<string, string>()

/** The text of a script that was made of a file; undefined for the file, and for all others. */
function made(url: string): string | undefined {
  const path = pathOf(url)
  const file = madeOf.get(path)
  if (file === undefined) return undefined
  if (!names.has(path)) names.set(path, url)
  return names.get(path) === url ? file : undefined
}

const comparison = { series: [{ isolate: 'main', snapshots }], notCompared: [], nodeVersion: process.version }
const compared = await compareAll(comparison, silentProgress, {
  ...{ limit: Number.POSITIVE_INFINITY, sort: 'retained', index: false, json: true },
  readSource: (url) => readLocalSource(made(url) ?? url),
  mapPosition(url, line, column) {
    const made = madeOf.get(url)
    if (made === undefined) return mapPosition(url, line, column)
    const found = mapPosition(made, line, column)
    return found && { ...found, url: otherName(url) }
  },
  signal: new AbortController().signal,
})
// Where they were is gone by the time that anybody reads of them.
const named = compared.snapshots.map((it) => ({ ...it, file: basename(it.file) }))
process.stdout.write(JSON.stringify({ ...compared, snapshots: named }))
