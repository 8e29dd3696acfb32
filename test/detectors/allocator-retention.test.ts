import { expect, test } from 'vitest'
import type { IdleMemory } from '../../src/detectors/detector.ts'
import { findInMemory } from '../../src/detectors/process-findings.ts'
import { checkEvidence } from '../support/evidence.ts'

const looks = (rss: number, ...idle: number[]) =>
  idle.map((megabytes, i) => ({ atMs: 2000 * i, rssBytes: rss * 1e6, idleBytes: megabytes * 1e6 }))
const glibc = { name: 'glibc', arenas: 12 }
const find = (seen: readonly IdleMemory[], allocator: { name: string; arenas: number | null } | null) =>
  checkEvidence(findInMemory({ idle: { looks: seen, allocator } }))

test('memory that lies idle all the while is told of, and is no leak', () => {
  expect(find(looks(300, 201, 200, 204), glibc)).toMatchObject([
    {
      ...{ pattern: 'allocator-retention', wastes: 'memory', severity: 'note' },
      title: "200 MB of 300 MB lie idle in glibc's 12 arenas: a burst has gone, and its memory did not come back",
      evidence: { share: 0.67, arenas: 12 },
    },
  ])
})

test.each([
  ['little of it', looks(120, 40, 40)],
  ['a small part of all', looks(900, 100, 100)],
  ['what is taken and given back', looks(300, 200, 120)],
  ['one look', looks(300, 200)],
])('%s is no reason to speak', (_, seen) => {
  expect(find(seen, glibc)).toEqual([])
})

test('nothing is said of arenas that could not be looked into', () => {
  expect(find(looks(300, 200, 200), { name: 'jemalloc', arenas: null })).toEqual([])
  expect(find(looks(300, 200, 200), null)).toEqual([])
})
