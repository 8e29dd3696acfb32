import { expect, test } from 'vitest'
import { type Drawing, findLeaksIn, times } from '../support/drawing.ts'
import { diffOfProgram } from '../support/own-snapshots.ts'

test('what extends a Map is one, whatever its name, also one that all objects have something by', async () => {
  for (const className of ['constructor', '__proto__', 'toString']) {
    const [finding] = await findLeaksIn([
      (d, step) => {
        const jobs = times(50 * (step + 1), (i) => d.object(`job ${i}`, 'Job', { text: d.text(`t ${i}`, 't', 200) }))
        d.variable('jobs', d.map('jobs', jobs, className))
      },
    ])
    expect(finding).toMatchObject({ pattern: 'growing-collection', evidence: { container: 'Map' } })
    expect(finding!.advice).toContain('Delete from jobs what is done with')
  }
})

const visit = (d: Drawing, i: number): number =>
  d.object(`visit ${i}`, 'Visit', { page: d.text(`page ${i}`, 'x', 400) })

test('what a WeakMap keeps for keys that stay is told by the WeakMap, not by what the keys are in', async () => {
  const [finding, ...others] = await findLeaksIn([
    (d, step) => {
      const tenant = d.object('tenant', 'Tenant')
      const visits = d.map(
        'visits',
        times(50 * (step + 1), (i) => visit(d, i)),
      )
      d.variable('tenants', d.array('tenants', [tenant]))
      d.variable('usage', d.weakMap('usage', [[tenant, visits]]))
    },
  ])
  expect(others).toEqual([])
  expect(finding!.title).toBe('usage gained 100 Visit, 6.3 more each second, and loses none')
  expect(finding!.retainingPath.map(({ node }) => node)).toContain('WeakMap')
})

test("of a Map's entries its values are counted, not its keys as well", async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const entries = times(50 * (step + 1), (i) => [d.text(`key ${i}`, `k${i}`, 24), visit(d, i)] as const)
      d.variable('seen', d.mapOf('seen', entries))
    },
  ])
  expect(finding).toMatchObject({
    pattern: 'growing-collection',
    evidence: { gained: 100, perSecond: 6.3, counts: [50, 100, 150] },
  })
})

test('a tree is one finding, whatever branches the new nodes are on', async () => {
  const [finding, ...others] = await findLeaksIn([
    (d, step) => {
      const node = (i: number): number | undefined =>
        i < 64 * 2 ** step
          ? d.object(`node ${i}`, 'Object', { left: node(2 * i), right: node(2 * i + 1), visit: visit(d, i) })
          : undefined
      d.variable('index', d.object('index', 'Index', { root: node(1) }))
    },
  ])
  expect(others).toEqual([])
  expect(finding).toMatchObject({ pattern: 'growing-collection', growth: { count: 192 } })
  expect(finding!.title).toMatch(/^index\.root gained 192 objects/)
  expect(finding!.retainingPath.map(({ edge }) => edge).slice(0, 3)).toEqual(['', "context variable 'index'", '.root'])
})

test('an array of plain numbers, which are no objects', async () => {
  const [finding, ...others] = await findLeaksIn([
    (d, step) => {
      d.variable('latencies', d.array('latencies', [], 0, 50_000 * 2 ** step))
    },
  ])
  expect(others).toEqual([])
  expect(finding).toMatchObject({ pattern: 'growing-collection', severity: 'error', evidence: { things: 'numbers' } })
  expect(finding!.title).toMatch(/^latencies holds 1\.\d+ MB more of plain numbers/)
})

test('what is kept far out in an array is found like anything else', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const things = times(60 * (step + 1), (i) => d.object(`thing ${i}`, 'Thing', {}, { size: 300 }))
      const byShard = d.array('shards', [d.object('shard', 'Shard', { open: d.map('open', things) })], 9_000_000)
      d.variable('shards', byShard)
    },
  ])
  expect(finding).toMatchObject({ pattern: 'growing-collection', evidence: { things: 'Thing' } })
})

test('an object that gets a property more for each piece of work, though its properties are numbers', async () => {
  const growing = (d: Drawing, step: number) => {
    const hits = d.object('hits', 'Object', {}, { size: 60_000 * (step + 1) })
    d.variable('hits', hits)
  }
  const [finding, ...others] = await findLeaksIn([growing])
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'growing-collection',
    severity: 'error',
    evidence: { things: 'properties', gained: 5000 },
  })
  expect(finding!.title).toContain('hits takes 120 KB more for its own properties')
})

test("what objects of Node's own get, and the table of a WeakMap, are not the program's", async () => {
  const socket = (d: Drawing, step: number) =>
    d.variable('socket', d.object('socket', 'Socket', {}, { size: 60_000 * (step + 1), url: 'node:net' }))
  expect(await findLeaksIn([socket])).toEqual([])
  const weak = (d: Drawing, step: number) =>
    d.variable('weak', d.object('weak', 'WeakMap', {}, { size: 60_000 * (step + 1) }))
  expect(await findLeaksIn([weak])).toEqual([])
})

test('objects of a class that get larger and larger, however often they are exchanged', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const sessions = times(10, (i) =>
        d.object(`session ${step} ${i}`, 'Session', {}, { size: 4000 * (step + 1), url: 'file:///app/session.mjs' }),
      )
      d.variable('sessions', d.array('sessions', sessions))
    },
  ])
  expect(finding).toMatchObject({ pattern: 'growing-collection', evidence: { container: 'Session' } })
  expect(finding!.title).toContain('Session objects take 80.0 KB more for their own properties')
})

test('a window behind the newest key is a bound', async () => {
  const source = `const KEPT = 500
const headlines = new Map()
let n = 0
setInterval(() => {
  headlines.set(n, titleOf(n))
  headlines.delete(n - KEPT)
  n++
}, 90)
`
  const sketch = (d: Drawing, step: number): void => {
    const titles = times(
      100 * (step + 1),
      (i) => [d.text(`key ${i}`, `k${i}`, 24), d.text(`title ${i}`, 't', 200)] as const,
    )
    d.variable('headlines', d.mapOf('headlines', titles))
    d.variable(
      'words',
      d.array(
        'words',
        times(2000, (i) => d.text(`word ${i}`, 'w', 40)),
      ),
    )
  }
  expect(await findLeaksIn([sketch], source)).toEqual([])
  const [leak] = await findLeaksIn([sketch], source.replace('headlines.delete(n - KEPT)', ''))
  expect(leak).toMatchObject({ pattern: 'growing-collection' })
})

test('plain objects that come and go elsewhere do not hide a pile of those that wrap what is heavy', async () => {
  const queue = (from: (step: number) => number, to: (step: number) => number) => (d: Drawing, step: number) => {
    const wrapped = times(to(step) - from(step), (i) => {
      const at = from(step) + i
      return d.object(`wrapper ${at}`, 'Object', { chunk: d.buffer(`chunk ${at}`, 20_000) })
    })
    d.variable('state', d.object('state', 'State', { waiting: d.array(`waiting ${step}`, wrapped) }))
    const others = times(2000 - 300 * step, (i) => d.object(`other ${i}`, 'Object'))
    d.variable('others', d.array('others', others))
  }
  const findings = await findLeaksIn([
    queue(
      () => 0,
      (step) => 60 * (step + 1),
    ),
  ])
  expect(findings[0]).toMatchObject({ growth: { count: 120 } })
  // As many are taken as come.
  const exchanged = queue(
    (step) => 60 * step,
    (step) => 60 * (step + 1),
  )
  expect(await findLeaksIn([exchanged])).toEqual([])
})

test('what extends a Map or Set, and objects by number, are counted by their entries', {
  timeout: 60_000,
}, async () => {
  const { findings } = await diffOfProgram(`class Registry extends Map {}
class Tags extends Set {}
const users = new Registry()
const tags = new Tags()
const readings = new Registry()
const orders = {}
let n = 0
setInterval(() => {
  for (let k = 0; k < 20; k++) {
    users.set('user ' + n, { id: n })
    tags.add('tag ' + n)
    readings.set(n, n * 1.5)
    orders[1e9 + n] = { n }
    n++
  }
}, 10)
`)
  const [{ gained }] = findings.map(({ evidence }) => evidence as { gained: number })
  const all = findings.map(({ title, evidence, growth }) => ({ title, evidence, growth }))
  for (const [name, container] of [
    ['users', 'Map'],
    ['tags', 'Set'],
    ['readings', 'Map'],
    ['orders', 'Object'],
  ]) {
    const own = all.filter(({ title }) => title.startsWith(`${name} `))
    expect(own, name).toHaveLength(1)
    expect(own[0]!.evidence).toMatchObject({ container })
    // That of numbers is estimated from its store.
    if (name !== 'readings') expect(own[0]!.evidence.gained, name).toBe(gained)
  }
  expect(all).toHaveLength(4)
})

test('what is copied with one more again and again is told by the things in it, not by what V8 keeps of their shapes', {
  timeout: 60_000,
}, async () => {
  const { findings } = await diffOfProgram(`let state = { items: {}, count: 0 }
const reduce = (s, a) => ({ ...s, items: { ...s.items, [a.id]: a }, count: s.count + 1 })
let n = 0
setInterval(() => {
  state = reduce(state, { id: 'i' + n++, text: 'x' + n })
}, 3)
`)
  expect(findings).toHaveLength(1)
  expect(findings[0]!.title).toMatch(/^state\.items gained \d+ objects/)
})
