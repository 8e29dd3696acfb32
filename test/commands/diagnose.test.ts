// `leakscope diagnose` as a user runs it, as to what it asks the living process.

import { expect, test } from 'vitest'
import { type Report, ReportSchema } from '../../src/findings/report.ts'
import { portsOf, runCli, spawnTarget } from '../support/target.ts'

async function diagnose(target: number, ...args: string[]): Promise<Report> {
  const { code, stdout, stderr } = await runCli(['diagnose', target, '--json', '-q', '--fail-on', 'never', ...args])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return ReportSchema.parse(JSON.parse(stdout))
}

const keeps = (what: string) => `globalThis.kept = []; setInterval(() => kept.push(${what}), 50)`

test('tells small views of large buffers from whole buffers, which a snapshot does not', async () => {
  const parts = await spawnTarget(keeps('Buffer.allocUnsafeSlow(65536).subarray(0, 40)'))
  const [part] = (await diagnose(parts.pid, '--duration', '2s')).findings
  expect(part).toMatchObject({ pattern: 'buffer-slab-retention', evidence: { viewsAsked: 5, viewBytesEach: 40 } })
  expect(await parts.answers()).toBe(true)
  expect(portsOf(parts.pid)).toEqual([])
  const whole = await spawnTarget(keeps('Buffer.allocUnsafeSlow(65536).subarray(0, 65000)'))
  expect((await diagnose(whole.pid, '--duration', '2s')).findings[0]?.pattern).toBe('off-heap-growth')
}, 60_000)

test('accounts for the memory of the process at its first and its last look', async () => {
  const { pid } = await spawnTarget(keeps('Buffer.alloc(65536, 1)'))
  const { process } = await diagnose(pid, '--duration', '2s')
  expect(process!.samples).toHaveLength(2)
  expect(process!.elapsedMs).toBeGreaterThan(2000)
  expect(process!.notes.join()).toMatch(/snapshots/)
  expect(process!.ledger.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(process!.rssBytes)
}, 60_000)

test('accounts for the memory without a snapshot, in a table too', async () => {
  const { pid } = await spawnTarget(keeps('Buffer.alloc(65536, 1)'))
  const { process, findings } = await diagnose(pid, '--light', '--duration', '2s')
  expect({ findings, notes: process!.notes }).toEqual({ findings: [], notes: [] })
  expect(process!.samples).toHaveLength(4)
  expect(process!.ledger.find(({ id }) => id === 'array-buffers')!.bytesDelta).toBeGreaterThan(1e6)
  const { stdout } = await runCli(['diagnose', pid, '--light', '--duration', '1s', '-q'])
  expect(stdout).toMatch(/^ArrayBuffers .*\+\d+(\.\d+)? [KM]B$/m)
}, 60_000)

test('finds files that are opened and not closed, of which the heap knows nothing', async () => {
  const target = await spawnTarget("setInterval(() => require('fs').openSync(process.execPath), 50)")
  const { findings } = await diagnose(target.pid, '--duration', '8s')
  expect(findings).toMatchObject([{ pattern: 'handle-leak', evidence: { seenBy: 'system', kind: 'file' } }])
  expect(findings[0]!.title).toMatch(/^\d+ more open files in .*; at the limit of [\d,]+ in /)
  expect(await target.answers()).toBe(true)
}, 60_000)
