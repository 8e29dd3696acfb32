// Texts of detectors as people read them: places and names as the source has them.

import { expect, test } from 'vitest'
import { evidenceShown, placeMark, withNames, withPlaces } from '../../src/detectors/shown.ts'
import { createScriptSources } from '../../src/support/script-sources.ts'
import { mapOf } from '../support/compiled.ts'

const RAN = 'first();second()'
const SOURCE = 'first()\n\n  second()\n'
const URL = 'file:///app/dist/main.js'
const TOKENS = [
  { ran: 'first', source: 'first' },
  { ran: 'second', source: 'second' },
]
const map = mapOf(RAN, [{ url: '../src/main.ts', text: SOURCE, carried: true }], TOKENS)
const sources = createScriptSources({ scripts: [{ url: URL, length: RAN.length, text: RAN, map }] })
const second = { url: URL, line: 1, column: 9 }

test('a place in a text is told in the source, in the form that was asked for', () => {
  const text = `put at ${placeMark(second, 'place')}, ${placeMark(second, 'line')}: ${placeMark(second, 'text')}`
  expect(withPlaces(text, sources)).toBe('put at main.ts:3, line 3: second()')
})

test('a place that has no line is told by its file', () => {
  const nowhere = { url: URL, line: 7 }
  const text = `at ${placeMark(nowhere, 'place')}, at ${placeMark(nowhere, 'line')}: ${placeMark(nowhere, 'text')}`
  expect(withPlaces(text, createScriptSources({ readFile: () => RAN }))).toBe('at main.js, at main.js: …')
})

test('names are told as in the source, all at once, and nothing else that reads alike', () => {
  const names = new Map([
    ['e', 'cache'],
    ['t', 'e'],
    ['$', 'bus'],
    ['s', 'store'],
    ['a', 'all'],
  ])
  expect(withNames("e gained 20 t: don't take 't' out of this.e, 3 s at $.t or s, a bound", names)).toBe(
    "cache gained 20 e: don't take 't' out of this.e, 3 s at bus.t or store, a bound",
  )
  expect(withNames(`e at ${placeMark({ ...second, url: 'file:///e/t.js' }, 'place')}`, names)).toContain('/e/t.js')
})

test('evidence is told so too: texts in it, and what has a place', () => {
  const evidence = {
    container: 'e',
    counts: [1, 2],
    cutAt: { url: URL, line: 1, column: 9, text: RAN },
    at: [placeMark(second, 'place')],
    nothing: null,
  }
  const say = (text: string) => withPlaces(withNames(text, new Map([['e', 'cache']])), sources)
  expect(evidenceShown(evidence, sources, say)).toEqual({
    container: 'cache',
    counts: [1, 2],
    cutAt: { url: 'file:///app/src/main.ts', line: 3, column: 3, text: 'second()' },
    at: ['main.ts:3'],
    nothing: null,
  })
})
