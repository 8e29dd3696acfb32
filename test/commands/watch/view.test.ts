// The picture of `leakscope watch`, as lines: what is on it, in any size, whatever the process is called.

import { Chalk } from 'chalk'
import { describe, expect, test } from 'vitest'
import type { Verdict } from '../../../src/analysis/trend.ts'
import { rowOf } from '../../../src/commands/trend/row.ts'
import { type Picture, pictureLines, type Subject } from '../../../src/commands/watch/view.ts'
import { keysIn } from '../../../src/support/screen.ts'

const plain = new Chalk({ level: 0 })

function row(
  id: string,
  values: readonly number[],
  verdict: Verdict = 'flat',
  slopePerHour = 0,
  limit: number | null = null,
) {
  const points = values.map((value, i) => ({ atMs: i * 1000, value }))
  const trend = {
    ...{ verdict, slopePerHour, lowPerHour: 0.8 * slopePerHour, highPerHour: 1.25 * slopePerHour },
    ...{ confidence: verdict === 'leak' ? 0.9999 : 0.5, level: values.at(-1)!, floors: values.length },
  }
  return rowOf(id, points, limit, trend)
}

const rising = Array.from({ length: 40 }, (_, i) => 100e6 + i * 1e6)
const flat = rising.map(() => 12)

const subject = (news: Partial<Subject> = {}): Subject => ({
  ...{ name: 'process 4242', command: 'node server.js', nodeVersion: 'v22.1.0', looks: 40, spanMs: 39_000 },
  ...{
    rows: [
      row('rss', rising, 'leak', 100e6, 512e6),
      row('threads', flat),
      row(
        'gc',
        flat.map(() => 0.031),
      ),
    ],
  },
  ...{ notes: [], ended: undefined },
  ...news,
})

const picture = (news: Partial<Picture> = {}): Picture => ({
  ...{ subjects: [subject()], selected: 0, everyMs: 1000, order: 'listed', scroll: 0, isPaused: false },
  ...{ busy: undefined, sampling: undefined, messages: [], report: undefined, hasKeys: true },
  ...news,
})

const lines = (news: Partial<Picture> = {}, columns = 80, rows = 24) =>
  pictureLines(picture(news), { columns, rows }, plain).map((line) => line.trimEnd())

describe('the picture', () => {
  test('has each value with its series, its trend, and when it will be at its limit', () => {
    const shown = lines()
    expect(shown.slice(0, 7)).toEqual([
      'process 4242  Node v22.1.0, 40 looks in 39.0 s, each 1 s',
      'node server.js',
      'resident memory reaches its limit of 512 MB in 3 h 43 min (2 h 59 min to 4 h 39…',
      '                                              now     per hour  trend',
      'resident memory         ▁▁▂▂▃▄▄▄▅▅▆▇▇▇█    139 MB      +100 MB  leak 99.9 %',
      'threads                 ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁        12               flat',
      'garbage collection      ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁       3 %               flat',
    ])
    expect(shown).toHaveLength(24)
    expect(shown[23]).toBe('q quit  p pause  o order  s snapshot  c CPU  h heap  d diagnose  ↑↓')
  })

  test('is never larger than the screen', () => {
    const long = 'x'.repeat(500)
    const rows = ['rss', 'heap', 'threads', 'gc', 'code', 'native-heap'].map((id) => row(id, rising, 'leak', 1e6, 1e9))
    const crowded = {
      subjects: [1, 2, 3, 4].map(() => subject({ command: long, rows, notes: [long], ended: `${long} ${long}` })),
      messages: [long, 'and '.repeat(200)],
      busy: long,
    }
    for (const [columns, height] of [
      [1, 1],
      [2, 2],
      [20, 3],
      [50, 8],
      [80, 24],
      [300, 100],
    ] as const) {
      const shown = pictureLines(picture(crowded), { columns, rows: height }, plain)
      expect(shown.length).toBeLessThanOrEqual(height)
      for (const line of shown) expect(line.length).toBeLessThanOrEqual(columns)
    }
  })

  test('leaves out, in a narrow one, the plot, then the slope, then the trend', () => {
    const value = (columns: number) => lines({}, columns).find((line) => line.startsWith('resident memory  '))
    expect(value(70)).toBe('resident memory           139 MB      +100 MB  leak 99.9 %')
    expect(value(55)).toBe('resident memory           139 MB  leak 99.9 %')
    expect(value(34)).toBe('resident memory           139 MB')
  })

  test('does not judge before there is enough to judge', () => {
    const early = subject({ rows: [row('rss', rising.slice(0, 9), 'undecided', 5e6)] })
    expect(lines({ subjects: [early] })[3]).toMatch(/ 108 MB +too early$/)
  })

  test('has first what is largest, or grows most, if one likes', () => {
    const rows = [row('heap', [5e6]), row('rss', rising, 'leak', 1e6), row('native-heap', rising, 'leak', 9e6)]
    const names = (order: Picture['order']) =>
      lines({ order, subjects: [subject({ rows })] })
        .slice(3, 6)
        .map((line) => line.slice(0, 12).trim())
    expect(names('listed')).toEqual(['JS heap in u', 'resident mem', 'native heap'])
    expect(names('size')).toEqual(['resident mem', 'native heap', 'JS heap in u'])
    expect(names('growth')).toEqual(['native heap', 'resident mem', 'JS heap in u'])
  })

  test('has what a command has found in place of the rows, and its keys', () => {
    const report = Array.from({ length: 50 }, (_, i) => `line ${i}`)
    const shown = lines({ report, scroll: 3 })
    expect(shown).toContain('line 3')
    expect(shown).not.toContain('line 2')
    expect(shown[23]).toBe('esc back  ↑↓ scroll  q quit')
  })

  test('shows what a process calls itself, and obeys none of it', () => {
    const evil = 'a\x1b[2J\x07\u202e\r\nb'
    const shown = lines({ subjects: [subject({ command: evil, nodeVersion: evil, ended: evil, notes: [evil] })] })
    expect(shown.join('')).not.toMatch(/[\x00-\x1f\u202e]/)
    expect(shown[1]).toBe('a\\u001b[2J\\u0007\\u202e\\r\\nb')
  })

  test('has a line for each of several processes, and those that there is room for', () => {
    const subjects = Array.from({ length: 30 }, (_, i) => subject({ name: `process ${i}` }))
    const shown = lines({ subjects, selected: 20 })
    expect(shown).toContainEqual(expect.stringMatching(/^> process 20 +139 MB +12 +3 %/))
    expect(shown).toContainEqual(expect.stringMatching(/^ {2}… and \d\d more \(tab\)$/))
    expect(shown).toContainEqual(expect.stringMatching(/^process 20 {2}Node/))
    expect(shown).toContainEqual(expect.stringMatching(/^resident memory {2}/))
  })
})

describe('keys', () => {
  test('come one by one, however many at once', () => {
    expect(keysIn('sq\x1b[A\x1b[5~\x1bOB\x03é\x1b')).toEqual([
      's',
      'q',
      '\x1b[A',
      '\x1b[5~',
      '\x1bOB',
      '\x03',
      'é',
      '\x1b',
    ])
  })
})
