import { expect, test } from 'vitest'
import { type Drawing, findLeaksIn, MODULE, times } from '../support/drawing.ts'

test('pieces that keep the pages they were cut from; the line is the one that cuts', async () => {
  const source = [
    'function titleOf(page) {',
    '  return page.slice(7, 20)',
    '}',
    ...Array<string>(9).fill(''),
    '  headlines.set(number, titleOf(page))',
  ].join('\n')
  const [finding, ...others] = await findLeaksIn(
    [
      (d, step) => {
        const titles = times(20 * (step + 1), (i) => d.piece(`title ${i}`, d.text(`page ${i}`, '<html>', 40_000)))
        d.variable('headlines', d.map('headlines', titles))
      },
    ],
    source,
  )
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'string-retention',
    culprit: { url: MODULE, line: 2, function: 'titleOf' },
    evidence: { kind: 'slices', keptIn: 'headlines', slices: 40, parents: 40, parentBytesPerSlice: 40_000 },
  })
})

test.each([
  { max: 500, severity: 'note' },
  { max: 5000, severity: 'warning' },
])('within a bound of $max, it is worth a $severity that each keeps a whole page', async ({ max, severity }) => {
  const source = `export class Cache {
  keep(title) {
    this.titles.push(title)
    if (this.titles.length > this.max) this.titles.shift()
  }
}
setInterval(() => seen.keep(titleOf(page)), 10)
`
  const [finding] = await findLeaksIn(
    [
      (d, step) => {
        const titles = times(20 * (step + 1), (i) => d.piece(`title ${i}`, d.text(`page ${i}`, '<html>', 40_000)))
        d.variable('seen', d.object('seen', 'Cache', { max: d.number(max), titles: d.array('titles', titles) }))
      },
    ],
    source,
  )
  expect(finding).toMatchObject({ pattern: 'string-retention', severity })
  expect(finding!.reason).toMatch(/its bound: this\.max at .* is \d+; but each keeps many times what it needs/)
})

const pieces = (d: Drawing, step: number, perPage: number, keptBeside: boolean): void => {
  const pages = times(10 * (step + 1), (i) => d.text(`page ${i}`, '<html>', 4000))
  const cut = pages.flatMap((page, i) => times(perPage, (k) => d.piece(`piece ${i} ${k}`, page)))
  d.variable('words', d.array('words', cut))
  if (keptBeside) d.variable('pages', d.array('pages', pages))
}

test('pieces of texts that are kept themselves, and texts that are in use piece by piece, are none', async () => {
  const pattern = async (draw: (d: Drawing, step: number) => void) => (await findLeaksIn([draw]))[0]?.pattern
  expect(await pattern((d, step) => pieces(d, step, 2, false))).toBe('string-retention')
  expect(await pattern((d, step) => pieces(d, step, 2, true))).toBe('growing-log-array')
  expect(await pattern((d, step) => pieces(d, step, 40, false))).toBe('growing-log-array')
})

test('a text that is added to without end', async () => {
  const source = 'class Call {\n  heard(word) {\n    this.transcript += word\n  }\n}\n'
  const [finding] = await findLeaksIn(
    [
      (d, step) => {
        let text = d.text('beginning', 'so ')
        for (let i = 0; i < 300 * (step + 1); i++)
          text = d.concatenation(`rope ${i}`, text, d.text(`word ${i}`, `${i} `))
        d.variable('call', d.object('call', 'Call', { transcript: text }))
      },
    ],
    source,
  )
  expect(finding).toMatchObject({
    pattern: 'string-retention',
    culprit: { line: 3 },
    evidence: { kind: 'ropes', keptIn: 'call.transcript', strings: 1 },
  })
})

test('many texts of a few parts are lines of a log', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const lines = times(200 * (step + 1), (i) =>
        d.concatenation(`line ${i}`, d.text(`at ${i}`, `${i}`, 60), d.text(`text ${i}`, 'said', 60)),
      )
      d.variable('lines', d.array('lines', lines))
    },
  ])
  expect(finding?.pattern).toBe('growing-log-array')
})

test('the line that makes a text longer, by whatever name, and none that only looks so', async () => {
  const source = [
    'class Call {',
    '  // this.transcript += word',
    '  heard(word) {',
    "    log('this.transcript += word')",
    '    if (this.transcript === word) return',
    '    this',
    '      .transcript = this.transcript + word',
    '  }',
    '}',
  ].join('\n')
  const [finding] = await findLeaksIn(
    [
      (d, step) => {
        let text = d.text('beginning', 'so ')
        for (let i = 0; i < 300 * (step + 1); i++)
          text = d.concatenation(`rope ${i}`, text, d.text(`word ${i}`, `${i} `))
        d.variable('call', d.object('call', 'Call', { transcript: text }))
      },
    ],
    source,
  )
  expect(finding).toMatchObject({ pattern: 'string-retention', culprit: { line: 6 } })
})
