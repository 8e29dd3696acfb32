// What every contestant says at its end, on one line of JSON: seconds since it began, peak memory, what it found.

/** How a contestant says what came: `+20,000 Ticket, 6.84 MB`. */
export function growthText(count, name, bytes) {
  return `+${count.toLocaleString('en')} ${name}, ${(bytes / 1e6).toFixed(2)} MB`
}

/**
 * @param {number} start from performance.now(), before the file was opened
 * @param {{ nodes?: number, bytes?: number, seconds?: number, says?: string }} found
 *   nodes and bytes (the root's retained size) are compared between contestants
 */
export function report(start, found) {
  const seconds = (performance.now() - start) / 1000
  console.log(JSON.stringify({ seconds, peakBytes: process.resourceUsage().maxRSS * 1024, ...found }))
  // Some of them leave threads or timers behind.
  process.exit(0)
}
