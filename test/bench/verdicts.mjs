// How often the judgement of a trend is wrong, over made-up series of every kind: node test/bench/verdicts.mjs [seeds]

import { judgeTrend } from '../../dist/analysis/trend.js'
import { KINDS, makeSeries } from './series.mjs'
import { table } from './table.mjs'

/** For each kind, and last for all together: which part of the healthy ones was blamed, and of the leaky ones missed. */
export function verdictRates(seeds) {
  const rows = KINDS.map((kind) => {
    const wrong = [false, true].map((leaks) => {
      const verdicts = Array.from(
        { length: seeds },
        (_, i) => judgeTrend(makeSeries(i + 1, kind, leaks).points).verdict,
      )
      return verdicts.filter((verdict) => (verdict === 'leak') !== leaks).length / seeds
    })
    return { kind, series: 2 * seeds, blamed: wrong[0], missed: wrong[1] }
  })
  const mean = (of) => rows.reduce((sum, row) => sum + of(row), 0) / rows.length
  const all = {
    kind: 'all',
    series: rows.length * 2 * seeds,
    blamed: mean((row) => row.blamed),
    missed: mean((row) => row.missed),
  }
  return [...rows, all]
}

export function verdictsTable(rows) {
  const percent = (part) => `${(100 * part).toFixed(1)} %`
  return table(
    ['kind', 'series', 'blamed', 'missed'],
    rows.map(({ kind, series, blamed, missed }) => [kind, String(series), percent(blamed), percent(missed)]),
    [0],
  )
}

if (process.argv[1] === import.meta.filename) console.log(verdictsTable(verdictRates(Number(process.argv[2] ?? 100))))
