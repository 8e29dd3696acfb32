// What is said of recorded bundles, of programs that leak and of healthy ones, on each Node: as often right as it must be.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import {
  AT_LEAST,
  isRight,
  MOST_ALARMS,
  share,
  told,
  type Verdict,
  verdictOf,
  verdictOfHealthy,
} from '../../fixtures/generated/judge.mjs'
import { compareAll } from '../../src/commands/common/comparison.ts'
import { comparisonOf } from '../../src/commands/common/inputs.ts'
import { silentProgress } from '../../src/support/progress.ts'
import { NODE_MAJORS } from '../matrix/nodes.mjs'
import { checkEvidence } from '../support/evidence.ts'
import { checkOrder } from '../support/rivals.ts'
import { type Base, unpackBase, unpackBundle } from './bundles.mjs'

const bundles = fileURLToPath(new URL('bundles/', import.meta.url))
const rows: Verdict[] = []

describe('recorded programs', { retry: 0, timeout: 600_000 }, () => {
  it.each(NODE_MAJORS)('are judged on Node %i', async (major) => {
    const base = unpackBase(readFileSync(join(bundles, `base-node${major}.br`)))
    const files = readdirSync(bundles).filter((file) => file.endsWith(`-node${major}.br`) && !file.startsWith('base-'))
    expect(files.length).toBeGreaterThan(0)
    for (const file of files) rows.push(await verdict(file, base))
  })

  it('are found, first, with holder and line, and healthy ones are left in peace', () => {
    const healthy = rows.filter(({ silent }) => silent !== undefined)
    const leaking = rows.filter(({ silent }) => silent === undefined)
    const shares = Object.keys(AT_LEAST).map((key) => [key, share(leaking, key)] as const)
    const percents = shares.map(([key, of]) => `${key} ${(100 * of).toFixed(1)} %`)
    const alarms = 1 - share(healthy, 'silent')
    console.log(
      `recorded: ${leaking.length} that leak: ${percents.join(', ')}; ${healthy.length} healthy: ${(100 * alarms).toFixed(1)} % alarms`,
    )
    for (const [key, of] of shares) expect(of, key).toBeGreaterThanOrEqual(AT_LEAST[key as keyof typeof AT_LEAST])
    expect(alarms).toBeLessThanOrEqual(MOST_ALARMS)
  })
})

async function verdict(file: string, base: Base): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), 'leakscope-recorded-'))
  try {
    const about = unpackBundle(readFileSync(join(bundles, file)), folder, base)
    const report = await compareAll(await comparisonOf([folder]), silentProgress, {
      ...{ limit: 10, sort: 'retained', index: false, json: true, signal: new AbortController().signal },
      onLeaks: checkOrder,
    })
    checkEvidence(report.findings)
    const asItIs = (from: string, line: number) => ({ file: from, line })
    const row = about.healthy
      ? verdictOfHealthy(report)
      : verdictOf(about, { original: asItIs, names: [about.expect?.holderName] }, report)
    if (!isRight(row)) console.log(told({ id: file.replace(/\.br$/, ''), axes: about.axes, ...row }))
    return row
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
