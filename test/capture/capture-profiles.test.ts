// Profiles of real processes and their workers, those that give none among them.

import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  captureProfile,
  captureProfiles,
  type ProfileCapture,
  type ProfileOptions,
} from '../../src/capture/capture-profiles.ts'
import type { Sampling } from '../../src/capture/profile.ts'
import { withInspector } from '../../src/target/attach.ts'
import { bytesUnder, hits, sampledIn, TELLS, WORK, WORKER_TELLS, worked } from '../support/sampled.ts'
import { filesIn, type SpawnedTarget, spawnTarget, TARGET_NODE, temporaryFolder, until } from '../support/target.ts'
import { BLOCKED, IDLE, LOOP, WHEN_ALL_RUN, worker } from '../support/workers.ts'

const targetMajor = Number(execFileSync(TARGET_NODE, ['-p', 'parseInt(process.versions.node)'], { encoding: 'utf8' }))
const never = new AbortController().signal
const CPU: Sampling = { kind: 'cpu', intervalMicros: 1000 }
const HEAP: Sampling = { kind: 'heap', intervalBytes: 1024, includeCollected: false }

/** Samples until the target has worked for a while. */
function whileItWorks(target: SpawnedTarget): Partial<ProfileOptions> {
  const enough = new AbortController()
  let begun = false
  return {
    durationMs: 3_600_000,
    enough: enough.signal,
    onBegin() {
      if (!begun) worked(target).then(() => enough.abort())
      begun = true
    },
  }
}

async function spawnWithWorkers(source: string): Promise<SpawnedTarget> {
  const target = await spawnTarget(`${source}\n${WHEN_ALL_RUN}`)
  await until(() => target.output().includes('all run'), 'the workers to run')
  return target
}

async function profileOf({ pid }: SpawnedTarget, which: 'main' | number, options: Partial<ProfileOptions> = {}) {
  const path = join(temporaryFolder(), 'profile')
  const capture = await withInspector(pid, { signal: never }, (session) =>
    captureProfile(session, which, path, { sampling: CPU, durationMs: 700, ...options }),
  )
  return { capture, profile: JSON.parse(readFileSync(path, 'utf8')) }
}

async function profilesOf({ pid }: SpawnedTarget, options: Partial<ProfileOptions> = {}) {
  const path = join(temporaryFolder(), 'profiles')
  const captures = await withInspector(pid, { signal: never }, (session) =>
    captureProfiles(session, path, { sampling: CPU, durationMs: 700, ...options }),
  )
  return { captures, path }
}

const states = (captures: readonly ProfileCapture[]) =>
  captures.map(({ isolate, reason }) => `${isolate} ${reason ?? 'captured'}`)
const threadsOf = ({ pid }: SpawnedTarget) => readdirSync(`/proc/${pid}/task`).length

describe('of one isolate', () => {
  test('a CPU profile has what it spends its time on, and V8 stops sampling', async () => {
    const target = await spawnTarget(WORK)
    let sampling = 0
    await profileOf(target, 'main', { durationMs: 50 })
    // The thread that sampled ends in its own time.
    await new Promise((resolve) => setTimeout(resolve, 500))
    const before = threadsOf(target)
    const { capture, profile } = await profileOf(target, 'main', {
      ...whileItWorks(target),
      onProgress() {
        sampling = threadsOf(target)
      },
    })
    expect(profile.samples).toHaveLength(capture.samples!)
    expect(profile.timeDeltas).toHaveLength(capture.samples!)
    expect(capture.sampledBytes).toBe(null)
    expect(hits('spin', profile)).toBeGreaterThan(0)
    expect(sampling).toBeGreaterThan(before)
    await until(() => threadsOf(target) === before, 'the thread that samples to be gone')
    expect(await target.answers()).toBe(true)
  })

  test('a heap profile has who allocates what stays, and V8 stops sampling', async () => {
    const target = await spawnTarget(`${WORK} ${TELLS}`)
    const how = whileItWorks(target)
    let during: Promise<string[]> | undefined
    const { capture, profile } = await profileOf(target, 'main', {
      ...how,
      sampling: HEAP,
      onBegin() {
        how.onBegin!()
        during = sampledIn(target, 1)
      },
    })
    expect(await during).toEqual(['main is sampled'])
    const hoarded = bytesUnder('hoard', profile)
    expect(hoarded).toBeGreaterThan(100_000)
    expect(bytesUnder('waste', profile)).toBeLessThan(hoarded / 2)
    expect(capture.sampledBytes).toBeGreaterThanOrEqual(hoarded)
    expect(await sampledIn(target, 1)).toEqual(['main is left alone'])
  })

  // Older versions do not know how.
  test.runIf(targetMajor >= 20)('it has what was collected when that is asked for', async () => {
    const target = await spawnTarget(WORK)
    const sampling = { ...HEAP, includeCollected: true }
    const { profile } = await profileOf(target, 'main', { ...whileItWorks(target), sampling })
    expect(bytesUnder('waste', profile)).toBeGreaterThan(2 * bytesUnder('hoard', profile))
  })

  test('a worker has a profile of its own', async () => {
    const target = await spawnWithWorkers(worker(IDLE) + worker(`${WORK} ${WORKER_TELLS}`) + TELLS)
    const cpu = await profileOf(target, 2, whileItWorks(target))
    expect(cpu.capture.isolate).toBe('worker:2')
    expect(hits('spin', cpu.profile)).toBeGreaterThan(0)
    expect(hits('spin', (await profileOf(target, 'main')).profile)).toBe(0)
    const heap = await profileOf(target, 2, { ...whileItWorks(target), sampling: HEAP })
    expect(bytesUnder('hoard', heap.profile)).toBeGreaterThan(100_000)
  })

  test('a function that loops since before it was begun, without an end, is named, in the main thread or a worker', async () => {
    const loop = 'function endless() { console.log("looping"); for (;;) Math.random() } setTimeout(endless, 500);'
    const alone = await spawnTarget(loop)
    await until(() => alone.output().includes('looping'), 'the loop')
    expect(hits('endless', (await profileOf(alone, 'main', { durationMs: 4000 })).profile)).toBeGreaterThan(0)
    alone.child.kill('SIGKILL')
    const target = await spawnWithWorkers(worker(loop))
    await until(() => target.output().includes('looping'), 'the loop')
    expect(hits('endless', (await profileOf(target, 1, { durationMs: 4000 })).profile)).toBeGreaterThan(0)
  })

  test('it lasts as long as was asked for, or until there is enough, when what there is is kept', async () => {
    const target = await spawnTarget(WORK)
    const timed = await profileOf(target, 'main', { durationMs: 300 })
    expect(timed.capture.sampledMs).toBeGreaterThanOrEqual(299)
    const ended = await profileOf(target, 'main', { ...whileItWorks(target), sampling: HEAP })
    expect(ended.capture.sampledMs).toBeLessThan(3_600_000)
    expect(bytesUnder('hoard', ended.profile)).toBeGreaterThan(0)
  })

  test('it does not begin when there is enough before it has begun', async () => {
    const target = await spawnTarget()
    const folder = temporaryFolder()
    const enough = AbortSignal.abort(new Error('enough'))
    const work = withInspector(target.pid, { signal: never }, (session) =>
      captureProfile(session, 'main', join(folder, 'a'), { sampling: CPU, durationMs: 60_000, enough }),
    )
    await expect(work).rejects.toThrow('enough')
    expect(filesIn(folder)).toEqual([])
  })

  test.each([
    ['dies', 'target-died', (target: SpawnedTarget) => target.child.kill('SIGKILL')],
    ['is stopped', 'target-timeout', (target: SpawnedTarget) => target.child.kill('SIGSTOP')],
  ])('a process that %s in the middle gives no profile, and leaves no file', async (_, code, strike) => {
    const target = await spawnTarget(WORK)
    const folder = temporaryFolder()
    const options = { sampling: CPU, durationMs: 1500, onBegin: () => void setTimeout(strike, 300, target) }
    const work = withInspector(target.pid, { signal: never }, (session) =>
      captureProfile(session, 'main', join(folder, 'a'), options),
    )
    await expect(work).rejects.toMatchObject({ code })
    expect(filesIn(folder)).toEqual([])
  })

  test('a file that cannot be written leaves nothing behind, in the target neither', async () => {
    const target = await spawnTarget(TELLS)
    const work = withInspector(target.pid, { signal: never }, (session) =>
      captureProfile(session, 'main', join(temporaryFolder(), 'no', 'a'), { sampling: HEAP, durationMs: 100 }),
    )
    await expect(work).rejects.toMatchObject({ code: 'file-not-writable' })
    expect(await sampledIn(target, 1)).toEqual(['main is left alone'])
  })

  test('somebody else’s sampling of the heap goes on', async () => {
    const target = await spawnTarget(`${TELLS}
      const theirs = new (require('node:inspector').Session)()
      theirs.connect()
      theirs.post('HeapProfiler.startSampling')`)
    await expect(profileOf(target, 'main', { sampling: HEAP })).rejects.toMatchObject({ code: 'target-protocol' })
    expect(await sampledIn(target, 1)).toEqual(['main is sampled'])
  })
})

describe('of all isolates', () => {
  test('each has a file of its own, of the same time, and none is sampled any more', async () => {
    const target = await spawnWithWorkers(
      WORK + worker(`${WORK} ${WORKER_TELLS}`, { name: 'first' }) + worker(WORKER_TELLS) + TELLS,
    )
    const { captures, path } = await profilesOf(target, { ...whileItWorks(target), sampling: HEAP })
    expect(states(captures)).toEqual(['main captured', 'worker:1 captured', 'worker:2 captured'])
    expect(captures.map(({ file }) => file)).toEqual(
      ['main', 'worker-1', 'worker-2'].map((name) => join(path, `${name}.heapprofile`)),
    )
    expect(captures[1]!.title).toBe('first')
    const [main, first, second] = captures.map(({ file }) => JSON.parse(readFileSync(file!, 'utf8')))
    for (const profile of [main, first]) expect(bytesUnder('hoard', profile)).toBeGreaterThan(0)
    expect(bytesUnder('hoard', second)).toBe(0)
    expect(await sampledIn(target, 3)).toEqual([
      'a worker is left alone',
      'a worker is left alone',
      'main is left alone',
    ])
  })

  test('who does not answer, loops or ends is noted and spoils nothing', async () => {
    const target = await spawnWithWorkers(
      `${worker(BLOCKED) + worker(LOOP) + worker(IDLE)} process.once('SIGUSR2', () => workers[2].terminate());`,
    )
    const { captures, path } = await profilesOf(target, {
      durationMs: 2000,
      limits: { answerMs: 5000 },
      onBegin: () => target.child.kill('SIGUSR2'),
    })
    expect(states(captures)).toEqual([
      'main captured',
      expect.stringMatching(/^worker:1 the target did not answer .+ within 5 s/),
      'worker:2 captured',
      'worker:3 worker 3 ended',
    ])
    expect(filesIn(path)).toEqual(['main.cpuprofile', 'worker-2.cpuprofile'])
    expect(await target.answers()).toBe(true)
  })

  test('a process that dies gives no folder', async () => {
    const target = await spawnWithWorkers(worker(IDLE))
    const folder = temporaryFolder()
    const options = { sampling: CPU, durationMs: 60_000, onBegin: () => target.child.kill('SIGKILL') }
    const work = withInspector(target.pid, { signal: never }, (session) =>
      captureProfiles(session, join(folder, 'all'), options),
    )
    await expect(work).rejects.toMatchObject({ code: 'target-died' })
    expect(filesIn(folder)).toEqual([])
  })
})
