import { expect, test } from 'vitest'
import { type Drawing, findLeaksIn, MODULE, times } from '../support/drawing.ts'

const payload = (d: Drawing, i: number): number =>
  d.object(`response ${i}`, 'Response', { body: d.text(`body ${i}`, 'x', 300) })
const listener = (d: Drawing, i: number): number =>
  d.closure(`listener ${i}`, 'onTrade', d.context(`scope ${i}`, { response: payload(d, i) }))

function emitter(d: Drawing, events: Record<string, number>, more: Record<string, number> = {}): void {
  const table = d.dictionary('table', 'Object', events)
  d.variable('exchange', d.object('exchange', 'Exchange', { _events: table, ...more }))
}

test('a listener for each request on one emitter, whose warning was switched off', async () => {
  const source = `${'\n'.repeat(9)}  const onTrade = () => {}\n  exchange.on('trade', onTrade)\n`
  const [finding, ...others] = await findLeaksIn(
    [
      (d, step) => {
        const functions = times(60 * (step + 1), (i) => listener(d, i))
        emitter(d, { trade: d.array('listeners', functions) }, { _maxListeners: d.number(0) })
      },
    ],
    source,
  )
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'listener-leak',
    title: "120 listeners for 'trade' on exchange, 7.5 more each second, none removed",
    culprit: { url: MODULE, line: 11, function: 'onTrade' },
    evidence: { kind: 'emitter', emitter: 'exchange', listenersBefore: 60, listenersNow: 180, maxListeners: 0 },
  })
  expect(finding!.advice).toContain('setMaxListeners(0)')
})

test('many events with a listener each, as an object of a library', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const entries = times(60 * (step + 1), (i) => [`user:${i}`, d.object(`entry ${i}`, 'EE', { fn: listener(d, i) })])
      emitter(d, Object.fromEntries(entries))
    },
  ])
  expect(finding).toMatchObject({ pattern: 'listener-leak', evidence: { listenersAdded: 120 } })
  expect(finding!.title).toContain('for 120 events')
})

/** A listener on one signal for each download. */
const onSignal = (kept: (d: Drawing, i: number) => Record<string, number>) => (d: Drawing, step: number) => {
  const head = d.object('head', 'Object')
  const signal = d.object('signal', 'AbortSignal', {
    '<symbol kEvents>': d.object('events', 'Object', { abort: head }),
  })
  d.variable('shutdown', d.object('controller', 'AbortController', { '#signal': signal }))
  let before = head
  for (let i = 0; i < 60 * (step + 1); i++) {
    const callback = d.closure(`listener ${i}`, 'onAbort', d.context(`scope ${i}`, kept(d, i)))
    const next = d.object(`node ${i}`, 'Listener', { callback, previous: before })
    d.members(before, { next })
    before = next
  }
}

test('a listener for each download on one signal', async () => {
  const [finding] = await findLeaksIn([onSignal((d, i) => ({ response: payload(d, i) }))])
  expect(finding).toMatchObject({
    pattern: 'listener-leak',
    evidence: { kind: 'event target', emitter: 'shutdown.signal', events: ['abort'] },
  })
  expect(finding!.advice).toContain('removeEventListener')
})

test('listeners each of which aborts a signal of its own are listeners of the first one, for an event', async () => {
  const [finding, ...others] = await findLeaksIn([
    onSignal((d, i) => {
      const signal = d.object(`own signal ${i}`, 'AbortSignal', { reason: payload(d, i) })
      return { controller: d.object(`own ${i}`, 'AbortController', { '#signal': signal }) }
    }),
  ])
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'listener-leak',
    evidence: { kind: 'event target', emitter: 'shutdown.signal', events: ['abort'] },
  })
  expect(finding!.title).toContain("for 'abort' on shutdown.signal")
})

const inSet = (name: string) => (d: Drawing, step: number) => {
  const functions = times(60 * (step + 1), (i) => listener(d, i))
  d.variable(name, d.map('set', functions, 'Set'))
}

test('functions in a Set by its name, or because the source calls each', async () => {
  expect((await findLeaksIn([inSet('observers')]))[0]?.pattern).toBe('listener-leak')
  expect((await findLeaksIn([inSet('interested')]))[0]?.pattern).toBe('growing-collection')
  const source = 'for (const tell of interested) {\n  tell(change)\n}\n'
  expect((await findLeaksIn([inSet('interested')], source))[0]?.pattern).toBe('listener-leak')
})

test('what piles up behind a listener is not a leak of listeners', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const seen = d.array(
        'seen',
        times(60 * (step + 1), (i) => payload(d, i)),
      )
      emitter(d, { trade: d.closure('one', 'onTrade', d.context('scope', { seen })) })
    },
  ])
  expect(finding?.pattern).toBe('growing-log-array')
})

test('records in a list that is called handlers are none', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const records = times(60 * (step + 1), (i) => payload(d, i))
      d.variable('handlers', d.array('handlers', records))
    },
  ])
  expect(finding?.pattern).toBe('growing-collection')
})

test('listeners that come and go are silent', async () => {
  const findings = await findLeaksIn([
    (d, step) => {
      const functions = times(60, (i) => listener(d, 60 * step + i))
      emitter(d, { trade: d.array('listeners', functions) })
    },
  ])
  expect(findings).toEqual([])
})

test('interceptors that a package could take out, and nobody has it do so, are told, however little they take', async () => {
  const url = 'file:///app/node_modules/http-client/lib/manager.js'
  const [finding, ...others] = await findLeaksIn(
    [
      (d, step) => {
        const handlers = times(40 * (step + 1), (i) =>
          d.object(`entry ${i}`, 'Object', { fulfilled: d.closure(`use ${i}`, 'addTrace') }),
        )
        const manager = d.object('manager', 'Manager', { handlers: d.array('handlers', handlers) }, { url })
        d.variable('client', d.object('client', 'Client', { request: manager }))
      },
    ],
    { [url]: 'class Manager {\n  eject() {\n    this.handlers.pop()\n  }\n}\n' },
  )
  expect(others).toEqual([])
  expect(finding).toMatchObject({ pattern: 'listener-leak', severity: 'error' })
  expect(finding!.reason).toMatch(
    /manager\.js:3 would take things out of it, but nothing in the program was seen to call it/,
  )
  expect(finding!.title).toMatch(/^80 observers on client\.request, .*, none removed$/)
})

test('connections that were made anew, each in one go, are no collection that gains', async () => {
  const findings = await findLeaksIn([
    (d, step) => {
      // What else the program has compiled by then.
      for (let i = 0; i < 50 + 30 * step; i++) d.variable(`f${i}`, d.closure(`other ${i}`, `other${i}`))
      const clients = times(6, (i) => {
        const version = i < step ? 1 : 0
        const context = d.object(`context ${i} ${version}`, 'Object')
        for (let f = 0; f < 15; f++) {
          const scope = d.context(`scope ${i} ${version} ${f}`, { data: d.text(`data ${i} ${version} ${f}`, 'x', 500) })
          d.members(context, { [`f${f}`]: d.closure(`write ${i} ${version} ${f}`, 'write', scope) })
        }
        return d.object(`client ${i}`, 'Client', { context })
      })
      d.variable('clients', d.array('clients', clients))
    },
  ])
  expect(findings).toEqual([])
})

test('a chain of listeners by event, as event targets have it that are none of Node’s', async () => {
  const [finding, ...others] = await findLeaksIn([
    (d, step) => {
      const first = d.object('link 0', 'Object', { listener: listener(d, 0) })
      let before = first
      for (let i = 1; i < 60 * (step + 1); i++) {
        const next = d.object(`link ${i}`, 'Object', { listener: listener(d, i) })
        d.members(before, { next })
        before = next
      }
      const events = d.object('events', 'Object', { abort: first })
      d.variable('shutdown', d.object('signal', 'AbortSignal', { events }))
    },
  ])
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'listener-leak',
    evidence: { kind: 'event target', emitter: 'shutdown.events', events: ['abort'], listenersAdded: 120 },
  })
})

/** The line that is named of listeners the first of which begins in line 10. */
async function lineOf(before: string, line10: string, after: string): Promise<number | undefined> {
  const source = [...before.split('\n'), ...Array<string>(9).fill('')].slice(0, 9).concat(line10, after).join('\n')
  const draw = (d: Drawing, step: number) =>
    emitter(d, {
      trade: d.array(
        'listeners',
        times(60 * (step + 1), (i) => listener(d, i)),
      ),
    })
  const [finding] = await findLeaksIn([draw], source)
  return finding?.culprit?.line
}

test('the line is a call that has the function, rather than one that looks like it', async () => {
  const declared = '  const onTrade = () => {}'
  expect(await lineOf("// exchange.on('trade', onTrade)", declared, "  exchange.on('trade', onTrade)")).toBe(11)
  expect(
    await lineOf('log("exchange.on(onTrade)")', declared, "  exchange\n    .on(\n      'trade',\n      onTrade)"),
  ).toBe(12)
  expect(
    await lineOf("function f(onTrade) {\n  x.on('trade', onTrade)\n}", declared, "  exchange.on('trade', onTrade)"),
  ).toBe(11)
  expect(await lineOf('const { on: listen } = exchange', declared, "  listen('trade', onTrade)")).toBe(11)
})
