import { expect, test } from 'vitest'
import { type Drawing, findLeaksIn, MODULE, times } from '../support/drawing.ts'

const task = (d: Drawing, i: number): number =>
  d.object(`task ${i}`, 'Job', { run: d.closure(`run ${i}`, 'run'), input: d.text(`input ${i}`, 'x', 400) })

test('tasks that wait beside workers are told with what is beside them', async () => {
  const [finding, ...others] = await findLeaksIn([
    (d, step) => {
      const queue = d.array(
        'queue',
        times(50 * (step + 1), (i) => task(d, i)),
      )
      d.variable('resizer', d.object('resizer', 'Resizer', { queue, running: d.number(4), concurrency: d.number(4) }))
    },
  ])
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'task-queue-pileup',
    evidence: { queue: 'resizer.queue', newlyWaiting: 100, beside: { running: 4, concurrency: 4 } },
  })
})

test('of a list whose links know both neighbours its ends were moved on, and all of it is new', async () => {
  const [finding, ...others] = await findLeaksIn([
    (d, step) => {
      const waiting = times(60 * (step + 1), (i) => i).slice(20 * step)
      const links = waiting.map((i) => d.object(`link ${i}`, 'Object', { data: task(d, i) }))
      links.forEach((link, i) => {
        d.members(link, { next: links[i + 1], prev: links[i - 1] })
      })
      const list = d.object('list', 'DLL', { head: links[0], tail: links.at(-1), length: d.number(links.length) })
      d.variable('thumbs', d.object('thumbs', 'Object', { _tasks: list, concurrency: d.number(2) }))
    },
  ])
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'task-queue-pileup',
    evidence: { queue: 'thumbs._tasks', newlyWaiting: 119, beside: { concurrency: 2 } },
  })
})

test('a queue needs no workers beside it if the source takes from it', async () => {
  const source = 'const backlog = []\nfunction next() {\n  return backlog.shift()\n}\nsetInterval(next, 10)\n'
  const draw = (d: Drawing, step: number) => {
    const orders = times(50 * (step + 1), (i) => d.object(`order ${i}`, 'Order', { note: d.text(`n ${i}`, 'x', 4000) }))
    d.variable('backlog', d.array('backlog', orders))
  }
  expect((await findLeaksIn([draw], source))[0]?.pattern).toBe('task-queue-pileup')
  expect((await findLeaksIn([draw]))[0]?.pattern).toBe('growing-log-array')
})

test('messages in a port are told with the line in the other thread that posts them', async () => {
  const source =
    'setInterval(() => {\n  journal.postMessage(entry)\n}, 10)\nif (!isMainThread) parentPort.postMessage(1)\n'
  const [finding] = await findLeaksIn(
    [
      (d) => {
        d.variable('journal', d.object('journal', 'MessagePort'))
      },
      (d, step) => d.messages(100 * (step + 1)),
    ],
    source,
  )
  expect(finding).toMatchObject({
    pattern: 'task-queue-pileup',
    isolate: 'worker:1',
    culprit: { url: MODULE, line: 2 },
    evidence: { sender: 'main', waitingMessages: 300 },
  })
})

test('messages that came in one step may be taken in the next', async () => {
  expect(await findLeaksIn([() => {}, (d, step) => d.messages([200, 205, 400][step]!)])).toEqual([])
})
