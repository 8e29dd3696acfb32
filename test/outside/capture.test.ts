// A heap read from outside is the one that V8 itself tells of; on whatever Node the targets run.

import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { identify, idsAgree } from '../../src/analysis/identity.ts'
import { openColumns } from '../../src/analysis/open-snapshot.ts'
import { HeapGraph } from '../../src/graph/heap-graph.ts'
import { nodesNamed } from '../../src/graph/named.ts'
import { withWords } from '../../src/graph/path-words.ts'
import { retainingPath } from '../../src/graph/retaining-path.ts'
import { captureFromOutside } from '../../src/outside/open.ts'
import { NodeType } from '../../src/snapshot/meta.ts'
import { readSnapshot } from '../../src/snapshot/read.ts'
import { edgeTarget, type Snapshot } from '../../src/snapshot/snapshot.ts'
import { agreementOf } from '../support/agreement.mjs'
import { spawnTarget, start, TARGET_NODE, temporaryFolder, until } from '../support/target.ts'
import { worker } from '../support/workers.ts'

const PROGRAM = resolve(import.meta.dirname, '../support/outside-heap.cjs')
const onLinux = process.platform === 'linux'

async function startProgram(file: string) {
  const child = start(TARGET_NODE, ['--expose-gc', PROGRAM, file])
  let output = ''
  child.stdout.on('data', (part) => {
    output += part
  })
  await until(() => output.includes('ready'), 'the program to be ready')
  return { child, pid: child.pid!, output: () => output }
}

/** Bytes that are retained by the 1,000 objects which retain most. */
function largestRetained(snapshot: Snapshot): number[] {
  const { retainedSizes } = new HeapGraph(snapshot)
  return Array.from(retainedSizes)
    .filter((_, node) => snapshot.nodeType[node] === NodeType.object)
    .sort((a, b) => b - a)
    .slice(0, 1000)
}

describe.runIf(onLinux)('a process that is read from outside', () => {
  test('has the objects, closures, strings and references that V8 tells of', async () => {
    const file = join(temporaryFolder(), 'v8.heapsnapshot')
    const { child, pid, output } = await startProgram(file)
    const { heaps, pausedMs } = await captureFromOutside(pid)
    expect(heaps).toHaveLength(1)
    expect(pausedMs).toBeLessThan(1000)
    child.kill('SIGUSR2')
    await until(() => output().includes('written'), 'V8’s snapshot')
    const reference = await readSnapshot(file)
    const agreement = agreementOf(heaps[0]!.snapshot, reference)
    const least = {
      ...{ objects: 0.998, objectBytes: 0.998, closures: 0.9995, closurePlaces: 0.9995 },
      ...{ strings: 0.995, properties: 0.99, contexts: 0.995, elements: 0.99 },
    }
    for (const [what, share] of Object.entries(least)) {
      const { recall, precision, count } = agreement[what as keyof typeof agreement]
      expect(count, what).toBeGreaterThan(100)
      expect(recall, `recall of ${what}`).toBeGreaterThanOrEqual(share)
      expect(precision, `precision of ${what}`).toBeGreaterThanOrEqual(share)
    }
    const [own, theirs] = [largestRetained(heaps[0]!.snapshot), largestRetained(reference)]
    // By rank: an object more or less moves all that are smaller.
    const close = own.filter((bytes, i) => Math.abs(bytes - theirs[i]!) <= 0.05 * theirs[i]!)
    expect(close.length).toBeGreaterThanOrEqual(0.95 * own.length)
  })

  test('has other object ids in each capture, as nothing tells that they are of the same objects', async () => {
    const { pid } = await spawnTarget('')
    const [before, after] = [await captureFromOutside(pid), await captureFromOutside(pid)]
    expect(idsAgree(identify(before.heaps[0]!.snapshot), after.heaps[0]!.snapshot)).toBe(false)
  })

  test('has the native sides of its objects, held by native code', async () => {
    const { pid } = await spawnTarget(
      `const server = require('node:net').createServer(); server.listen(0, () => { globalThis.listening = true });`,
    )
    const { heaps } = await captureFromOutside(pid)
    const { nodeType, firstEdge, edges, strings, nodeName } = heaps[0]!.snapshot
    const held = Array.from(edges.subarray(firstEdge[0], firstEdge[1]), edgeTarget)
      .filter((node) => nodeType[node] === NodeType.native)
      .map((node) => strings.get(nodeName[node]!))
    expect(held).toContain('Node / TCP')
  })

  test('is held by what holds it, with names of variables and keys', async () => {
    const { pid } = await startProgram('')
    const { heaps } = await captureFromOutside(pid)
    const { graph, classRows, close } = await openColumns(heaps[0]!.snapshot)
    const { strings, nodeType } = graph.snapshot
    // With the prototype of Order, as V8 has it.
    expect(classRows.find(({ name }) => name === 'Session')?.count).toBe(1001)
    expect(classRows.find(({ name }) => name === 'Order')?.count).toBe(1000)
    const path = [...nodesNamed(graph.snapshot, [strings.indexOf('Order')])]
      .filter((node) => nodeType[node] === NodeType.object)
      .map((node) =>
        retainingPath(graph, node)
          .map(withWords)
          .map(({ edge, node: what }) => `${edge} ${what}`.trim())
          .join(' -> '),
      )
    expect(path[5]).toMatch(/\.map Map -> .*Order/)
    await close()
  })

  test('has the heaps of its workers, from the same instant', async () => {
    const { pid, output } = await spawnTarget(
      `class Account { constructor(i) { this.i = i } }
      globalThis.accounts = Array.from({ length: 1234 }, (_, i) => new Account(i));
      ${worker(`class Reading { constructor(i) { this.i = i } }
      globalThis.readings = Array.from({ length: 567 }, (_, i) => new Reading(i)); setInterval(() => {}, 1e6);
      console.log('worker runs')`)}`,
    )
    await until(() => output().includes('worker runs'), 'the worker')
    const { heaps } = await captureFromOutside(pid)
    expect(heaps.map(({ isolate }) => isolate)).toEqual(['main', 'worker:1'])
    const counts = await Promise.all(
      heaps.map(async ({ snapshot }) => {
        const { classRows, close } = await openColumns(snapshot)
        await close()
        return ['Account', 'Reading'].map((name) => classRows.find((row) => row.name === name)?.count ?? 0)
      }),
    )
    expect(counts).toEqual([
      [1234, 0],
      [0, 567],
    ])
  })

  test('that works all the time is stopped for a moment, and works on', async () => {
    const target = await spawnTarget(
      'let n = 0; setInterval(() => { const end = Date.now() + 20; while (Date.now() < end) n++ }, 0)',
    )
    const { pausedMs, heaps } = await captureFromOutside(target.pid, { maxPauseMs: 5000 })
    expect(pausedMs).toBeGreaterThan(0)
    expect(heaps[0]!.snapshot.nodeCount).toBeGreaterThan(10_000)
    expect(await target.answers()).toBe(true)
  })

  test('that works all the time is left alone when it must not be stopped', async () => {
    const target = await spawnTarget('setInterval(() => { const end = Date.now() + 50; while (Date.now() < end); }, 0)')
    await expect(captureFromOutside(target.pid, { maxPauseMs: 0 })).rejects.toMatchObject({ code: 'price-too-high' })
    expect(await target.answers()).toBe(true)
  })

  test('and is no Node is refused', async () => {
    const child = start('/bin/sleep', ['60'])
    await expect(captureFromOutside(child.pid!)).rejects.toMatchObject({
      code: 'target-not-node',
      message: expect.stringContaining('has no v8dbg_ constants'),
    })
  })

  test('and has ended is refused', async () => {
    const child = start('/bin/true', [])
    await once(child, 'exit')
    await expect(captureFromOutside(child.pid!)).rejects.toMatchObject({ code: 'target-not-found' })
  })
})
