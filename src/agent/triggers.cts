// Captures that nobody comes for, as LEAKSCOPE_AGENT in the environment says: `near-limit=snapshot` or
// `near-limit=profile`, `signal=SIGUSR2`, `every=1h`, `folder=/dumps`, with commas in between. Not loaded without it.

import { constants } from 'node:os'
import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import { captureSnapshot, startSampling } from './capture.cts'

/** How much of what V8 may use is in use after a full collection when it is near the limit. */
const NEAR = 0.8
/** Of perf_hooks' constants. */
const MAJOR_COLLECTION = 4
const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, min: 60_000, h: 3_600_000 }
/** What a timer takes. */
const LONGEST_MS = 2 ** 31 - 1

interface Options {
  folder: string
  nearLimit?: string
  signal?: NodeJS.Signals
  everyMs?: number
}

/** Throws an Error that names what cannot be understood; then nothing is set up. */
export function setTriggers(text: string): void {
  const { folder, nearLimit, signal, everyMs } = parse(text)
  if (nearLimit !== undefined) watchLimit(nearLimit, folder)
  if (signal) process.on(signal, () => captureSnapshot(folder, signal))
  if (everyMs !== undefined) setInterval(() => captureSnapshot(folder, 'scheduled'), everyMs).unref()
}

function parse(text: string): Options {
  const options: Options = { folder: process.cwd() }
  for (const part of text.split(',')) {
    const [, name = '', value = ''] = /^\s*([\w-]+)\s*=\s*(.*?)\s*$/.exec(part) ?? []
    const duration = /^(\d+)(s|min|h)$/.exec(value)
    const everyMs = Number(duration?.[1]) * (UNIT_MS[duration?.[2] ?? ''] ?? Number.NaN)
    if (name === 'near-limit' && (value === 'snapshot' || value === 'profile')) options.nearLimit = value
    else if (name === 'folder' && value !== '') options.folder = value
    else if (name === 'every' && everyMs > 0 && everyMs <= LONGEST_MS) options.everyMs = everyMs
    else if (name === 'signal' && isFree(value)) options.signal = value
    else throw new Error(`LEAKSCOPE_AGENT: '${part.trim()}' makes no sense to it`)
  }
  return options
}

/** Some cannot be caught, and SIGUSR1 is Node's own. */
function isFree(name: string): name is NodeJS.Signals {
  return name in constants.signals && !['SIGKILL', 'SIGSTOP', 'SIGUSR1'].includes(name)
}

/**
 * Looks after each full collection, when what is in use is alive. A program that fills its heap in one turn of the event
 * loop is not caught: that takes Node's own --heapsnapshot-near-heap-limit, which looks neither at memory nor at disks.
 */
function watchLimit(what: string, folder: string): void {
  const limit = heapLimit()
  const sampling = what === 'profile' ? startSampling(folder) : undefined
  const observer = new PerformanceObserver((list) => {
    const major = list
      .getEntries()
      .some((it) => (it as { detail?: { kind?: number } }).detail?.kind === MAJOR_COLLECTION)
    if (!major) return
    if (getHeapStatistics().used_heap_size < NEAR * limit) return
    // Once and no more: the next one would only be larger, with less room for it.
    observer.disconnect()
    if (sampling) sampling.finish('near-limit')
    else captureSnapshot(folder, 'near-limit')
  })
  observer.observe({ entryTypes: ['gc'] })
}

/**
 * In bytes. What V8 calls the limit has room in it for the young as well, up to 192 MB that old objects never get: much,
 * where the limit was set low.
 */
function heapLimit(): number {
  const args = [...(process.env.NODE_OPTIONS ?? '').split(/\s+/), ...process.execArgv]
  const told = args.map((arg) => Number(/^--max[-_]old[-_]space[-_]size=(\d+)$/.exec(arg)?.[1])).filter((it) => it > 0)
  return Math.min(getHeapStatistics().heap_size_limit, (told.at(-1) ?? Number.POSITIVE_INFINITY) * 2 ** 20)
}
