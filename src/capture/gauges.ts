// What a process cannot be asked afterwards: how late its event loop was, and how long it collected garbage. Both are
// measured inside it for as long as somebody watches.

import { z } from 'zod'
import { LeakscopeError } from '../errors.ts'
import { ANSWER_MS, type ProtocolClient } from '../target/session.ts'

/** Since the reading before. */
export interface GaugeReading {
  /** The longest that something which was due had to wait for the event loop; null when the clock never got its turn. */
  readonly longestDelayMs: number | null
  /** The part of the time, from 0 to 1, in which the main thread stood still for the garbage collector. */
  readonly gcPart: number
}

export interface Gauges {
  /** Undefined where the answer makes no sense. */
  read(): Promise<GaugeReading | undefined>
  /** Takes them away again. Does not throw: where nobody answers, they go by themselves. */
  close(): Promise<void>
}

/** How often the event loop is looked at. Each look wakes the process, which costs some microseconds. */
const RESOLUTION_MS = 20
const LEAVE_MS = 2000

/**
 * The clock is Node's own, in C++, which does not keep the process alive; of each collection, Node tells an observer.
 * Nothing in the process holds them but our session: when that ends without a word, V8 collects the one, and the other
 * takes itself away at the next collection, as what it reports to is gone (seen on 18 to 26).
 */
const OPEN = `(() => {
  const load = process.getBuiltinModule ?? ((name) => (process.mainModule ?? { require }).require(name))
  const { PerformanceObserver, monitorEventLoopDelay, performance } = load('perf_hooks')
  const gauges = { performance, delay: monitorEventLoopDelay({ resolution: ${RESOLUTION_MS} }), gcMs: 0, readAt: performance.now() }
  const reference = new WeakRef(gauges)
  gauges.observer = new PerformanceObserver((list, observer) => {
    const gauges = reference.deref()
    if (!gauges) return observer.disconnect()
    for (const { duration } of list.getEntries()) gauges.gcMs += duration
  })
  gauges.observer.observe({ entryTypes: ['gc'] })
  gauges.delay.enable()
  return gauges
})()`

const READ = `function () {
  const now = this.performance.now()
  const { max } = this.delay
  const reading = { passedMs: now - this.readAt, gcMs: this.gcMs, longestMs: max / 1e6 }
  this.delay.reset()
  this.gcMs = 0
  this.readAt = now
  return reading
}`

const CLOSE = `function () {
  this.observer.disconnect()
  this.delay.disable()
}`

const OPENED = z.object({ result: z.object({ objectId: z.string() }), exceptionDetails: z.undefined().optional() })
const READING = z.object({
  result: z.object({ value: z.object({ passedMs: z.number(), gcMs: z.number(), longestMs: z.number() }) }),
})

/** Begins to measure the main thread. Whoever does so has to close it. Throws a LeakscopeError where that is not possible. */
export async function openGauges(client: ProtocolClient): Promise<Gauges> {
  const options = { timeoutMs: ANSWER_MS }
  const params = { expression: OPEN, silent: true, includeCommandLineAPI: true }
  const { data } = OPENED.safeParse(await client.send('Runtime.evaluate', params, options))
  if (!data) throw new LeakscopeError('target-protocol', 'the target does not let its event loop be measured')
  const { objectId } = data.result
  const call = (functionDeclaration: string, rest: object, given: object) =>
    client.send('Runtime.callFunctionOn', { objectId, functionDeclaration, silent: true, ...rest }, given)
  return {
    async read() {
      const { data: answer } = READING.safeParse(await call(READ, { returnByValue: true }, options))
      if (!answer) return undefined
      const { passedMs, gcMs, longestMs } = answer.result.value
      return {
        longestDelayMs: longestMs > 0 ? Math.max(0, longestMs - RESOLUTION_MS) : null,
        gcPart: passedMs > 0 ? Math.min(1, gcMs / passedMs) : 0,
      }
    },
    async close() {
      // Not the session's own signal: it may be over already, and the process is to be left as it was.
      const last = { signal: AbortSignal.timeout(LEAVE_MS) }
      await Promise.allSettled([call(CLOSE, {}, last), client.send('Runtime.releaseObject', { objectId }, last)])
    },
  }
}
