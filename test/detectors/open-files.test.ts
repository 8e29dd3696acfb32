// Open files that nothing on the heap stands for: which growth of their number is a leak.

import { describe, expect, test } from 'vitest'
import type { FilesSeen } from '../../src/detectors/detector.ts'
import { findInFiles } from '../../src/detectors/process-findings.ts'
import { FindingSchema } from '../../src/findings/report.ts'
import { checkEvidence } from '../support/evidence.ts'

type Files = { kind?: string; peer?: string; names?: number }

/** A look every two seconds. */
function looks(counts: readonly number[], { kind = 'file', peer = '/var/mail', names = 3 }: Files = {}): FilesSeen[] {
  return counts.map((count, i) => ({
    atMs: 2000 * i,
    files: [
      { kind: 'socket', peer: '10.0.0.1:5432, established', count: 4 + i, names: 4 + i, example: 'socket:[1]' },
      { kind, peer, count, names: Math.min(count, names), example: `${peer}/7.eml` },
    ],
  }))
}

const rising = (by: number, count = 10): number[] => Array.from({ length: count }, (_, i) => 5 + by * i)
const find = (seen: readonly FilesSeen[], limit?: number) =>
  checkEvidence(findInFiles({ looks: seen, limit }, { isolates: [], readSource: () => undefined }, []))

describe('files that are opened and not closed', () => {
  test('are a leak, with their folder, their rate, and when there will be no more to be had', () => {
    const [finding, ...more] = find(looks(rising(6)), 1024)
    expect(more).toEqual([])
    expect(FindingSchema.parse(finding)).toMatchObject({
      ...{ pattern: 'handle-leak', severity: 'error', isolate: 'main', culprit: null },
      title:
        '54 more open files in /var/mail, 3.0 each second, and they stay open; at the limit of 1,024 in 5 min 17 s',
      evidence: { seenBy: 'system', folder: '/var/mail', opened: 54, limit: 1024 },
    })
    expect(finding!.reason).toContain('the same files are open several times')
  })

  test('have a name that outlives the run', () => {
    const names = [find(looks(rising(6))), find(looks(rising(2)))].map(([finding]) => finding!.fingerprint)
    expect(names[0]).toBe(names[1])
    expect(find(looks(rising(6), { peer: '/other' }))[0]!.fingerprint).not.toBe(names[0])
  })

  test('are said less surely when each is open once', () => {
    const [finding] = find(looks(rising(6), { names: 1000 }))
    expect(finding).toMatchObject({ severity: 'warning' })
    expect(finding!.reason).toContain('cache of open files')
  })

  test.each<[string, FilesSeen[]]>([
    ['there are as many all the time', looks(rising(0))],
    ['they come and go', looks([5, 30, 8, 25, 6, 40, 9, 30, 45, 50])],
    ['they came all at once', looks([5, 5, 5, 5, 60, 60, 60, 60, 60, 60])],
    ['a cache fills up', looks([5, 20, 32, 40, 46, 50, 53, 55, 57, 58], { names: 1000 })],
    ['a few more are open once each', looks(rising(2), { names: 1000 })],
    ['too few came', looks(rising(0.5).map(Math.floor))],
    ['there were too few looks', looks(rising(20, 4))],
    // The heap has objects of them.
    ['they are sockets', looks(rising(6), { kind: 'socket' })],
  ])('are none when %s', (_, seen) => {
    expect(find(seen, 1024)).toEqual([])
  })
})
