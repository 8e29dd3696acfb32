// Series of memory measurements as services have them, made up: healthy ones, and the same with a leak in them.

const HOUR_MS = 3_600_000
const MB = 1e6

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function random(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * What a healthy service does, as `value` of the part of its life that has gone by, from 0 to 1, and how far it strays
 * by that from its level for good (standard deviation): what comes once, as a deploy, is no noise.
 */
const HABITS = {
  quiet: () => ({ unrest: 0, value: () => 0 }),
  // Garbage that is collected faster than anybody looks, or so slowly that each tooth is seen; no two are alike.
  sawtooth(next) {
    const [height, teeth] = [(10 + 90 * next()) * MB, next() < 0.5 ? 12 + 40 * next() : 400 + 1000 * next()]
    const falls = []
    for (let at = 0; at < 1; at += (0.6 + 0.8 * next()) / teeth) falls.push(at)
    const value = (part) => {
      const i = falls.findLastIndex((at) => at <= part)
      return (height * (part - falls[i])) / ((falls[i + 1] ?? 1) - falls[i])
    }
    return { unrest: height / Math.sqrt(12), value }
  },
  // One deploy, or two, each with more or less memory than before.
  deploys(next) {
    const steps = Array.from({ length: next() < 0.5 ? 1 : 2 }, () => [0.1 + 0.8 * next(), (40 * next() - 10) * MB])
    return { unrest: 0, value: (part) => steps.reduce((sum, [at, height]) => sum + (part >= at ? height : 0), 0) }
  },
  days(next, hours) {
    const [height, phase] = [(2 + 10 * next()) * MB, next()]
    const value = (part) => height * Math.sin(2 * Math.PI * ((part * hours) / 24 + phase))
    return { unrest: height / Math.SQRT2, value }
  },
  'warm-up'(next) {
    const [height, pace] = [(20 + 100 * next()) * MB, 0.02 + 0.15 * next()]
    return { unrest: 0, value: (part) => height * (1 - Math.exp(-part / pace)) }
  },
  // A cache that fills evenly, and is full.
  filling(next) {
    const [height, full] = [(20 + 60 * next()) * MB, 0.1 + 0.4 * next()]
    return { unrest: 0, value: (part) => height * Math.min(1, part / full) }
  },
  peaks(next) {
    const times = Array.from({ length: 3 + Math.floor(5 * next()) }, () => next())
    return { unrest: 0, value: (part) => (times.some((at) => part >= at && part < at + 0.01) ? 80 * MB : 0) }
  },
}

export const KINDS = Object.keys(HABITS)

/** One series; the same for the same seed. */
export function makeSeries(seed, kind, leaks) {
  const next = random(seed * 7919 + 17)
  // Of days, less than three are no more than a rise and a fall.
  const hours = kind === 'days' ? 72 + 96 * next() : 1 + 47 * next()
  const count = 120 + Math.floor(360 * next())
  const noise = (0.1 + 1.9 * next()) * MB
  // Some services wander: what is a little high stays so for a while.
  const wander = next() < 0.5 ? 0 : 0.6 * next()
  const habit = HABITS[kind](next, hours)
  const base = (60 + 300 * next()) * MB
  const noiseBytes = Math.hypot(noise, habit.unrest)
  // From 0.5 to 50 MB/h, evenly by its logarithm, but over three times the noise by the end.
  const drawn = 0.5 * MB * 100 ** next()
  const leakBytesPerHour = leaks ? Math.max(drawn, (3 * noiseBytes) / hours) : 0
  let last = 0
  const points = Array.from({ length: count }, (_, i) => {
    const part = i / (count - 1)
    const own = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
    last = wander * last + Math.sqrt(1 - wander ** 2) * own
    const value = base + habit.value(part) + noise * last + leakBytesPerHour * hours * part
    return { atMs: part * hours * HOUR_MS, value }
  })
  return { kind, noiseBytes, leakBytesPerHour, hours, points }
}
