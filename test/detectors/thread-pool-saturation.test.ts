import { expect, test } from 'vitest'
import { type Drawing, findLeaksIn, MODULE } from '../support/drawing.ts'

const SOURCE = [
  'async function archive(note) {',
  '  await sleep(1)',
  '  await writeFile(path, note)',
  '}',
  'async function watch(pipe) {',
  '  for (;;) await readFile(pipe)',
  '}',
].join('\n')

/** A request that the async function in a line of the module waits for. */
function request(d: Drawing, key: string, line: number, name = 'FSReqPromise'): void {
  const waits = d.object(
    `${key} frame`,
    'Generator',
    { note: d.text(`${key} note`, 'note', 200) },
    { size: 88, url: MODULE, line },
  )
  d.handle(key, name, name, d.object(`${key} promise`, 'Promise', { waits }))
}

function requests(d: Drawing, counts: Readonly<Record<string, number>>, line: number, name?: string): void {
  for (const [key, count] of Object.entries(counts)) {
    for (let i = 0; i < count; i++) request(d, `${key} ${i}`, line, name)
  }
}

test('requests that are not answered, who makes them, and what has the threads', async () => {
  const [finding, ...others] = await findLeaksIn(
    [
      (d, step) => {
        requests(d, { stuck: 5 }, 5)
        requests(d, { queued: 20 + 40 * step }, 1)
      },
    ],
    SOURCE,
  )
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'thread-pool-saturation',
    culprit: { url: MODULE, line: 6, function: 'watch' },
    evidence: {
      waiting: 105,
      counts: [25, 65, 105],
      perSecond: 5,
      kinds: { 'file system': 105 },
      stuckSinceFirstLook: { requests: 5 },
    },
  })
})

test('too much of one kind: whoever asks for it', async () => {
  const [finding] = await findLeaksIn([(d, step) => requests(d, { job: 10 + 40 * step }, 1, 'PBKDF2Job')], SOURCE)
  expect(finding).toMatchObject({
    pattern: 'thread-pool-saturation',
    culprit: { url: MODULE, line: 3, function: 'archive' },
    evidence: { kinds: { crypto: 90 }, stuckSinceFirstLook: null },
  })
})

test('a few requests under way, or as many as before, are none', async () => {
  expect(await findLeaksIn([(d, step) => requests(d, { [`round ${step}`]: 40 }, 1)], SOURCE)).toEqual([])
  expect(await findLeaksIn([(d, step) => requests(d, { job: 1 + step }, 1)], SOURCE)).toEqual([])
})

test("jobs of the program itself are none of the pool's", async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const jobs = Array.from({ length: 100 * (step + 1) }, (_, i) =>
        d.object(`job ${i}`, 'MailJob', {}, { size: 500 }),
      )
      d.variable('jobs', d.array('jobs', jobs))
    },
  ])
  expect(finding?.pattern).toBe('growing-collection')
})
