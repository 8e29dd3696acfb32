import { expect, test } from 'vitest'
import { type Drawing, findLeaksIn, times } from '../support/drawing.ts'

const sessions =
  (bounds: Readonly<Record<string, number>>, bytes = 200) =>
  (d: Drawing, step: number): void => {
    const made = times(50 * (step + 1), (i) => d.object(`s ${i}`, 'Session', { id: d.text(`id ${i}`, `${i}`, bytes) }))
    d.variable('sessions', d.map('sessions', made))
    for (const [name, value] of Object.entries(bounds)) d.variable(name, d.number(value))
  }

test.each([{ MAX_SESSIONS: 500 }, { sessionLimit: 150 }, { _maxSessionCount: 9000 }])(
  'a number beside a collection, with its name, is its bound: %o',
  async (bound) => {
    expect(await findLeaksIn([sessions(bound)])).toEqual([])
  },
)

test.each([{ MAX_USERS: 500 }, { MAX_SESSIONS: 20 }, { MAX_SESSIONS: 1_000_000 }, { sessionsOpened: 500 }])(
  'another’s, one that is passed, and one that is out of reach are none: %o',
  async (number) => {
    expect(await findLeaksIn([sessions(number)])).toHaveLength(1)
  },
)

test.each(['KEEP', 'this.KEEP', '500'])('what the source compares its size with is its bound: %s', async (limit) => {
  const source = `function keep(s) {\n  sessions.set(s.id, s)\n  if (sessions.size > ${limit}) makeRoom()\n}\n`
  expect(await findLeaksIn([sessions({ KEEP: 500 })], source)).toEqual([])
  expect(await findLeaksIn([sessions({ KEEP: 20 })], source.replace('500', '20'))).toHaveLength(1)
  expect(await findLeaksIn([sessions({ KEEP: 500 })], source.replace('sessions.size', 'others.size'))).toHaveLength(1)
  const gauge = 'function report() {\n  KEEP = sessions.size\n  if (sessions.size === others.size) return\n}\n'
  expect(await findLeaksIn([sessions({ KEEP: 500 })], gauge)).toHaveLength(1)
})

test('an array that had all its slots from the beginning is filling up to them, and so is what stands beside it', async () => {
  const cache = (slots: (step: number) => number) => (d: Drawing, step: number) => {
    const made = times(50 * (step + 1), (i) => d.object(`s ${i}`, 'Session', { id: d.text(`id ${i}`, `${i}`, 200) }))
    const list = d.array('list', made, 0, slots(step))
    d.variable('cache', d.object('cache', 'Cache', { '#t': d.map('entries', made), '#i': list }))
  }
  expect(await findLeaksIn([cache(() => 400)])).toEqual([])
  // One that is pushed to has some to spare.
  expect(await findLeaksIn([cache((step) => 60 * (step + 1))])).toHaveLength(1)
})

test('things that stay for a time are no more than came in that time', async () => {
  const source = 'function drop(id) {\n  sessions.delete(id)\n}\n'
  const of = (TTL: number) => findLeaksIn([sessions({ SESSION_TTL: TTL }, 20_000)], source)
  expect(await of(60_000)).toEqual([])
  expect(await of(3_000)).toHaveLength(1)
  // Where nothing is ever taken out, a time is only a number.
  expect(await findLeaksIn([sessions({ SESSION_TTL: 60_000 })])).toHaveLength(1)
})

test('a time among the variables of one of Node’s modules is none of the program’s', async () => {
  const source = 'function drop(id) {\n  sessions.delete(id)\n}\n'
  const inTimer = (d: Drawing, step: number) => {
    const made = times(50 * (step + 1), (i) => d.object(`s ${i}`, 'Session', { id: d.text(`id ${i}`, `${i}`, 20_000) }))
    const callback = d.closure('callback', 'sweep', d.context('work', { sessions: d.map('sessions', made) }))
    d.variable('timerListMap', d.object('timer', 'Timeout', { _onTimeout: callback }), 'node:internal/timers')
    d.variable('nextExpiry', d.number(60_000), 'node:internal/timers')
  }
  expect(await findLeaksIn([inTimer], source)).toHaveLength(1)
})
