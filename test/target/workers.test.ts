// Conversations with the worker threads of real processes.

import { expect, test } from 'vitest'
import { z } from 'zod'
import { LeakscopeError } from '../../src/errors.ts'
import { withInspector } from '../../src/target/attach.ts'
import { evaluate, type InspectorSession } from '../../src/target/session.ts'
import { attachWorkers, type Workers } from '../../src/target/workers.ts'
import { portsOf, type SpawnedTarget, spawnTarget, until } from '../support/target.ts'
import { IDLE, WHEN_ALL_RUN, worker } from '../support/workers.ts'

const never = new AbortController().signal

async function visit(
  source: string,
  work: (workers: Workers, session: InspectorSession, target: SpawnedTarget) => Promise<void>,
): Promise<void> {
  const target = await spawnTarget(`${source}\n${WHEN_ALL_RUN}`)
  await until(() => target.output().includes('all run'), 'the workers to run')
  await withInspector(target.pid, { signal: never }, async (session) => {
    const workers = await attachWorkers(session)
    await work(workers, session, target)
    await workers.leave()
  })
  expect(portsOf(target.pid)).toEqual([])
  expect(await target.answers()).toBe(true)
}

test('each is known by its thread and the name that the program gave it', async () => {
  await visit(worker(IDLE, { name: 'a ] name\n of two lines' }) + worker(IDLE), async (workers) => {
    const list = workers.list()
    expect(list.map(({ threadId }) => threadId)).toEqual([1, 2])
    expect(list[0]!.title).toBe('a ] name\n of two lines')
    const threadId = `require('node:worker_threads').threadId`
    for (const each of list) expect(await evaluate(each, threadId, z.number())).toBe(each.threadId)
  })
})

test('messages of every size arrive whole, whatever they hold', async () => {
  await visit(worker(IDLE), async (workers) => {
    const [only] = workers.list()
    for (const length of [0, 1, 1000, 70_000, 3_000_000]) {
      const text = '"}} \\ \u0001 é 漢 😀 \u2028","message":"'.repeat(length / 20)
      expect(await evaluate(only!, JSON.stringify(text), z.string())).toBe(text)
    }
  })
})

test('events reach who listens to that worker only', async () => {
  await visit(worker(IDLE) + worker(IDLE), async (workers) => {
    const heard: string[] = []
    for (const each of workers.list()) {
      each.on('Runtime.consoleAPICalled', () => heard.push(`worker ${each.threadId}`))
      await each.send('Runtime.enable')
    }
    await evaluate(workers.list()[1]!, 'console.log("hello") ?? null', z.null())
    expect(heard).toEqual(['worker 2'])
  })
})

test('what waits for one that ends is told so, and one that starts is found', async () => {
  await visit(worker(IDLE), async (workers, session) => {
    const [first] = workers.list()
    const waiting = first!.send('Runtime.evaluate', { expression: 'new Promise(() => {})', awaitPromise: true })
    // Mostly V8 finds the time to say so itself, in words of its own.
    const told = expect(waiting).rejects.toThrow(
      /^(worker 1 ended|its program has come to its end|the target answered: Execution .+)$/,
    )
    // The main thread has passed it on by now.
    expect(await evaluate(session, '6 * 7', z.number())).toBe(42)
    expect(session.pending).toBe(1)
    await evaluate(session, `workers[0].terminate(); ${worker(IDLE)} null`, z.null())
    await told
    await until(() => workers.list().some(({ threadId }) => threadId === 2), 'the new worker')
    expect(workers.list().map(({ threadId }) => threadId)).toEqual([2])
    await expect(first!.send('Runtime.evaluate', { expression: '0' })).rejects.toMatchObject({ code: 'target-died' })
  })
})

test('one that is given up answers nothing any more; the others do', async () => {
  await visit(worker(IDLE) + worker(IDLE), async (workers) => {
    const [first, second] = workers.list()
    first!.giveUp(new LeakscopeError('target-timeout', 'enough'))
    await expect(first!.send('Runtime.evaluate', { expression: '0' })).rejects.toThrow('enough')
    expect(await evaluate(second!, '6 * 7', z.number())).toBe(42)
    expect(workers.list().map(({ isOpen }) => isOpen)).toEqual([false, true])
  })
})
