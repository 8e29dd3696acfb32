import { describe, expect, it, test } from 'vitest'
import { type Drawing, findLeaksIn, MODULE, times } from '../support/drawing.ts'

type Numbers = Readonly<Record<string, number>>

/** A Map called `sessions` that gains 50 in each of three snapshots, with numbers beside it among the module's variables. */
const sessions =
  (numbers: Numbers = {}, bytes = 200) =>
  (d: Drawing, step: number): void => {
    const made = times(50 * (step + 1), (i) => d.object(`s ${i}`, 'Session', { id: d.text(`id ${i}`, `${i}`, bytes) }))
    d.variable('sessions', d.map('sessions', made))
    for (const [name, value] of Object.entries(numbers)) d.variable(name, d.number(value))
  }

const LEAKS = `const sessions = new Map()
export function keep(s) {
  sessions.set(s.id, s)
}
setInterval(() => keep(next()), 10)
`
const told = async (source: string | undefined, numbers: Numbers = {}, bytes = 200) =>
  (await findLeaksIn([sessions(numbers, bytes)], source))[0]

describe('a line that keeps nothing small changes nothing', () => {
  it.each([
    ['a clear when the program ends', 'process.once("SIGTERM", close)\nexport function close() { sessions.clear() }'],
    ['a clear that nobody calls', 'export function close() { sessions.clear() }'],
    ['a text that names a removal', 'export const help = "call sessions.delete(id)"'],
    ['a comment behind code', 'keep({}) // never sessions.delete(1)'],
    ['a warning', 'setInterval(() => { if (sessions.size > 1000) console.warn("many") }, 100)'],
    ['a gauge', 'setInterval(() => gauge(sessions.size >= 1000 ? "many" : "few"), 100)'],
    ['a lifetime of something else', 'const SESSION_TTL_MS = 500\nsetInterval(() => ping(SESSION_TTL_MS), 50)'],
    ['a window of something else', 'const windowSize = 80\nsetInterval(() => draw(windowSize), 50)'],
    [
      'a removal from another object',
      'const other = { sessions: new Map() }\nsetInterval(() => other.sessions.delete(1), 9)',
    ],
    ['a local of the same name', 'setInterval(() => { const sessions = [1]; sessions.pop() }, 9)'],
    [
      'a parameter of the same name',
      'function drop(sessions, id) { sessions.delete(id) }\nsetInterval(() => drop(others, 1), 9)',
    ],
    ['a look whether there is any', 'setInterval(() => { if (sessions.size === 0) stop() }, 9)'],
  ])('%s', async (_, line) => {
    const [without, finding] = [await told(LEAKS), await told(`${LEAKS}${line}\n`)]
    expect(without).toMatchObject({ pattern: 'growing-collection', severity: 'error', confidence: 0.9 })
    expect(finding).toMatchObject({ pattern: 'growing-collection', severity: 'error', confidence: 0.9 })
    expect(finding!.culprit).toMatchObject({ line: 3 })
  })

  it('nor does a number beside it', async () => {
    for (const numbers of [{ MAX_SESSIONS: 500 }, { sessionLimit: 150 }, { SESSION_TTL: 60_000 }])
      expect(await told(LEAKS, numbers)).toMatchObject({ confidence: 0.9 })
  })
})

describe('a bound that the source proves', () => {
  const bounded = (statement: string) =>
    LEAKS.replace('  sessions.set(s.id, s)\n', `  sessions.set(s.id, s)\n  ${statement}\n`)
  const oldest = 'sessions.delete(sessions.keys().next().value)'
  it.each([
    [`if (sessions.size > 500) ${oldest}`, {}],
    [`if (sessions.size > KEEP) ${oldest}`, { KEEP: 500 }],
    [`if (KEEP < sessions.size) ${oldest}`, { KEEP: 500 }],
    [`while (sessions.size >= KEEP) { ${oldest} }`, { KEEP: 500 }],
    [`if (sessions.size <= KEEP) return\n  ${oldest}`, { KEEP: 500 }],
    [`if (!(sessions.size < KEEP)) makeRoom()\n}\nfunction makeRoom() {\n  ${oldest}`, { KEEP: 500 }],
    [`const { size } = sessions\n  if (sessions.size - KEEP > 0) ${oldest}`, { KEEP: 500 }],
    [
      `const over = sessions.size - KEEP\n  for (let i = 0; i < over; i++) ${oldest}\n  if (over > 0) ${oldest}`,
      { KEEP: 500 },
    ],
    [`if (sessions.size > KEEP) sessions.clear()`, { KEEP: 500 }],
    // As bundlers write it.
    [`if (note(s), sessions.size > KEEP) ${oldest}`, { KEEP: 500 }],
  ])('%s', async (statement, numbers) => {
    expect(await told(bounded(statement), numbers)).toBeUndefined()
    // One that it is past is none.
    const low = bounded(statement).replace('500', '20')
    expect(await told(low, 'KEEP' in numbers ? { KEEP: 20 } : {})).toMatchObject({ severity: 'error' })
  })

  it('is a condition of what is put in, if every statement asks', async () => {
    const asks = LEAKS.replace('  sessions.set', '  if (sessions.size < 500) sessions.set')
    expect(await told(asks)).toBeUndefined()
    expect(await told(`${asks}setInterval(() => sessions.set(1, other()), 10)\n`)).toMatchObject({ severity: 'error' })
  })

  it('is one as well where another module takes the function out of what require() gives', async () => {
    const other = 'file:///app/main.cjs'
    const withMain = (d: Drawing, step: number): void => {
      sessions()(d, step)
      d.variable('turn', d.closure('turn', 'turn', undefined, other))
    }
    const store = bounded(`if (sessions.size > 500) ${oldest}`).replace(/setInterval.*\n/, '')
    const main = "const { keep: put } = require('./service.mjs')\nsetInterval(() => put(next()), 10)\n"
    const found = (text: string) => findLeaksIn([withMain], { [MODULE]: store, [other]: text })
    expect(await found(main)).toEqual([])
    expect(await found('setInterval(() => next(), 10)\n')).toMatchObject([{ severity: 'error' }])
  })

  it('is said where its number cannot be worked out', async () => {
    const finding = await told(bounded(`if (sessions.size > limits.of("sessions")) ${oldest}`))
    expect(finding).toMatchObject({ severity: 'note' })
    expect(finding!.reason).toMatch(
      /limits\.of\("sessions"\) at .* bounds it, by a number that could not be worked out/,
    )
  })
})

describe('a lifetime that the source proves', () => {
  // 50 come in each of two intervals of 8 s, so that 150 are what came in some 24 s.
  it.each([
    ['a timer for each', 'setTimeout(() => sessions.delete(s.id), TTL)'],
    ['a timer under another name', 'const later = globalThis.setTimeout\n  later(() => sessions.delete(s.id), TTL)'],
    [
      'a sweep',
      'setInterval(() => { for (const [id, s] of sessions) if (Date.now() - s.at > TTL) sessions.delete(id) }, 1000)',
    ],
    [
      'a sweep that stops at the first young one',
      'setInterval(() => { for (const [id, s] of sessions) { if (Date.now() - s.at < TTL) break; sessions.delete(id) } }, 1000)',
    ],
    [
      'a moment that is worked out before',
      's.expires = Date.now() + TTL\n  setInterval(() => { for (const [id, s] of sessions) if (s.expires < Date.now()) sessions.delete(id) }, 1000)',
    ],
  ])('%s', async (_, statement) => {
    const source = (ms: string) =>
      `const TTL = ${ms}\n${LEAKS.replace('  sessions.set(s.id, s)\n', `  sessions.set(s.id, s)\n  ${statement}\n`)}`
    expect(await told(source('60_000'))).toBeUndefined()
    expect(await told(source('2000'))).toMatchObject({ severity: 'warning' })
  })

  it('is in the unit that the source has it in', async () => {
    const sweep = (ttl: string) => `const TTL_SECONDS = 3600
const LIFE_MS = 500
${LEAKS}setInterval(() => { for (const [id, s] of sessions) if (Date.now() - s.at > ${ttl}) sessions.delete(id) }, 1000)
`
    expect(await told(sweep('TTL_SECONDS * 1000'))).toBeUndefined()
    expect(await told(sweep('LIFE_MS'))).toMatchObject({ severity: 'warning' })
  })
})

describe('where the source cannot be had', () => {
  it('a number that is called like a bound makes it less sure, and is named', async () => {
    const cache = (max: number) => (d: Drawing, step: number) => {
      const made = times(50 * (step + 1), (i) => d.object(`s ${i}`, 'Session', { id: d.text(`id ${i}`, `${i}`, 200) }))
      d.variable('cache', d.object('cache', 'Cache', { max: d.number(max), entries: d.map('entries', made) }))
    }
    const [finding] = await findLeaksIn([cache(500)])
    expect(finding).toMatchObject({ severity: 'note' })
    expect(finding!.reason).toMatch(/max, which is 500, may be its bound: the source could not be read/)
    expect((await findLeaksIn([cache(20)]))[0]).toMatchObject({ severity: 'error' })
  })
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

test('the slots that V8 gives an array with its first element are no bound', async () => {
  const rows = (d: Drawing, step: number) => {
    const made = times(6 + 2 * step, (i) => d.object(`row ${i}`, 'Row', { text: d.text(`t ${i}`, `${i}`, 40_000) }))
    d.variable('samples', d.array('samples', made, 0, 17))
  }
  expect(await findLeaksIn([rows])).toHaveLength(1)
})

test('the length of something else is no bound, though it guards a removal', async () => {
  const source = `${LEAKS}setInterval(() => { if (body.length > 1024) sessions.delete(body.id) }, 9)\n`
  expect(await told(source, {}, 4000)).toMatchObject({ severity: 'error' })
})

test('a moment that things are compared with is no lifetime', async () => {
  const source = `${LEAKS}setInterval(() => { if (Date.now() > 1_900_000_000_000) sessions.delete(1) }, 9)\n`
  expect(await told(source, {}, 4000)).toMatchObject({ severity: 'error' })
})
