// Has a CPU profile name the function of a loop that was running before it began, and never returns.

import { LeakscopeError } from '../errors.ts'
import { ANSWER_MS, type ProtocolClient } from '../target/session.ts'

/** Answered by the next turn of the event loop. Asked of Node's own module, as a program may put timers of its own. */
const TURN = `new Promise((done) => {
  const load = process.getBuiltinModule ?? ((name) => (process.mainModule ?? { require }).require(name))
  load('timers').setImmediate(done, 0)
})`
/** The same for as many turns as there are in a tenth of a second. */
const TURNS = `new Promise((done) => {
  const load = process.getBuiltinModule ?? ((name) => (process.mainModule ?? { require }).require(name))
  const { setImmediate } = load('timers')
  const { performance } = load('perf_hooks')
  const from = performance.now()
  let turns = 0
  const turn = () => {
    turns++
    const ms = performance.now() - from
    if (ms < 100) setImmediate(turn)
    else done((1000 * turns) / ms)
  }
  setImmediate(turn)
})`
/** Whoever comes to no turn in this time is caught, or so slow that it does not matter. */
const PATIENCE_MS = 1000

/** Whether the isolate is in one piece of JavaScript that does not return to the event loop. */
export async function isCaught(client: ProtocolClient): Promise<boolean> {
  const params = { expression: TURN, awaitPromise: true, silent: true, includeCommandLineAPI: true }
  try {
    await client.send('Runtime.evaluate', params, { timeoutMs: PATIENCE_MS })
    return false
  } catch (error) {
    if (!(error instanceof LeakscopeError)) throw error
    if (error.code === 'target-protocol') return false
    if (error.code === 'target-timeout') return true
    throw error
  }
}

/**
 * How often a second an isolate comes to its event loop that has no pause in it, on Nodes that do not count; one that has
 * is kept from it while this goes on. Null when it does not tell.
 */
export async function countTurns(client: ProtocolClient): Promise<number | null> {
  const params = {
    ...{ expression: TURNS, awaitPromise: true, returnByValue: true },
    ...{ silent: true, includeCommandLineAPI: true },
  }
  try {
    const answer = await client.send('Runtime.evaluate', params, { timeoutMs: PATIENCE_MS })
    const value = (answer as { result?: { value?: unknown } } | undefined)?.result?.value
    return typeof value === 'number' ? value : null
  } catch (error) {
    if (!(error instanceof LeakscopeError)) throw error
    if (error.code === 'target-protocol' || error.code === 'target-timeout') return null
    throw error
  }
}

/**
 * V8's profiler knows the code that functions have when it begins, and what is compiled from then on. What was optimized
 * for a loop while that ran (on-stack replacement) is neither, and all its time is put down to the caller. Precise
 * coverage has V8 throw optimized code away on its way in; so the loop is compiled anew, under the eyes of a profiler
 * that has begun (seen on Node 18 to 26). Not for programs at work: they would have to warm up again.
 */
export async function compileAnew(client: ProtocolClient): Promise<void> {
  await Promise.allSettled([
    client.send('Profiler.startPreciseCoverage', { callCount: true }, { timeoutMs: ANSWER_MS }),
    client.send('Profiler.stopPreciseCoverage', {}, { timeoutMs: ANSWER_MS }),
  ])
}
