import { expect, test } from 'vitest'
import { type Drawing, findLeaksIn, times } from '../support/drawing.ts'

const sessions =
  (bounds: Readonly<Record<string, number>>) =>
  (d: Drawing, step: number): void => {
    const made = times(50 * (step + 1), (i) => d.object(`s ${i}`, 'Session', { id: d.text(`id ${i}`, `${i}`, 200) }))
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
