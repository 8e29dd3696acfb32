import { expect, test } from 'vitest'
import { type Drawing, findLeaksIn, MODULE } from '../support/drawing.ts'

function threads(d: Drawing, count: number): void {
  for (let i = 0; i < count; i++) {
    const worker = d.object(
      `worker ${i}`,
      'Worker',
      { data: d.text(`data ${i}`, 'x', 2000) },
      { url: 'node:internal/worker' },
    )
    const port = d.handle(`port ${i}`, 'MessagePort', 'MessagePort', worker)
    d.members(worker, { '<symbol kPublicPort>': port })
  }
}

test('threads that come and do not end', async () => {
  const source = 'function start(task) {\n  const thread = new Worker(url)\n}\n'
  const [finding, ...others] = await findLeaksIn([(d, step) => threads(d, 3 + 6 * step)], source)
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'thread-growth',
    culprit: { url: MODULE, line: 2 },
    evidence: { threadsStarted: 12, workers: [3, 9, 15] },
  })
})

test('a pool that gets to its size is none', async () => {
  expect(await findLeaksIn([(d, step) => threads(d, [1, 4, 4][step]!)])).toEqual([])
})

test('steps are measured by how long they took: to look at many threads takes time', async () => {
  const few = (d: Drawing, step: number) => threads(d, [3, 8, 33][step]!)
  expect((await findLeaksIn([few])).map(({ pattern }) => pattern)).toEqual(['growing-collection'])
  const [finding] = await findLeaksIn([few], '', undefined, [0, 8, 48])
  expect(finding).toMatchObject({ pattern: 'thread-growth', evidence: { threadsStarted: 30, workers: [3, 8, 33] } })
})

test('a thread that goes by another name is one, what only looks like one is none', async () => {
  const source = [
    "import { Worker as Thread } from 'node:worker_threads'",
    "const HELP = 'keep a few of them, instead of new Worker(url)'",
    '// as in new Worker(url)',
    'class Worker {}',
    'const seen = () => new Worker(HELP)',
    'function start(task) {',
    '  return new Thread(',
    '    url)',
    '}',
  ].join('\n')
  const [finding] = await findLeaksIn([(d, step) => threads(d, 3 + 6 * step)], source)
  expect(finding).toMatchObject({ pattern: 'thread-growth', culprit: { line: 7 } })
})
