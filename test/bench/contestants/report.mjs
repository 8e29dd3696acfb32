// What every contestant says at its end: seconds since it opened the file, and its peak memory, on one line of JSON.

export function report(start, more = {}) {
  const seconds = (performance.now() - start) / 1000
  console.log(JSON.stringify({ seconds, peakMb: process.resourceUsage().maxRSS / 1024, ...more }))
}
