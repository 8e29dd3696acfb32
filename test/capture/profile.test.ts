// Sampling over a conversation that is played to it, so that it can go wrong in every way.

import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  type Profile,
  readHeapSampling,
  type Sampling,
  startSampling,
  stopSampling,
  writeProfile,
} from '../../src/capture/profile.ts'
import { LeakscopeError } from '../../src/errors.ts'
import type { ProtocolClient } from '../../src/target/session.ts'
import { filesIn, temporaryFolder } from '../support/target.ts'

const CPU: Sampling = { kind: 'cpu', intervalMicros: 500 }
const HEAP: Sampling = { kind: 'heap', intervalBytes: 4096, includeCollected: false }

const refusal = () => Promise.reject(new LeakscopeError('target-protocol', 'the target answered: not started'))
const leaf = (selfSize: number) => ({ callFrame: {}, selfSize, id: 1, children: [] })
const HEAP_PROFILE = {
  head: { ...leaf(0), children: [leaf(100), { ...leaf(20), children: [leaf(3)] }] },
  samples: [{ size: 100, nodeId: 1, ordinal: 1 }],
}
const CPU_PROFILE = { nodes: [{ id: 1 }], startTime: 1, endTime: 5, samples: [1, 1], timeDeltas: [2, 2] }

/** A target that answers as `answers` say, and nothing in particular to all else. */
function playedTarget(answers: Record<string, (params: object) => unknown> = {}) {
  const sent: [string, object][] = []
  const client: ProtocolClient = {
    async send(method, params = {}) {
      sent.push([method, params])
      return (await answers[method]?.(params)) ?? {}
    },
    on: () => () => {},
    onRaw: () => () => {},
  }
  return { client, sent, methods: () => sent.map(([method]) => method) }
}

test('a CPU profile is started with its interval, and all is switched off with its end', async () => {
  const { client, sent, methods } = playedTarget({ 'Profiler.stop': () => ({ profile: CPU_PROFILE }) })
  await startSampling(client, CPU, {})
  expect(sent).toEqual([
    ['Profiler.enable', {}],
    ['Profiler.setSamplingInterval', { interval: 500 }],
    ['Profiler.start', {}],
  ])
  expect(await stopSampling(client, CPU, {})).toEqual({ content: CPU_PROFILE, samples: 2, bytes: null })
  expect(methods().slice(3)).toEqual(['Profiler.stop', 'Profiler.disable'])
})

test.each([
  [false, {}],
  [true, { includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true }],
])('a heap is sampled with what was collected: %s', async (includeCollected, flags) => {
  const { client, sent } = playedTarget({
    'HeapProfiler.getSamplingProfile': refusal,
    'HeapProfiler.stopSampling': () => ({ profile: HEAP_PROFILE }),
  })
  await startSampling(client, { ...HEAP, includeCollected }, {})
  expect(sent[1]).toEqual(['HeapProfiler.startSampling', { samplingInterval: 4096, ...flags }])
  expect(await stopSampling(client, HEAP, {})).toEqual({ content: HEAP_PROFILE, samples: 1, bytes: 123 })
})

test('a heap that somebody else samples is left to them', async () => {
  const { client, methods } = playedTarget({ 'HeapProfiler.getSamplingProfile': () => ({ profile: HEAP_PROFILE }) })
  await expect(startSampling(client, HEAP, {})).rejects.toMatchObject({
    code: 'target-protocol',
    message: expect.stringContaining('by somebody else'),
  })
  expect(methods()).toEqual(['HeapProfiler.getSamplingProfile'])
})

test.each([
  ['Profiler.start', CPU, 'Profiler.stop'],
  ['HeapProfiler.startSampling', HEAP, 'HeapProfiler.stopSampling'],
] as const)('what %s may still begin after it gave no answer in time is stopped', async (start, sampling, stop) => {
  const { client, methods } = playedTarget({
    'HeapProfiler.getSamplingProfile': refusal,
    [start]: () => Promise.reject(new LeakscopeError('target-timeout', 'no answer')),
  })
  await expect(startSampling(client, sampling, {})).rejects.toMatchObject({ code: 'target-timeout' })
  expect(methods()).toContain(stop)
})

test.each([
  ['nothing', CPU, {}],
  ['a profile without nodes', CPU, { profile: { ...CPU_PROFILE, nodes: [] } }],
  ['a profile without samples', CPU, { profile: { nodes: [{ id: 1 }], timeDeltas: [] } }],
  ['no tree', HEAP, { profile: { samples: [] } }],
  ['a tree that is a text', HEAP, { profile: { head: 'hello' } }],
] as const)('%s in place of a profile is an error', async (_, sampling, answer) => {
  const { client } = playedTarget({ 'Profiler.stop': () => answer, 'HeapProfiler.stopSampling': () => answer })
  await expect(stopSampling(client, sampling, {})).rejects.toMatchObject({
    code: 'target-protocol',
    message: 'the target sent no complete profile',
  })
})

test('a heap can be read while it is sampled, also where samples are not told one by one', async () => {
  const { head } = HEAP_PROFILE
  const { client, methods } = playedTarget({ 'HeapProfiler.getSamplingProfile': () => ({ profile: { head } }) })
  expect(await readHeapSampling(client, {})).toMatchObject({ samples: 0, bytes: 123 })
  expect(methods()).toEqual(['HeapProfiler.getSamplingProfile'])
})

test('a file is private, whole, and never in the place of another unless that is wanted', () => {
  const folder = temporaryFolder()
  const path = join(folder, 'a.cpuprofile')
  const profile: Profile = { content: { nodes: ['ü', 1] }, samples: 0, bytes: null }
  const bytes = writeProfile(path, profile, false)
  expect(readFileSync(path, 'utf8')).toBe('{"nodes":["ü",1]}')
  expect(statSync(path)).toMatchObject({ size: bytes })
  expect(statSync(path).mode & 0o777).toBe(0o600)
  writeFileSync(path, 'precious')
  expect(() => writeProfile(path, profile, false)).toThrow(expect.objectContaining({ code: 'file-exists' }))
  expect(readFileSync(path, 'utf8')).toBe('precious')
  writeProfile(path, profile, true)
  expect(readFileSync(path, 'utf8')).not.toBe('precious')
  expect(filesIn(folder)).toEqual(['a.cpuprofile'])
})
