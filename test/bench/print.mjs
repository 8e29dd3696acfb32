// The results as text for a terminal of 120 columns.

import { table } from './table.mjs'

const seconds = (value) => (value < 0.1 ? value.toFixed(3) : value < 10 ? value.toFixed(2) : value.toFixed(1))
const times = (value) => (value === undefined ? '' : value.toFixed(value < 10 ? 2 : 1))
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`
const millions = (count) => (count / 1e6).toFixed(count < 1e7 ? 2 : 1)
const span = ({ min, max }) => `${seconds(min)}–${seconds(max)}`

export function sizeText({ bytes, nodes, edges }) {
  return `${megabytes(bytes)}, ${millions(nodes)} M nodes, ${millions(edges)} M edges`
}

/** A row for each, and below them in words what they said; or why there is nothing to measure. */
export function enginesTable(engines) {
  const heads = ['engine', 'seconds', '(min–max)', '× leakscope', 'peak memory', '× leakscope']
  const rows = engines.map((engine) =>
    engine.error
      ? [engine.name, 'failed', '', '', '', '']
      : [
          engine.name,
          seconds(engine.seconds.median),
          `(${span(engine.seconds)})`,
          times(engine.timesSeconds),
          megabytes(engine.peakBytes.median),
          times(engine.timesPeak),
        ],
  )
  const notes = engines.flatMap(({ name, error, says }) => {
    const note = `  ${name}: ${error ?? says}`
    return error || says ? (note.length > 120 ? `${note.slice(0, 119)}…` : note) : []
  })
  return [table(heads, rows, [0]), ...notes].join('\n')
}

export function growthTable(growth) {
  const heads = ['engine', 's per M nodes', 's per M edges', 'MB per M nodes', 'MB per M edges', 'from sizes']
  const rows = growth.map((each) => [
    each.name,
    seconds(each.secondsPerMillionNodes),
    seconds(each.secondsPerMillionEdges),
    each.peakBytesPerNode.toFixed(0),
    each.peakBytesPerEdge.toFixed(0),
    String(each.sizes),
  ])
  return table(heads, rows, [0])
}

export function startUpTable(rows) {
  const heads = ['command', 'seconds', '(min–max)', 'runs', '× node -e 0']
  const cells = rows.map((row) => [
    row.name,
    row.seconds.median.toFixed(3),
    `(${row.seconds.min.toFixed(3)}–${row.seconds.max.toFixed(3)})`,
    String(row.times),
    times(row.timesFirst),
  ])
  return table(heads, cells, [0])
}
