// Whether a file is what ran, told by the functions that a heap has of it.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { createFileCheck } from '../../src/analysis/functions-in-file.ts'
import { openSnapshot } from '../../src/analysis/open-snapshot.ts'
import { TARGET_NODE, temporaryFolder } from '../support/target.ts'

const PROGRAM = `import { writeHeapSnapshot } from 'node:v8'
const kept = new Map()
export function remember(row) { kept.set(row.id, row) }
export const size = () => kept.size
export const forget = async function (id) { kept.delete(id) }
class Entry {
  static of = (row) => new Entry(row)
  #row
  constructor(row) { this.#row = row }
  get row() { return this.#row }
}
globalThis.keep = [Entry, { spare(n) { return n } }, (n) => n + 1]
writeHeapSnapshot(process.argv[2])
`

test('a file is what ran if the functions of the heap stand in it', async () => {
  const folder = temporaryFolder()
  const path = join(folder, 'program.mjs')
  const file = join(folder, 'a.heapsnapshot')
  writeFileSync(path, PROGRAM)
  execFileSync(TARGET_NODE, [path, file])
  const { graph, close } = await openSnapshot(file)
  const isWhatRan = createFileCheck([graph])
  const url = pathToFileURL(path).href
  expect(isWhatRan(url, PROGRAM)).toBe(true)
  expect(isWhatRan(url, `${PROGRAM}export const more = 1\n`)).toBe(true)
  expect(isWhatRan(url, PROGRAM.replace('const kept', 'const kept: Map<number, object>'))).toBe(true)
  expect(isWhatRan(url, `interface Row { id: number }\n${PROGRAM}`)).toBe(false)
  expect(isWhatRan(url, PROGRAM.replace(/\n/g, ''))).toBe(false)
  expect(isWhatRan(url, '')).toBe(false)
  expect(isWhatRan('file:///of/which/nothing/is/known.mjs', '')).toBe(true)
  await close()
})
