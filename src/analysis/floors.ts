// What a series of measurements of memory comes down to: the level that is left when garbage has been collected.

export interface Point {
  /** Milliseconds since whenever. */
  readonly atMs: number
  readonly value: number
}

/** A series brought down to its floors. */
export interface Floors {
  readonly points: readonly Point[]
  /** How often it fell by a good part of its range, which is what collections of garbage do. */
  readonly drops: number
}

/** More do not make a verdict better, and each fit takes time by their number. */
const MOST_BUCKETS = 60
const FEWEST_BUCKETS = 12
const SAMPLES_PER_BUCKET = 4
/** With fewer drops, what lies between two of them says more than the drops. */
const ENOUGH_DROPS = 8
/** A drop is deeper than this part of the range, and than so many times what two neighbours differ by. */
const DROP_SHARE = 0.35
const DROP_NOISE = 8
/** Of a floor that is none: so many times the noise beside the middle of this many neighbours on each side. */
const PEAK_NOISE = 4
const PEAK_REACH = 3

/**
 * The times without what a clock does that is set, or stands still while the machine sleeps: a step back, or one far
 * longer than the others, counts as a usual one.
 */
export function steadyTimes(points: readonly Point[]): Point[] {
  const steps = points.slice(1).map(({ atMs }, i) => atMs - points[i]!.atMs)
  const usual = quantile(
    steps.filter((step) => step > 0),
    0.5,
  )
  let atMs = 0
  return points.map(({ value }, i) => {
    const step = steps[i - 1] ?? 0
    if (i > 0) atMs += step > 0 && step <= 20 * usual ? step : usual
    return { atMs, value }
  })
}

export function floorsOf(points: readonly Point[]): Floors {
  const lows = lowsOf(points)
  if (lows.length >= ENOUGH_DROPS) {
    // What has come since the last one is no floor yet.
    return { points: thin(lows), drops: lows.length }
  }
  const count = Math.max(FEWEST_BUCKETS, Math.min(MOST_BUCKETS, Math.floor(points.length / SAMPLES_PER_BUCKET)))
  const buckets = Array.from({ length: Math.min(count, points.length) }, (_, i, all = Math.min(count, points.length)) =>
    points.slice(Math.floor((i * points.length) / all), Math.floor(((i + 1) * points.length) / all)),
  )
  // Where collections come faster than samples, the lowest of a few says most; else the one in the middle does.
  const candidates = [0, 0.5].map((part) =>
    buckets.map((bucket) => ({
      atMs: quantile(
        bucket.map(({ atMs }) => atMs),
        0.5,
      ),
      value: quantile(
        bucket.map(({ value }) => value),
        part,
      ),
    })),
  )
  const [lowest, middle] = candidates as [Point[], Point[]]
  return { points: withoutPeaks(noiseOf(lowest) < noiseOf(middle) ? lowest : middle), drops: lows.length }
}

/** What stands out from its neighbours is put among them (Hampel 1974). */
function withoutPeaks(points: readonly Point[]): Point[] {
  const noise = noiseOf(points)
  return points.map(({ atMs, value }, i) => {
    const near = points.slice(Math.max(0, i - PEAK_REACH), i + PEAK_REACH + 1).map((point) => point.value)
    const middle = quantile(near, 0.5)
    return { atMs, value: Math.abs(value - middle) > PEAK_NOISE * noise ? middle : value }
  })
}

/** The lowest points before each rise, of those rises and falls that are large enough to count. */
function lowsOf(points: readonly Point[]): Point[] {
  const values = points.map(({ value }) => value)
  const straight = detrended(values)
  const range = quantile(straight, 0.98) - quantile(straight, 0.02)
  const threshold = Math.max(DROP_SHARE * range, DROP_NOISE * noiseOf(points))
  const lows: Point[] = []
  let [high, low] = [0, 0]
  let falling = false
  for (const i of straight.keys()) {
    if (falling) {
      if (straight[i]! < straight[low]!) low = i
      else if (straight[i]! - straight[low]! > threshold) {
        lows.push(points[low]!)
        falling = false
        high = i
      }
    } else if (straight[i]! > straight[high]!) high = i
    else if (straight[high]! - straight[i]! > threshold) {
      falling = true
      low = i
    }
  }
  if (threshold === 0) return []
  if (falling) lows.push(points[low]!)
  return lows
}

/** Without the straight line from its first to its last quarter. */
function detrended(values: readonly number[]): number[] {
  const quarter = Math.max(1, Math.floor(values.length / 4))
  const rise = quantile(values.slice(-quarter), 0.5) - quantile(values.slice(0, quarter), 0.5)
  const steps = Math.max(1, values.length - quarter)
  return values.map((value, i) => value - (rise * i) / steps)
}

function thin(points: readonly Point[]): Point[] {
  const size = Math.ceil(points.length / MOST_BUCKETS)
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const bucket = points.slice(i * size, (i + 1) * size)
    return bucket.reduce((least, point) => (point.value < least.value ? point : least))
  })
}

/** How far a point lies beside the middle of its neighbours, usually: a slope has no part in it, nor has a step. */
export function noiseOf(points: readonly Point[]): number {
  const second = points.slice(2).map(({ value }, i) => Math.abs(points[i]!.value - 2 * points[i + 1]!.value + value))
  // Of normal noise, the median of these is 0.6745 · √6 of its deviation.
  return quantile(second, 0.5) / (0.6745 * Math.sqrt(6))
}

/** Of a list in any order; 0 for none. */
export function quantile(numbers: readonly number[], part: number): number {
  if (numbers.length === 0) return 0
  const sorted = [...numbers].sort((a, b) => a - b)
  const at = part * (sorted.length - 1)
  const below = sorted[Math.floor(at)]!
  return below + (sorted[Math.ceil(at)]! - below) * (at - Math.floor(at))
}
