// Reads and writes JSON with ever new keys and shapes, as a service does with what others send it.

import { dice } from '../dice.mjs'

export const setup = dice

export function iteration(roll, number) {
  const rows = Array.from({ length: 1 + Math.floor(30 * roll()) }, (_, i) => ({
    id: number * 100 + i,
    [`field${Math.floor(50 * roll())}`]: roll(),
    nested: { list: [roll(), `text ${number}`], when: new Date(number * 1000).toISOString() },
  }))
  const again = JSON.parse(JSON.stringify(rows))
  if (again.length !== rows.length) throw new Error('it came back another')
}
