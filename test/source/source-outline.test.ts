import { describe, expect, it } from 'vitest'
import { blockAt, blockFrom, offsetOf, outlineSource, placeOf } from '../../src/source/source-outline.ts'

/** The texts of the innermost block around a marker, from its parameters on. */
const around = (source: string, marker: string): string | undefined => {
  const outline = outlineSource(source)
  const block = blockAt(outline, source.indexOf(marker))
  return block && source.slice(block.start, block.end)
}

describe('the outline of a source', () => {
  it('blanks comments, strings, templates and regular expressions, and keeps lines and lengths', () => {
    const source = [
      'a(1) // b(',
      `c('d(', "e(\\"f(")`,
      '/* g(\n h( */ i(`j( $' + '{k(`l(`)} m(`)',
      'n = /o([/(]p/.test(q) / r(2) / s',
    ].join('\n')
    const { code } = outlineSource(source)
    expect(code.length).toBe(source.length)
    expect(code.split('\n').length).toBe(source.split('\n').length)
    expect([...code.matchAll(/([a-z]+)\(/g)].map(([, name]) => name)).toEqual(['a', 'c', 'i', 'k', 'test', 'r'])
  })

  it('knows where functions, methods, arrows and classes begin and end', () => {
    const source = `
function one(a, b = () => 1) { inOne }
const two = async (x) => { inTwo }
const three = x => inThree + 1, other = notInThree
class Four { field = inFour; method(y) { if (y) { inMethod } } get five() { return inFive } }
function typed(a: string, b?: number): Promise<void> { inTyped }
list.map((each) => each.filter(({ id }) => inArrow === id), notInArrow)
`
    expect(around(source, 'inOne')).toBe('(a, b = () => 1) { inOne }')
    expect(around(source, 'inTwo')).toBe('(x) => { inTwo }')
    expect(around(source, 'inThree +')).toBe('x => inThree + 1')
    expect(around(source, 'notInThree')).toBeUndefined()
    expect(around(source, 'inFour')).toMatch(/^class Four/)
    expect(around(source, 'inMethod')).toBe('(y) { if (y) { inMethod } }')
    expect(around(source, 'inFive')).toBe('() { return inFive }')
    expect(around(source, 'inTyped')).toMatch(/^\(a: string/)
    expect(around(source, 'inArrow')).toBe('({ id }) => inArrow === id')
    expect(around(source, 'notInArrow')).toBeUndefined()
  })

  it('ends an arrow without braces at the end of its line, unless the line goes on', () => {
    const source = 'const a = () => inA\nafter()\nconst b = () =>\n  first\n    .second()\nlast()'
    expect(around(source, 'after')).toBeUndefined()
    expect(around(source, 'second')).toMatch(/^\(\) =>\n {2}first/)
    expect(around(source, 'last')).toBeUndefined()
  })

  it('finds the function that V8 names the place of', () => {
    const source = 'const f = async (a) => {\n  body\n}\nclass K {\n  m(b) { other }\n}'
    const outline = outlineSource(source)
    // Of an async arrow function V8 gives the word, of a method its parameters, of a class without constructor the word.
    expect(blockFrom(outline, offsetOf(outline, 1, 11))?.end).toBe(source.indexOf('}') + 1)
    expect(blockFrom(outline, offsetOf(outline, 5, 4))?.kind).toBe('function')
    expect(blockFrom(outline, offsetOf(outline, 4, 1))?.kind).toBe('class')
    expect(placeOf(outline, source.indexOf('other'))).toEqual({ line: 5, column: 10 })
  })

  it('makes something of anything, in a time that grows with its length', () => {
    const hostile = [
      '('.repeat(200_000),
      `${'('.repeat(100_000)}${'}'.repeat(100_000)}`,
      '{'.repeat(200_000),
      '()=>'.repeat(100_000),
      'x=>{'.repeat(100_000),
      '/['.repeat(100_000),
      '`${'.repeat(100_000),
      `'${'\\'.repeat(200_000)}`,
      'class '.repeat(100_000),
      '\n=>\n'.repeat(50_000),
    ]
    for (const source of hostile) {
      const outline = outlineSource(source)
      expect(outline.code.length).toBe(source.length)
      blockAt(outline, source.length)
      blockFrom(outline, 1)
    }
  }, 60_000)
})
