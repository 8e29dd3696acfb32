// `diagnose`, `diff` and `analyze` as a program calls them, by the public door.

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test, vi } from 'vitest'
import { analyze, diagnose, diff, type LeakscopeError, ReportSchema } from '../../src/index.ts'
import { serviceHeap } from '../support/service.ts'
import { portsOf, runCli, spawnTarget, temporaryFolder } from '../support/target.ts'

let folder: string
let files: string[]

beforeAll(() => {
  folder = temporaryFolder()
  files = [100, 500, 900].map((logs) => {
    const file = join(folder, `${logs}.heapsnapshot`)
    writeFileSync(file, serviceHeap({ logs }))
    return file
  })
})

test('diff and analyze give what the commands print', async () => {
  const printed = async (...args: string[]) => JSON.parse((await runCli([...args, '--json', '-q'])).stdout)
  const compared = await diff(files)
  expect(compared.findings).toHaveLength(1)
  expect(JSON.parse(JSON.stringify(compared))).toEqual(await printed('diff', ...files))
  expect(JSON.parse(JSON.stringify(await analyze(files[0]!)))).toEqual(await printed('analyze', files[0]!))
})

test('diagnose names the leak of a process, keeps the snapshots, and prints nothing', async () => {
  const write = vi.spyOn(process.stdout, 'write')
  const complain = vi.spyOn(process.stderr, 'write')
  const target = await spawnTarget(
    'globalThis.sessions = new Map(); let i = 0; setInterval(() => sessions.set(++i, { i, at: Date.now() }), 5)',
  )
  const notices: string[] = []
  const keepIn = join(folder, 'kept')
  const onNotice = (sentence: string) => notices.push(sentence)
  const report = await diagnose(target.pid, { durationMs: 3000, keepIn, onNotice })
  expect(ReportSchema.parse(report).findings[0]).toMatchObject({ pattern: 'growing-collection' })
  expect(report.target!.pid).toBe(target.pid)
  expect(notices[0]).toMatch(/^V8 writes the heap of process \d+, asked over the inspector/)
  expect(notices[1]).toMatch(/^about [\d,]+ objects: process \d+ will stand still 3 times/)
  expect(existsSync(join(keepIn, 'capture.json'))).toBe(true)
  expect((await diff([keepIn])).findings[0]!.fingerprint).toBe(report.findings[0]!.fingerprint)
  expect(await target.answers()).toBe(true)
  expect(portsOf(target.pid)).toEqual([])
  expect(write.mock.calls.length + complain.mock.calls.length).toBe(0)
}, 60_000)

test('diagnose is stopped by its signal, and leaves the process as it was', async () => {
  const target = await spawnTarget()
  const stop = new AbortController()
  const diagnosis = diagnose(String(target.pid), { durationMs: 60_000, signal: stop.signal })
  setTimeout(() => stop.abort(new Error('enough')), 2500)
  await expect(diagnosis).rejects.toThrow('enough')
  expect(await target.answers()).toBe(true)
  expect(portsOf(target.pid)).toEqual([])
}, 60_000)

test.each<[what: string, work: () => Promise<unknown>, code: LeakscopeError['code']]>([
  ['no target', () => diagnose('nobody'), 'usage-invalid'],
  ['no process', () => diagnose(2 ** 30), 'target-not-found'],
  ['one snapshot', () => diagnose(1, { snapshots: 1 }), 'usage-invalid'],
  ['no file', () => diff([files[0]!, join(folder, 'none')]), 'file-not-found'],
  ['one file', () => diff([files[0]!]), 'usage-invalid'],
  ['no snapshot', () => analyze('package.json'), 'snapshot-malformed'],
])('%s is refused', (_, work, code) => expect(work()).rejects.toMatchObject({ name: 'LeakscopeError', code }))
