// Every way into a process, for its main thread and its workers, on whatever Node the targets run.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { classify, classRows } from '../../src/analysis/classes.ts'
import { readBundle } from '../../src/capture/bundle.ts'
import { HeapGraph } from '../../src/graph/heap-graph.ts'
import { readSnapshot } from '../../src/snapshot/read.ts'
import { spawnAgent } from '../support/agent.ts'
import { bytesUnder, hits, sampledIn, TELLS, WORK, WORKER_TELLS } from '../support/sampled.ts'
import { filesIn, portsOf, runCli, type SpawnedTarget, spawnTarget, temporaryFolder, until } from '../support/target.ts'
import { IDLE, WHEN_ALL_RUN, worker } from '../support/workers.ts'

const SOURCE = `
  class Account { constructor(i) { this.i = i } }
  globalThis.accounts = Array.from({ length: 1234 }, (_, i) => new Account(i));
  ${worker(`class Reading { constructor(i) { this.i = i } }
  globalThis.readings = Array.from({ length: 567 }, (_, i) => new Reading(i)); ${IDLE}`)}
  ${WHEN_ALL_RUN}`

interface Way {
  readonly name: string
  start(source: string): Promise<SpawnedTarget>
  /** What to call the target on the command line. */
  target(of: SpawnedTarget): string
  /** Ports of an inspector that it had before. */
  readonly ports: number
  /** By which way its heap is read; by itself it would be from outside. */
  readonly via: 'inspector' | 'agent'
}

const WAYS: readonly Way[] = [
  {
    name: 'by signal',
    start: (source) => spawnTarget(source),
    target: ({ pid }) => String(pid),
    ports: 0,
    via: 'inspector',
  },
  {
    name: 'by an inspector that is open',
    start: (source) => spawnTarget(source, { args: ['--inspect=127.0.0.1:0'] }),
    target: ({ pid }) => `127.0.0.1:${portsOf(pid)[0]}`,
    ports: 1,
    via: 'inspector',
  },
  {
    name: 'by the agent',
    start: (source) => spawnAgent(source),
    target: ({ pid }) => String(pid),
    ports: 0,
    via: 'agent',
  },
]

describe.each(WAYS)('a process reached $name', ({ start, target: nameOf, ports, via }) => {
  test('gives the heaps of its main thread and its worker, and is left as it was found', async () => {
    const target = await start(SOURCE)
    await until(() => target.output().includes('all run'), 'the worker to run')
    expect(portsOf(target.pid)).toHaveLength(ports)
    const cwd = temporaryFolder()
    const { code } = await runCli(['snapshot', nameOf(target), '--via', via, '--isolate', 'all', '-o', 'heaps'], {
      cwd,
    })
    expect(code).toBe(0)
    expect(filesIn(join(cwd, 'heaps'))).toEqual([
      'capture.json',
      'main.heapsnapshot',
      'scripts.json.gz',
      'worker-1.heapsnapshot',
    ])
    expect(readBundle(join(cwd, 'heaps')).captures.map(({ status }) => status)).toEqual(['captured', 'captured'])
    const countIn = async (file: string, name: string) => {
      const graph = new HeapGraph(await readSnapshot(join(cwd, 'heaps', file)))
      return classRows(graph, classify(graph.snapshot)).find((row) => row.name === name)?.count
    }
    expect(await countIn('main.heapsnapshot', 'Account')).toBe(1234)
    expect(await countIn('main.heapsnapshot', 'Reading')).toBeUndefined()
    expect(await countIn('worker-1.heapsnapshot', 'Reading')).toBe(567)
    expect(portsOf(target.pid)).toHaveLength(ports)
    expect(await target.answers()).toBe(true)
  })

  test.each(['cpu', 'heap'])('gives a %s profile of each, and is not sampled any more', async (kind) => {
    const target = await start(`${WORK} ${worker(`${WORK} ${WORKER_TELLS}`)} ${TELLS} ${WHEN_ALL_RUN}`)
    await until(() => target.output().includes('all run'), 'the worker to run')
    const cwd = temporaryFolder()
    const args = ['profile', nameOf(target), `--${kind}`, '--interval', '1024', '--duration', '2s']
    const { code, stderr } = await runCli([...args, '--isolate', 'all', '-o', 'profiles'], { cwd })
    expect(code, stderr).toBe(0)
    const names = [`main.${kind}profile`, `worker-1.${kind}profile`]
    expect(filesIn(join(cwd, 'profiles'))).toEqual(names)
    for (const name of names) {
      const profile = JSON.parse(readFileSync(join(cwd, 'profiles', name), 'utf8'))
      expect(kind === 'cpu' ? hits('spin', profile) : bytesUnder('hoard', profile)).toBeGreaterThan(0)
    }
    expect(await sampledIn(target, 2)).toEqual(['a worker is left alone', 'main is left alone'])
    expect(portsOf(target.pid)).toHaveLength(ports)
    expect(await target.answers()).toBe(true)
  })
})
