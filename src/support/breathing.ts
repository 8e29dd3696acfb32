// Long computations that stop now and then: to show how far they are, and to be stopped.

import { once } from 'node:events'

/** A computation in slices of some milliseconds: it yields after each, and what it has to wait for, if anything. */
export type Slices<T> = Generator<Promise<unknown> | undefined, T>

const BREATH_MS = 50

/** Runs to the end, letting others have their turn now and then; rejects with the signal's reason once it is aborted. */
export async function breathing<T>(work: Slices<T>, signal?: AbortSignal, onBreath?: () => void): Promise<T> {
  signal?.throwIfAborted()
  for (let last = performance.now(); ; ) {
    const step = work.next()
    if (step.done) return step.value
    if (step.value) await step.value
    else if (performance.now() - last < BREATH_MS) continue
    else await new Promise(setImmediate)
    onBreath?.()
    signal?.throwIfAborted()
    last = performance.now()
  }
}

/** Runs to the end at one go; only for what has nothing to wait for. */
export function atOnce<T>(work: Slices<T>): T {
  for (;;) {
    const step = work.next()
    if (step.done) return step.value
    if (step.value) throw new Error('a computation that waits cannot be run at once')
  }
}

/** What `work` comes to; rejects with the signal's reason as soon as it is aborted, whatever becomes of the work. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work
  signal.throwIfAborted()
  const over = new AbortController()
  const aborted = once(signal, 'abort', { signal: over.signal }).then(() => signal.throwIfAborted())
  aborted.catch(() => {})
  try {
    return (await Promise.race([work, aborted])) as T
  } finally {
    over.abort()
  }
}
