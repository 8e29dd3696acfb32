import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { runCli, temporaryFolder } from '../support/target.ts'

const PROGRAM = `import { setTimeout as sleep } from 'node:timers/promises'
import { writeHeapSnapshot } from 'node:v8'
async function pollOrders(round) {
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
for (const name of ['a', 'b', 'c']) {
  await sleep(700)
  writeHeapSnapshot(process.argv[2] + '/' + name + '.heapsnapshot')
}
process.exit()
`

test('two functions that wait behind the same list of timers', { timeout: 60_000 }, async () => {
  const folder = temporaryFolder()
  const program = join(folder, 'polling.mjs')
  await writeFile(program, PROGRAM)
  await promisify(execFile)(process.execPath, [program, folder])
  const files = ['a', 'b', 'c'].map((name) => join(folder, `${name}.heapsnapshot`))
  const { findings } = JSON.parse((await runCli(['diff', ...files, '--json'])).stdout)
  expect(findings).toMatchObject([
    { pattern: 'promise-pileup', culprit: { line: 10 }, evidence: { function: 'pollStock' } },
    { pattern: 'promise-pileup', culprit: { line: 5 }, evidence: { function: 'pollOrders' } },
  ])
  expect(new Set(findings.map(({ fingerprint }: { fingerprint: string }) => fingerprint)).size).toBe(2)
})
