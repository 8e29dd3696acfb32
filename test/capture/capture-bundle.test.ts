// Capturing all isolates of real processes in one visit, those that cannot be captured among them.

import { execFileSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Bundle, readBundle, seriesOf } from '../../src/capture/bundle.ts'
import { holdsBundle, isBundle, MANIFEST } from '../../src/capture/bundle-folder.ts'
import { type BundleOptions, captureBundle } from '../../src/capture/capture-bundle.ts'
import { LeakscopeError } from '../../src/errors.ts'
import { withInspector } from '../../src/target/attach.ts'
import { bytesUnder, sampledIn, TELLS, WORK, WORKER_TELLS } from '../support/sampled.ts'
import {
  filesIn,
  heapIds,
  portsOf,
  readSnapshotFile,
  type SpawnedTarget,
  spawnTarget,
  TARGET_NODE,
  temporaryFolder,
  until,
} from '../support/target.ts'
import { BLOCKED, IDLE, LOOP, WHEN_ALL_RUN, worker } from '../support/workers.ts'

const never = new AbortController().signal

async function spawnWithWorkers(source: string): Promise<SpawnedTarget> {
  const target = await spawnTarget(`${source}\n${WHEN_ALL_RUN}`)
  await until(() => target.output().includes('all run'), 'the workers to run')
  return target
}

async function capture(
  { pid }: SpawnedTarget,
  options: Partial<BundleOptions> = {},
): Promise<{ bundle: Bundle; path: string }> {
  const path = join(temporaryFolder(), 'bundle')
  const bundle = await withInspector(pid, { signal: never }, (session) =>
    captureBundle(session, path, { pid, signal: never, ...options }),
  )
  return { bundle, path }
}

const states = ({ captures }: Bundle) => captures.map(({ isolate, status }) => `${isolate} ${status}`)

describe('a bundle', () => {
  test('holds a snapshot of each isolate, and says whose it is', async () => {
    const target = await spawnWithWorkers(
      `globalThis.mine = 'a string of the main thread';` +
        worker(`globalThis.mine = 'a string of the first worker'; ${IDLE}`, { name: 'first' }) +
        worker(`globalThis.mine = 'a string of the second worker'; ${IDLE}`),
    )
    const { bundle, path } = await capture(target)
    expect(filesIn(path)).toEqual([
      'capture.json',
      'main.heapsnapshot',
      'scripts.json.gz',
      'worker-1.heapsnapshot',
      'worker-2.heapsnapshot',
    ])
    expect(statSync(path).mode & 0o777).toBe(0o700)
    for (const file of filesIn(path)) expect(statSync(join(path, file)).mode & 0o777).toBe(0o600)

    const files = ['main', 'first worker', 'second worker'].map((whose, i) => {
      const { file, fileBytes, nodeCount } = bundle.captures[i]!
      expect(statSync(join(path, file!)).size).toBe(fileBytes)
      const snapshot = readSnapshotFile(join(path, file!))
      expect(snapshot.nodes).toBe(nodeCount)
      return [whose, snapshot.strings] as const
    })
    for (const [whose, strings] of files) {
      const own = strings.filter((it) => /^a string of the \w+ (thread|worker)$/.test(it))
      expect(own).toContain(`a string of the ${whose === 'main' ? 'main thread' : whose}`)
      if (whose !== 'main') expect(own).toHaveLength(1)
    }
    expect(isBundle(path)).toBe(true)
    expect(readBundle(path)).toEqual(bundle)
    expect(bundle.captures[1]).toMatchObject({ isolate: 'worker:1', threadId: 1, title: 'first', url: null })
    expect(portsOf(target.pid)).toEqual([])
    expect(await target.answers()).toBe(true)
  })

  test('tells how the process and each isolate was doing', async () => {
    const target = await spawnWithWorkers(worker(`globalThis.held = new ArrayBuffer(12_345_678); ${IDLE}`))
    const { bundle } = await capture(target)
    expect(bundle.process).toMatchObject({
      pid: target.pid,
      hostPid: target.pid,
      execArgv: expect.arrayContaining(['--inspect-port=0']),
      argv: [TARGET_NODE],
      platform: 'linux',
      cwd: process.cwd(),
    })
    expect(bundle.process.nodeVersion).toBe(
      `v${execFileSync(TARGET_NODE, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim()}`,
    )
    const [main, first] = bundle.captures.map(({ facts }) => facts!)
    for (const facts of [main!, first!]) {
      expect(facts.memoryUsage!.heapUsed).toBeGreaterThan(1e6)
      expect(facts.heapStatistics!.used_heap_size).toBeGreaterThan(1e6)
      expect(facts.heapSpaces!.map(({ space_name }) => space_name)).toContain('old_space')
      expect(facts.activeResources).toMatchObject({ Timeout: 1 })
    }
    expect(first!.memoryUsage!.arrayBuffers).toBeGreaterThan(12_345_000)
    expect(main!.memoryUsage!.arrayBuffers).toBeLessThan(12_000_000)
    expect(main!.eventLoop!.active).toBeGreaterThan(0)
    expect(first!.eventLoop).toBe(null)
    const { os } = bundle.rounds[0]!
    expect(os!.rssBytes).toBeGreaterThan(20e6)
    expect(os!.peakRssBytes).toBeGreaterThanOrEqual(os!.rssBytes!)
    expect(Object.values(os!.threads!).reduce((sum, count) => sum + count)).toBeGreaterThan(5)
    expect(os!.files).toMatchObject({ epoll: expect.any(Number), pipe: expect.any(Number) })
  })

  test('runs no code of the program to learn these things, and does without what cannot be had', async () => {
    const target = await spawnWithWorkers(`
      delete process.memoryUsage
      for (const name of ['memoryUsage', 'getActiveResourcesInfo', 'argv', 'arch']) {
        Object.defineProperty(process, name, { get() { console.log('code of the program ran') }, configurable: true })
      }
      globalThis.performance = { eventLoopUtilization() { console.log('code of the program ran'); return {} } }`)
    const { bundle } = await capture(target)
    expect(bundle.process).toMatchObject({ pid: target.pid, argv: null, arch: null })
    expect(bundle.captures[0]).toMatchObject({
      status: 'captured',
      facts: { memoryUsage: null, activeResources: null },
    })
    expect(bundle.captures[0]!.facts!.heapSpaces).not.toBe(null)
    expect(bundle.captures[0]!.facts!.eventLoop).not.toBe(null)
  })

  test('may hold a series, in which objects keep their ids', async () => {
    const target = await spawnWithWorkers(
      worker(`class Kept {}; globalThis.all = []; setInterval(() => all.push(new Kept()), 10)`),
    )
    const { bundle, path } = await capture(target, { count: 2, everyMs: 300 })
    expect(bundle.captures.map(({ file }) => file)).toEqual([
      'main-1.heapsnapshot',
      'worker-1-1.heapsnapshot',
      'main-2.heapsnapshot',
      'worker-1-2.heapsnapshot',
    ])
    expect(bundle.captures.map(({ round }) => round)).toEqual([1, 1, 2, 2])
    const times = bundle.captures.map(({ startedAt }) => Date.parse(startedAt))
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(bundle.rounds).toHaveLength(2)
    const [before, after] = seriesOf(bundle)
      .get('worker:1')!
      .map(({ file }) => heapIds(join(path, file!), 'Kept'))
    expect(before!.size).toBeGreaterThan(0)
    expect(after!.size).toBeGreaterThan(before!.size)
    for (const id of before!) expect(after).toContain(id)
  })

  test('waits before its later rounds for what it is told to, if only for that', async () => {
    const target = await spawnTarget()
    const events: string[] = []
    await capture(target, {
      count: 2,
      everyMs: 1,
      onBegin: ({ round, isolate }) => void events.push(`${isolate ?? 'wait'} ${round}`),
      until: async () => {
        await new Promise((done) => setTimeout(done, 200))
        events.push('done')
      },
    })
    expect(events).toEqual(['main 1', 'wait 2', 'done', 'main 2'])
  })
})

describe('with sampling', () => {
  const sampling = { intervalBytes: 1024 }
  const read = (path: string, name: string | null) => JSON.parse(readFileSync(join(path, name!), 'utf8'))

  test('a profile stands beside each snapshot, of what was allocated since the first and is alive', async () => {
    const kept = 'class Kept {}; globalThis.all = []; setInterval(() => all.push(new Kept()), 10);'
    const target = await spawnWithWorkers(`${WORK} ${kept} ${worker(`${WORK} ${WORKER_TELLS}`)} ${TELLS}`)
    const { bundle, path } = await capture(target, { count: 3, everyMs: 1000, sampling })
    expect(bundle.captures.map(({ profile }) => profile)).toEqual([
      'main-1.heapprofile',
      'worker-1-1.heapprofile',
      'main-2.heapprofile',
      'worker-1-2.heapprofile',
      'main-3.heapprofile',
      'worker-1-3.heapprofile',
    ])
    expect(statSync(join(path, 'main-1.heapprofile')).mode & 0o777).toBe(0o600)
    for (const captures of seriesOf(bundle).values()) {
      const profiles = captures.map(({ profile }) => read(path, profile))
      const hoarded = profiles.map((profile) => bytesUnder('hoard', profile))
      expect(hoarded[1]).toBeGreaterThan(hoarded[0]!)
      expect(hoarded[2]).toBeGreaterThan(hoarded[1]!)
      const newest = profiles.map(({ samples }) => Math.max(0, ...samples.map((it: { ordinal: number }) => it.ordinal)))
      expect(newest[2]).toBeGreaterThan(newest[1]!)
    }
    const ids = seriesOf(bundle)
      .get('main')!
      .map(({ file }) => heapIds(join(path, file!), 'Kept'))
    expect(ids[0]!.size).toBeGreaterThan(0)
    for (const id of ids[0]!) expect(ids[2]).toContain(id)
    expect(ids[2]!.size).toBeGreaterThan(ids[0]!.size)
    expect(readBundle(path)).toEqual(bundle)
    expect(holdsBundle(filesIn(path))).toBe(true)
    expect(await sampledIn(target, 2)).toEqual(['a worker is left alone', 'main is left alone'])
  })

  test('one that cannot be had costs no snapshot, and somebody else’s goes on', async () => {
    const target = await spawnWithWorkers(`${worker(WORKER_TELLS)} ${TELLS}
      const theirs = new (require('node:inspector').Session)()
      theirs.connect()
      theirs.post('HeapProfiler.startSampling')`)
    const { bundle } = await capture(target, { sampling })
    expect(states(bundle)).toEqual(['main captured', 'worker:1 captured'])
    expect(bundle.captures.map(({ profile, reason }) => [profile, reason])).toEqual([
      [null, null],
      ['worker-1.heapprofile', null],
    ])
    expect(await sampledIn(target, 2)).toEqual(['a worker is left alone', 'main is sampled'])
  })

  test('nothing is sampled any more after an error in the middle', async () => {
    const target = await spawnWithWorkers(worker(WORKER_TELLS) + TELLS)
    const folder = temporaryFolder()
    const stop = new AbortController()
    const work = withInspector(target.pid, { signal: stop.signal }, (session) =>
      captureBundle(session, join(folder, 'bundle'), {
        pid: target.pid,
        signal: stop.signal,
        count: 2,
        everyMs: 60_000,
        sampling,
        onCapture: ({ isolate }) => {
          if (isolate !== 'main') setTimeout(() => stop.abort(new LeakscopeError('cancelled', 'stopped')), 300)
        },
      }),
    )
    await expect(work).rejects.toMatchObject({ code: 'cancelled' })
    expect(filesIn(folder)).toEqual([])
    expect(await sampledIn(target, 2)).toEqual(['a worker is left alone', 'main is left alone'])
  })

  test('without it there is none, as in the bundles of earlier versions', async () => {
    const target = await spawnTarget(TELLS)
    const { bundle, path } = await capture(target)
    expect(bundle.captures.map(({ profile }) => profile)).toEqual([null])
    const { captures, ...rest } = JSON.parse(readFileSync(join(path, MANIFEST), 'utf8'))
    const older = captures.map(({ profile: _, ...capture }: { profile: unknown }) => capture)
    writeFileSync(join(path, MANIFEST), JSON.stringify({ ...rest, captures: older }))
    expect(readBundle(path)).toEqual(bundle)
  })
})

describe('links', () => {
  test('tie each worker, and a worker’s own worker, to the objects that stand for it', async () => {
    const nested = `const { Worker } = require('node:worker_threads');
      globalThis.mine = new Worker(${JSON.stringify(IDLE)}, { eval: true }); ${IDLE}`
    const target = await spawnWithWorkers(worker(nested) + worker(IDLE))
    await new Promise((resolve) => setTimeout(resolve, 500))
    const { bundle, path } = await capture(target)
    expect(states(bundle)).toEqual(['main captured', 'worker:1 captured', 'worker:2 captured', 'worker:3 captured'])
    expect(bundle.links.map(({ from, to }) => `${from.isolate} → ${to.isolate}`).sort()).toEqual([
      'main → worker:1',
      'main → worker:2',
      'worker:1 → worker:3',
    ])
    const idsOf = (isolate: string, name: string) => heapIds(join(path, seriesOf(bundle).get(isolate)![0]!.file!), name)
    for (const { from, to } of bundle.links) {
      expect(idsOf(from.isolate, 'Worker')).toContain(from.nodeId)
      expect(idsOf(from.isolate, 'MessagePort')).toContain(from.portNodeId)
      expect(idsOf(to.isolate, 'MessagePort')).toContain(to.portNodeId)
    }
  })
})

describe('an isolate that cannot be captured is noted and spoils nothing:', () => {
  test('a worker that is blocked outside JavaScript', async () => {
    const target = await spawnWithWorkers(worker(BLOCKED) + worker(BLOCKED) + worker(IDLE))
    const { bundle, path } = await capture(target, { limits: { answerMs: 1500 }, count: 2, everyMs: 10 })
    const round = ['main captured', 'worker:1 failed', 'worker:2 failed', 'worker:3 captured']
    expect(states(bundle)).toEqual([...round, ...round])
    expect(bundle.captures[1]).toMatchObject({
      reason: expect.stringMatching(/did not answer .+ within 2 s.+blocked outside JavaScript/),
      file: null,
      nodeCount: null,
      facts: null,
    })
    // All wait together, and nobody waits twice.
    expect(bundle.durationMs).toBeLessThan(30_000)
    expect(filesIn(path).filter((name) => name.startsWith('worker-1'))).toEqual([])
    expect(bundle.links.find(({ to }) => to.isolate === 'worker:2')!.to.portNodeId).toBe(null)
    expect(portsOf(target.pid)).toEqual([])
  })

  test('a worker in an endless loop is captured, though it never returns to its event loop', async () => {
    const target = await spawnWithWorkers(worker(LOOP) + worker(IDLE))
    const { bundle } = await capture(target)
    expect(states(bundle)).toEqual(['main captured', 'worker:1 captured', 'worker:2 captured'])
    expect(portsOf(target.pid)).toEqual([])
    expect(await target.answers()).toBe(true)
  })

  test('a worker that was given up takes no snapshot when it comes to itself', async () => {
    const target = await spawnWithWorkers(
      worker(`
        globalThis.all = Array.from({ length: 3e5 }, (_, i) => ({ i }))
        const end = Date.now() + 6000
        setTimeout(() => {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, end - Date.now())
          let last = Date.now()
          let longest = 0
          const timer = setInterval(() => {
            longest = Math.max(longest, Date.now() - last)
            last = Date.now()
          }, 5)
          setTimeout(() => { clearInterval(timer); console.log('stood still for ' + longest + ' ms') }, 2000)
        }, 100)`),
    )
    const { bundle } = await capture(target, { limits: { silentMs: 500 } })
    expect(states(bundle)).toEqual(['main captured', 'worker:1 failed'])
    await until(() => target.output().includes('stood still'), 'the wait to end')
    expect(Number(/stood still for (\d+) ms/.exec(target.output())![1])).toBeLessThan(150)
  })

  test('a main thread in an endless loop is captured as well, with its workers', async () => {
    const target = await spawnWithWorkers(`${worker(IDLE)} setTimeout(() => { for (;;) Math.random() }, 3000)`)
    await new Promise((resolve) => setTimeout(resolve, 3000))
    const { bundle } = await capture(target)
    expect(states(bundle)).toEqual(['main captured', 'worker:1 captured'])
    await until(() => portsOf(target.pid).length === 0, 'the inspector to be shut')
  })

  test('a worker that ends while others are captured; one that starts then is captured as well', async () => {
    const target = await spawnWithWorkers(
      `${worker(IDLE) + worker(IDLE)} process.once('SIGUSR2', () => { workers[1].terminate(); ${worker(IDLE)} })`,
    )
    const { bundle } = await capture(target, {
      onCapture({ isolate }) {
        if (isolate !== 'main') return
        target.child.kill('SIGUSR2')
        // Nothing of ours goes on before the target has done it.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500)
      },
    })
    expect(states(bundle)).toEqual(['main captured', 'worker:1 captured', 'worker:2 failed', 'worker:3 captured'])
    expect(bundle.captures[2]!.reason).toBe('worker 2 ended')
    expect(await target.answers()).toBe(true)
  })
})

test('an error that is not one isolate’s alone leaves nothing behind', async () => {
  const target = await spawnWithWorkers(worker(IDLE))
  const folder = temporaryFolder()
  const taken = withInspector(target.pid, { signal: never }, (session) =>
    captureBundle(session, join(folder, 'bundle'), {
      pid: target.pid,
      signal: never,
      onCapture: () => target.child.kill('SIGKILL'),
    }),
  )
  await expect(taken).rejects.toMatchObject({ code: 'target-died' })
  expect(filesIn(folder)).toEqual([])
})
