// What looking for leaks costs, their sources read and parsed, beside reading the snapshots and working out their heaps, in one process: node test/bench/detectors.mjs FILE FILE…

import { execFileSync } from 'node:child_process'

/** Milliseconds of the median round, and which part of the one the other is. */
export function detectorCost(files, rounds) {
  const runs = Array.from({ length: rounds }, () =>
    JSON.parse(execFileSync(process.execPath, [import.meta.filename, ...files], { encoding: 'utf8' })),
  ).sort((a, b) => a.share - b.share)
  return runs[runs.length >> 1]
}

if (process.argv[1] === import.meta.filename) {
  const [{ openSeries }, { findLeaks, lookForSuspects }, { readLocalSource }] = await Promise.all([
    import('../../dist/analysis/compare.js'),
    import('../../dist/detectors/find-leaks.js'),
    import('../../dist/support/sources.js'),
  ])
  const files = process.argv.slice(2)
  const startMs = performance.now()
  const heap = await openSeries(files, { index: false })
  const readMs = performance.now() - startMs
  const seconds = files.map((_, i) => 10 * i)
  const isolates = [await lookForSuspects('main', heap, seconds)]
  const { findings } = findLeaks({ isolates, readSource: readLocalSource })
  const detectMs = performance.now() - startMs - readMs
  await heap.opened.close()
  console.log(JSON.stringify({ readMs, detectMs, share: detectMs / readMs, findings: findings.length }))
}
