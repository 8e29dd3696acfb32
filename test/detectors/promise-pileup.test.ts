import { expect, test } from 'vitest'
import { type Drawing, findLeaksIn, MODULE, times } from '../support/drawing.ts'

const mail = (d: Drawing, i: number): number => d.object(`mail ${i}`, 'Mail', { body: d.text(`body ${i}`, 'x', 300) })
const waiter = (d: Drawing, i: number): number =>
  d.closure(`waiter ${i}`, 'gotMail', d.context(`scope ${i}`, { mail: mail(d, i) }))

test('reactions on one promise that is raced against for ever', async () => {
  const source = 'const a = 1\nconst mail = await Promise.race([poll(), stopped])\n'
  const [finding, ...others] = await findLeaksIn(
    [
      (d, step) => {
        const reactions = times(60 * (step + 1), (i) => waiter(d, i)).reverse()
        d.variable('stopped', d.promise('stopped', reactions))
      },
    ],
    source,
  )
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'promise-pileup',
    culprit: { url: MODULE, line: 2 },
    evidence: { kind: 'reactions on one promise', promise: 'stopped' },
  })
})

test('promises that are never settled, kept by what would settle them', async () => {
  const source = `const replies = new Map()\nreplies.set(id, resolve)\n${'\n'.repeat(7)}  await reply\n`
  const [finding] = await findLeaksIn(
    [
      (d, step) => {
        const resolvers = times(60 * (step + 1), (i) =>
          d.resolver(`resolve ${i}`, d.promise(`promise ${i}`, [waiter(d, i)])),
        )
        d.variable('replies', d.map('replies', resolvers))
      },
    ],
    source,
  )
  expect(finding).toMatchObject({
    pattern: 'promise-pileup',
    title: '120 promises in replies were never settled, 7.5 more each second',
    culprit: { line: 2 },
    evidence: { kind: 'never settled', keptIn: 'replies', awaitedShare: 1, awaitedAt: 'service.mjs:10' },
  })
})

test('requests that a program of its own finds by id, to which no answer comes, though their connection is fine', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const calls = times(60 * (step + 1), (i) => {
        const resolve = d.resolver(`resolve ${i}`, d.promise(`promise ${i}`, [waiter(d, i)]))
        return d.object(`call ${i}`, 'Object', { method: d.text(`method ${i}`, 'price', 40), resolve })
      })
      const connection = d.object('socket', 'Socket', { _writableState: d.object('state', 'WritableState') })
      const members = { pending: d.map('pending', calls), socket: connection }
      d.variable('rpc', d.object('rpc', 'RpcClient', members, { url: MODULE }))
    },
  ])
  expect(finding).toMatchObject({
    pattern: 'promise-pileup',
    title: '120 promises in rpc.pending were never settled, 7.5 more each second',
  })
})

test('a chain in which each promise waits for the one before', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const length = 60 * (step + 1)
      // The first one is settled first; each leads to the one that waits for it.
      let last = d.promise(`link ${length}`)
      for (let i = length - 1; i >= 0; i--) {
        const then = d.closure(`then ${i}`, 'write', d.context(`scope ${i}`, { mail: mail(d, i), next: last }))
        last = d.promise(`link ${i}`, [then])
      }
      d.variable('first', last)
    },
  ])
  expect(finding).toMatchObject({ pattern: 'promise-pileup', evidence: { kind: 'chain' }, culprit: { line: 10 } })
})

test('a chain the front of which is always new, all that was there before being done', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const [from, to] = [100 * step, 100 * step + 60 * (step + 1)]
      let last = d.promise(`link ${to}`)
      d.variable('last', last)
      const links = (name: string, first: number, end: number) => {
        for (let i = end - 1; i >= first; i--) {
          const then = d.closure(
            `then ${name} ${i}`,
            'write',
            d.context(`of ${name} ${i}`, { at: mail(d, i), next: last }),
          )
          last = d.promise(`${name} ${i}`, [then])
        }
      }
      // What the front one waits for was made a moment ago, in functions within functions.
      links('link', from, to)
      links(`write ${step}`, 0, 12)
      d.variable('timer', last)
    },
  ])
  expect(finding).toMatchObject({ pattern: 'promise-pileup', evidence: { kind: 'chain' } })
})

test('a cache of promises that are settled is a collection', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const promises = times(60 * (step + 1), (i) => d.object(`promise ${i}`, 'Promise', { result: mail(d, i) }))
      d.variable('cache', d.map('cache', promises))
    },
  ])
  expect(finding!.pattern).toBe('growing-collection')
})

test('promises in flight are silent', async () => {
  const findings = await findLeaksIn([
    (d, step) => {
      const resolvers = times(60, (i) => {
        const at = 60 * step + i
        return d.resolver(`resolve ${at}`, d.promise(`promise ${at}`, [waiter(d, at)]))
      })
      d.variable('replies', d.map('replies', resolvers))
    },
  ])
  expect(findings).toEqual([])
})
