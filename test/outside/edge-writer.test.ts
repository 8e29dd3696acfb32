// Edges come out as they were put in, wherever they have waited.

import { describe, expect, test, vi } from 'vitest'
import { EdgeWriter } from '../../src/outside/edge-writer.ts'
import { NumberNodes } from '../../src/outside/numbers.ts'
import { StringColumn } from '../../src/outside/string-column.ts'
import { EdgeType } from '../../src/snapshot/meta.ts'
import { edgeTarget, edgeType } from '../../src/snapshot/snapshot.ts'

const PIECE = 16
const COUNT = 100
/** The first node that is a number's, in the end. */
const FIRST_NUMBER = 1000

function written(writer: EdgeWriter) {
  const strings = new StringColumn()
  const name = strings.intern('name')
  const numbers = new NumberNodes(strings)
  for (let i = 0; i < COUNT; i++) {
    if (i % 3 === 0) writer.push(EdgeType.property, name, i)
    else if (i % 3 === 1) writer.push(EdgeType.element, 2 ** 31 + i, i)
    else writer.push(i % 2 === 0 ? EdgeType.internal : EdgeType.weak, writer.numberName(1000 * i), i)
  }
  for (const number of [7, -7]) writer.push(EdgeType.property, name, numbers.ofInteger(number))
  const [edges, names] = [new Uint32Array(writer.count), new Uint32Array(writer.count)]
  writer.moveTo(edges, names, strings, FIRST_NUMBER)
  const table = strings.finish()
  return Array.from(edges, (edge, i) => {
    const isNumbered = edgeType(edge) === EdgeType.element
    return { to: edgeTarget(edge), type: edgeType(edge), name: isNumbered ? names[i] : table.get(names[i]!) }
  })
}

const others = Array.from({ length: COUNT }, (_, i) => {
  if (i % 3 === 0) return { to: i, type: EdgeType.property, name: 'name' }
  if (i % 3 === 1) return { to: i, type: EdgeType.element, name: 2 ** 31 + i }
  return { to: i, type: i % 2 === 0 ? EdgeType.internal : EdgeType.weak, name: String(1000 * i) }
})
const expected = [
  ...others,
  { to: FIRST_NUMBER, type: EdgeType.property, name: 'name' },
  { to: FIRST_NUMBER + 1, type: EdgeType.property, name: 'name' },
]

describe('Edges that are collected', () => {
  test('in one piece come out as they were', () => {
    expect(written(new EdgeWriter())).toEqual(expected)
  })

  test('in many pieces, most of which wait on disk, come out as they were', () => {
    expect(written(new EdgeWriter(PIECE))).toEqual(expected)
  })

  test('stay in memory where no file can be written', () => {
    vi.stubEnv('TMPDIR', '/nowhere/at/all')
    expect(written(new EdgeWriter(PIECE))).toEqual(expected)
    vi.unstubAllEnvs()
  })

  test('are none', () => {
    const writer = new EdgeWriter(PIECE)
    writer.moveTo(new Uint32Array(0), new Uint32Array(0), new StringColumn(), 0)
    expect(writer.count).toBe(0)
  })
})
