import { expect, test } from 'vitest'
import { diffOfProgram } from '../support/own-snapshots.ts'

test('two functions that wait behind the same list of timers', { timeout: 60_000 }, async () => {
  const { findings } = await diffOfProgram(`async function pollOrders(round) {
  await sleep(2)
  return pollOrders(round + 1)
}
async function pollStock(rows) {
  await sleep(2)
  const seen = Array.from({ length: 40 }, (_, i) => i * 1.5)
  await pollStock(seen)
  return rows
}
pollOrders(0)
pollStock([])
`)
  expect(findings).toMatchObject([
    { pattern: 'promise-pileup', culprit: { line: 9 }, evidence: { function: 'pollStock' } },
    { pattern: 'promise-pileup', culprit: { line: 4 }, evidence: { function: 'pollOrders' } },
  ])
  expect(new Set(findings.map(({ fingerprint }) => fingerprint)).size).toBe(2)
})
