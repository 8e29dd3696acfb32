import { expect, test } from 'vitest'
import { type Drawing, findLeaksIn, MODULE, times } from '../support/drawing.ts'

const TIMERS = 'node:internal/timers'

interface Kind {
  delayMs?: number
  repeats?: boolean
  url?: string
  /** Delays that differ by a millisecond each: a list for each timer. */
  spread?: boolean
  /** Of which snapshot each timer is, where they set themselves again: what they keep stays. */
  anew?: number
  more?: (d: Drawing, i: number) => Record<string, number>
  /** The object whose method the callback is, of a class of Node's. */
  self?: string
}

/** Timers that were set 100 ms apart, in Node's lists. */
function timers(d: Drawing, count: number, kind: Kind = {}): void {
  const { delayMs = 600_000, repeats = false, url = MODULE, spread = false, anew = 0, more, self } = kind
  const each = times(count, (i) =>
    d.object(
      `timer ${i} ${anew}`,
      'Timeout',
      {
        _idleTimeout: d.number(delayMs + (spread ? i : 0)),
        _idleStart: d.number(100 * i),
        _onTimeout: bindTo(
          d,
          d.closure(`callback ${i} ${anew}`, 'give up', d.context(`scope ${i}`, { order: order(d, i) }), url),
          self && d.object(`self ${i}`, self, {}, { url }),
        ),
        ...(repeats && { _repeat: d.number(delayMs) }),
        ...more?.(d, i),
      },
      { size: 120, url: TIMERS },
    ),
  )
  const lists = spread ? each.map((timer) => [timer]) : [each]
  d.variable(
    'timerListMap',
    d.object(
      'lists',
      'Object',
      Object.fromEntries(
        lists.map((timersOfList, i) => {
          const list = d.object(`list ${i}`, 'TimersList', {}, { url: TIMERS })
          timersOfList.forEach((timer, at) => {
            d.members(timer, { _idlePrev: timersOfList[at + 1] ?? list, _idleNext: timersOfList[at - 1] ?? list })
          })
          d.members(list, { _idlePrev: timersOfList[0] ?? list, _idleNext: timersOfList.at(-1) ?? list })
          return [String(delayMs + i), list]
        }),
      ),
    ),
  )
}

const bindTo = (d: Drawing, closure: number, self: number | '' | undefined): number =>
  self ? d.bound(`bound ${closure}`, closure, self) : closure

const order = (d: Drawing, i: number): number =>
  d.object(`order ${i}`, 'Order', { note: d.text(`note ${i}`, 'x', 300) })

const findTimers = (kind: Kind, source = '') => findLeaksIn([(d, step) => timers(d, 40 * (step + 1), kind)], source)

test('a deadline for each order that nobody clears, with the time until the first one fires', async () => {
  const [finding, ...others] = await findTimers({})
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'unbounded-timers',
    title: '80 pending timers of 10 min 0 s set at service.mjs:10, 5.0 more each second; the first fires in 9 min 48 s',
    culprit: { url: MODULE, line: 10, basis: 'callback' },
    evidence: { timers: 80, delayMs: 600_000, repeats: false, firstFiresInMs: 588_100, levelsOffAtTimers: 3000 },
  })
  expect(finding!.advice).toContain('clear it in a finally')
})

test('an interval for each order', async () => {
  const [finding] = await findTimers({ delayMs: 5000, repeats: true })
  expect(finding).toMatchObject({ pattern: 'unbounded-timers', evidence: { repeats: true, firstFiresInMs: null } })
  expect(finding!.title).toContain('80 intervals every 5.0 s')
  expect(finding!.advice).toContain('clearInterval')
})

test('timers that set themselves again are as old as what they keep', async () => {
  const growing = (d: Drawing, step: number) => timers(d, 40 * (step + 1), { delayMs: 1000, anew: step })
  const [finding, ...others] = await findLeaksIn([growing])
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'unbounded-timers',
    evidence: { timers: 80, renews: true, firstFiresInMs: null },
  })
  expect(finding!.title).toContain('80 timers that set themselves again every 1.0 s')
  // As many as are set, set themselves again.
  expect(await findLeaksIn([(d, step) => timers(d, 120, { delayMs: 1000, anew: step })])).toEqual([])
})

test('delays that all differ are one finding', async () => {
  const findings = await findTimers({ spread: true })
  expect(findings.map(({ pattern }) => pattern)).toEqual(['unbounded-timers'])
  expect(findings[0]!.evidence).toMatchObject({ timers: 80 })
})

test('the line is where the timer is set, for a callback that is declared elsewhere', async () => {
  const source = `${'\n'.repeat(9)}  function giveUp() {}${'\n'.repeat(11)}  setTimeout(() => 1, 5)\n`
  expect((await findTimers({}, source))[0]!.culprit).toMatchObject({ line: 10 })
  const near = `${'\n'.repeat(7)}  setTimeout(\n    // late\n    () => 1, 5)\n`
  expect((await findTimers({}, near))[0]!.culprit).toMatchObject({ line: 8 })
})

test('the context of AsyncLocalStorage that a timer keeps is told', async () => {
  const more = (d: Drawing, i: number) => ({ '<symbol kResourceStore>': order(d, i) })
  expect((await findTimers({ more }))[0]).toMatchObject({ evidence: { keepsAsyncContext: true } })
})

test('timers that were cleared, which a connection keeps that is over, do not count', async () => {
  const over = (d: Drawing, i: number, which: number) =>
    d.object(`over ${i} ${which}`, 'Timeout', { _idlePrev: d.nothing(), _onTimeout: d.nothing() }, { url: TIMERS })
  const more = (d: Drawing, i: number) => ({ request: over(d, i, 1), response: over(d, i, 2), socket: over(d, i, 3) })
  expect((await findTimers({ more }))[0]).toMatchObject({ pattern: 'unbounded-timers', evidence: { timers: 80 } })
})

test("Node's own timers are told as Node's; those beside as many sockets are not this", async () => {
  expect((await findTimers({ url: 'node:net' }))[0]).toMatchObject({ pattern: 'unbounded-timers', culprit: null })
  const more = (d: Drawing, i: number) => ({ socket: d.object(`handle ${i}`, 'TCP') })
  expect((await findTimers({ more }))[0]?.pattern).toBe('growing-collection')
})

test('timers that Node sets for objects that are closed are told with what they are of, and the call that sets them', async () => {
  const source = 'function put(session) {\n  session.setTimeout(600_000)\n}\n'
  const findings = await findTimers({ url: 'node:internal/http2/core', self: 'ClientHttp2Session' }, source)
  expect(findings).toMatchObject([
    { pattern: 'unbounded-timers', culprit: { line: 2 }, evidence: { timers: 80, timersOf: 'ClientHttp2Session' } },
  ])
  expect(findings[0]!.title).toContain('of ClientHttp2Session objects, set by setTimeout() at service.mjs:2')
  expect(findings[0]!.advice).not.toContain('timerListMap')
})

test('timers that come to little before they fire, or that take something out then, are less sure', async () => {
  const sure = (await findTimers({}))[0]!.confidence
  expect((await findTimers({ delayMs: 30_000 }))[0]!.confidence).toBeLessThan(sure)
  const source = `setTimeout(${'\n'.repeat(9)}    () => { orders.delete(id) }, 5)\n`
  expect((await findTimers({}, source))[0]!.confidence).toBeLessThan(sure)
})

test('the line sets the timer, by whatever name, and none that only looks so', async () => {
  const source = [
    "import { setTimeout as later } from 'node:timers'",
    "import { setTimeout as sleep } from 'node:timers/promises'",
    '// setTimeout(giveUp, 600_000)',
    'const HELP = "setTimeout(giveUp)"',
    'function wait(giveUp) { return sleep(1, giveUp) }',
    ...['', '', '', ''],
    '    const giveUp = () => { orders.remove }',
    '  later(',
    '    giveUp, 600_000)',
  ].join('\n')
  const [finding] = await findTimers({}, source)
  expect(finding).toMatchObject({ pattern: 'unbounded-timers', culprit: { line: 11 } })
})
