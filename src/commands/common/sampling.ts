// What is to be sampled, how often and for how long, as the options of `leakscope profile` say it.

import type { Sampling } from '../../capture/profile.ts'
import { LeakscopeError } from '../../errors.ts'
import { formatDuration } from '../../support/format.ts'
import { size } from './options.ts'

export interface SamplingChoice {
  readonly cpu?: true
  readonly heap?: true
  readonly interval?: string
  readonly includeCollected?: boolean
}

/** Beside snapshots, one allocation in so many bytes has its stack noted: little is held up by it. */
export const SAMPLING = { intervalBytes: 131_072 }

const DEFAULT_INTERVAL_MICROS = 1000
const DEFAULT_INTERVAL_BYTES = 512 * 1024

/** A signal to the thread each time: more often, and it does little else. */
const LEAST_MICROS = 50
const MOST_MICROS = 1e6
/** Finer, and every other object is noted with its stack. */
const LEAST_BYTES = 1024
const MOST_BYTES = 2 ** 30

/** The target keeps them all, and makes one JSON text of them at the end. */
const MOST_SAMPLES = 1e6

export function samplingOf({ cpu, heap, interval, includeCollected = false }: SamplingChoice): Sampling {
  if (!cpu === !heap) {
    throw new LeakscopeError(
      'usage-invalid',
      cpu ? '--cpu and --heap exclude each other' : 'give either --cpu or --heap',
      {
        hint: '--cpu tells where its time goes, --heap who allocates what it holds.',
      },
    )
  }
  if (heap) {
    return {
      kind: 'heap',
      intervalBytes: interval === undefined ? DEFAULT_INTERVAL_BYTES : bytes(interval),
      includeCollected,
    }
  }
  if (includeCollected) throw new LeakscopeError('usage-invalid', '--include-collected is for --heap only')
  return { kind: 'cpu', intervalMicros: interval === undefined ? DEFAULT_INTERVAL_MICROS : micros(interval) }
}

function micros(text: string): number {
  const [, number, unit = 'us'] = /^(\d+)(us|µs|ms)?$/.exec(text) ?? []
  const value = Number(number) * (unit === 'ms' ? 1000 : 1)
  if (value >= LEAST_MICROS && value <= MOST_MICROS) return value
  throw new LeakscopeError(
    'usage-invalid',
    `--interval takes, with --cpu, microseconds from ${LEAST_MICROS} to ${MOST_MICROS}, such as 100, 100us or 5ms, not '${text}'`,
  )
}

function bytes(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : size('--interval')(text)
  if (value >= LEAST_BYTES && value <= MOST_BYTES) return value
  throw new LeakscopeError(
    'usage-invalid',
    `--interval takes, with --heap, bytes from 1KiB to 1GiB, such as 32768 or 64KiB, not '${text}'`,
  )
}

/** Throws where there would be no sample in that time, or more than a process should be made to keep. */
export function requireFewSamples(sampling: Sampling, durationMs: number): void {
  if (sampling.kind === 'heap') return
  const samples = (durationMs * 1000) / sampling.intervalMicros
  const time = formatDuration(durationMs)
  if (samples < 1) {
    throw new LeakscopeError(
      'usage-invalid',
      `there would be no sample in ${time} with one every ${sampling.intervalMicros} µs`,
    )
  }
  if (samples <= MOST_SAMPLES) return
  const least = Math.ceil((durationMs * 1000) / MOST_SAMPLES / 1000)
  throw new LeakscopeError(
    'usage-invalid',
    `${time} with a sample every ${sampling.intervalMicros} µs are more than the million that the process should be made to keep`,
    { hint: `--interval ${least}ms is enough for so long a time.` },
  )
}
