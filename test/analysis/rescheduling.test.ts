import { describe, expect, test } from 'vitest'
import { findRescheduling, findWaiting } from '../../src/analysis/rescheduling.ts'
import { Sources } from '../../src/source/app-modules.ts'

const URL = 'file:///app/main.mjs'

/** The function called `name` as V8 places it: at its parameters. */
function placeIn(source: string, name: string) {
  const declared = source.indexOf(`function ${name}(`)
  const offset = source.indexOf('(', declared < 0 ? source.indexOf(`${name}(`) : declared)
  const before = source.slice(0, offset).split('\n')
  return { function: name, url: URL, line: before.length, column: before.at(-1)!.length + 1 }
}

function rescheduling(source: string, name = 'look', ...others: string[]) {
  const sources = new Sources((url) => (url === URL ? source : undefined))
  const found = findRescheduling(
    sources,
    placeIn(source, name),
    others.map((other) => placeIn(source, other)),
  )
  return found && { how: found.how, ends: found.ends, text: source.split('\n')[found.line - 1]!.trim() }
}

describe('goes on in any case', () => {
  const endless: Record<string, [string, string, ...string[]]> = {
    'a function at its end': ['function look() {\n  if (jobs.length) run()\n  setImmediate(look)\n}', 'look'],
    'unless a flag is set': ['function look() {\n  if (closed) return\n  run()\n  process.nextTick(look)\n}', 'look'],
    'in both branches': [
      'function look() {\n  const job = jobs.shift()\n  if (!job) return setImmediate(look)\n  run(job)\n  setTimeout(look, 0)\n}',
      'look',
    ],
    'a method by way of a function': [
      'class Queue {\n  look() {\n    if (this.a < 4) this.run()\n    setImmediate(() => this.look())\n  }\n}',
      'look',
    ],
    'a loop that awaits a turn': ['async function look() {\n  for (;;) {\n    run()\n    await turn()\n  }\n}', 'look'],
    'a loop until a flag is set': [
      'async function look() {\n  while (!this.closed) {\n    run(await next(1))\n  }\n}',
      'look',
    ],
    'an interval without a delay': ['function look() {\n  run()\n}\nsetInterval(look, 0)', 'look'],
    'a promise that is tried again': [
      'function look() {\n  return load().catch((error) => {\n    log(error)\n    return look()\n  })\n}',
      'look',
    ],
  }
  test.each(Object.entries(endless))('%s', (_, [source, ...names]) => {
    expect(rescheduling(source, ...names)).toMatchObject({ ends: 'endless' })
  })

  test('what another function does that is called', () => {
    const source = 'function look() {\n  take()\n}\nfunction take() {\n  run()\n  setImmediate(look)\n}'
    expect(rescheduling(source, 'look', 'take')).toEqual({
      how: 'setImmediate',
      ends: 'endless',
      text: 'setImmediate(look)',
    })
  })

  test('a loop that does nothing but wait', () => {
    const source =
      'async function look() {\n  while (pool.used >= pool.most) {\n    await turn()\n  }\n  pool.used++\n}'
    expect(rescheduling(source)).toEqual({ how: 'await', ends: 'waits', text: 'await turn()' })
  })
})

describe('ends with its work', () => {
  test.each([
    'function look() {\n  for (; at < end; at++) sum += at\n  if (at < all) setImmediate(look)\n}',
    'function look() {\n  if (at >= all) return done()\n  work(at++)\n  setImmediate(look)\n}',
    'function look() {\n  work()\n  queue.length > 0 && setImmediate(look)\n}',
    'function look() {\n  return work().then(() => (at < all ? look() : done()))\n}',
    'async function look() {\n  while (at < all) {\n    work(at++)\n    await turn()\n  }\n}',
    'async function look() {\n  while (true) {\n    const { done, value } = await it.next()\n    if (done) break\n    work(value)\n  }\n}',
  ])('%s', (source) => {
    expect(rescheduling(source)).toMatchObject({ ends: 'bounded' })
  })

  test('a timer with a delay is no matter at all', () => {
    expect(rescheduling('function look() {\n  run()\n  setTimeout(look, 100)\n}')).toBeUndefined()
    expect(rescheduling('function look() {\n  run()\n}\nsetInterval(look, 100)')).toBeUndefined()
  })
})

describe('a loop that only asks', () => {
  const waiting = (source: string) => {
    const sources = new Sources((url) => (url === URL ? source : undefined))
    return findWaiting(sources, placeIn(source, 'look'))?.line
  }
  test('is found', () => {
    expect(waiting('function look() {\n  while (Atomics.load(flag, 0) === 0) {}\n}')).toBe(2)
    expect(waiting('function look() {\n  run()\n  while (Date.now() < until);\n}')).toBe(3)
    expect(waiting('function look() {\n  let got\n  do { got = receiveMessageOnPort(port) } while (!got)\n}')).toBe(3)
  })
  test('is none if it does something', () => {
    expect(waiting('function look() {\n  while (Date.now() < until) search()\n}')).toBeUndefined()
    expect(waiting('function look() {\n  while (low < high) low += step\n}')).toBeUndefined()
    expect(waiting('function look() {\n  for (let i = 0; i < n; i++) sum += i\n}')).toBeUndefined()
  })
})
