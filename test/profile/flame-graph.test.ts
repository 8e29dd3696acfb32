// What a flame graph draws, and that its page is whole and harmless; test/browser/flame-graph.mjs looks at it in a browser.

import { Script } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { flameGraph, flamePage } from '../../src/profile/flame-graph.ts'
import { overlay } from '../../src/profile/merge.ts'
import { folded } from '../support/profiles.ts'

const tree = folded('main (file:///app/a.js:1:1);work 60\nmain (file:///app/a.js:1:1);rest 30\nother 10\n')
const draw = (of = tree) => flameGraph(of, of.self[0]!, { title: 'a title', unit: 'count' })

describe('a flame graph', () => {
  test('has a frame for each call, the widest first, as wide as what it took with its callees', () => {
    const { functions, frames, leftOut, differential } = draw()
    expect({ leftOut, differential }).toEqual({ leftOut: 0, differential: false })
    expect(frames.map(([fn, depth, amount, , width]) => [functions[fn]![0], depth, amount, width])).toEqual([
      ['all', 0, 100, 100],
      ['main', 1, 90, 90],
      ['work', 2, 60, 60],
      ['rest', 2, 30, 30],
      ['other', 1, 10, 10],
    ])
    expect(functions[1]).toEqual(['main', '/app/a.js:1', ''])
  })

  test('shows what went and what came, each frame as wide as the larger of the two', () => {
    const both = overlay(folded('main;a 10\nmain;new 5\n'), folded('main;a 40\nmain;gone 20\n'))
    const { functions, frames, differential } = flameGraph(both.tree, both.current[0]!, {
      title: 'what changed',
      unit: 'count',
      base: both.base[0],
    })
    expect(differential).toBe(true)
    expect(frames.map(([fn, , amount, base, width]) => [functions[fn]![0], amount, base, width])).toEqual([
      ['all', 15, 60, 65],
      ['main', 15, 60, 65],
      ['a', 10, 40, 40],
      ['gone', 0, 20, 20],
      ['new', 5, 0, 5],
    ])
  })

  test('leaves out what is too narrow to be seen, and says how many frames that are', () => {
    const many = Array.from({ length: 30_000 }, (_, i) => `main;f${i} ${i + 1}`).join('\n')
    const { frames, leftOut } = draw(folded(many))
    expect(frames.length).toBeLessThanOrEqual(20_000)
    expect(frames.length + leftOut).toBe(30_002)
  })
})

describe('its page', () => {
  const evil = '</script><script>alert(1)</script>\u2028<img src=x>'
  const page = flamePage(
    flameGraph(folded(`${evil.replaceAll('\u2028', '')} 1\n`), new Float64Array([1]), { title: evil, unit: 'count' }),
  )

  test('has nothing of the program in it but as data', () => {
    expect(page.match(/<script/g)).toHaveLength(2)
    expect(page.match(/<\/script>/g)).toHaveLength(2)
    expect(page).not.toContain('<img')
    const data = /<script id="data" type="application\/json">(.*?)<\/script>/s.exec(page)![1]!
    expect(JSON.parse(data).title).toBe(evil)
    expect(JSON.parse(data).functions[1][0]).toBe(evil.replaceAll('\u2028', ''))
  })

  test('asks for nothing else, by its own policy', () => {
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"`)
    const markup = flamePage(draw()).replace('http://www.w3.org/2000/svg', '')
    expect(markup).not.toMatch(/https?:|\bsrc=|@import|url\(/)
  })

  test('has a script that parses', () => {
    const script = /<script>(.*?)<\/script>/s.exec(page)![1]!
    expect(() => new Script(script)).not.toThrow()
  })
})
