import { expect, test } from 'vitest'
import { type Drawing, findLeaksIn, MODULE, times } from '../support/drawing.ts'

const CUTTING = 'const headers = new Map()\nfunction keep(block) {\n  headers.set(n++, block.subarray(0, 40))\n}\n'
const COPYING =
  'const headers = new Map()\nfunction keep(block) {\n  headers.set(n++, Buffer.from(block.subarray(0, 40)))\n}\n'

/** Views, one of each buffer, or all of one. */
function headers(d: Drawing, count: number, shared = false): void {
  const slab = shared ? d.buffer('slab', 65_536) : 0
  const views = times(count, (i) => d.view(`view ${i}`, shared ? slab : d.buffer(`buffer ${i}`, 65_536)))
  d.variable('headers', d.map('headers', views))
}

test('one view of each large buffer, and a line that cuts views', async () => {
  const [finding, ...others] = await findLeaksIn([(d, step) => headers(d, 10 * (step + 1))], CUTTING)
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'buffer-slab-retention',
    culprit: { url: MODULE, line: 3 },
    evidence: { keptIn: 'headers', views: 20, buffers: 20, bufferBytesEach: 65_536, viewsPerBuffer: 1 },
  })
})

test('whole buffers, which nothing cuts, are memory outside the heap like any other', async () => {
  for (const source of ['', COPYING, 'const headers = new Map()\n']) {
    const [finding] = await findLeaksIn([(d, step) => headers(d, 10 * (step + 1))], source)
    expect(finding?.pattern).toBe('off-heap-growth')
  }
})

test('what is cut is kept if its name, or the function that returns it, is put there', async () => {
  const kept = [
    'function keep(block) {\n  const head = block.subarray(0, 40)\n  note()\n  headers.set(n++, head)\n}\n',
    'function headOf(block) {\n  return block.subarray(0, 40)\n}\nfunction keep(block) { headers.set(n++, headOf(block)) }\n',
  ]
  for (const source of kept) {
    const [finding] = await findLeaksIn([(d, step) => headers(d, 10 * (step + 1))], source)
    expect(finding).toMatchObject({ pattern: 'buffer-slab-retention', culprit: { line: 2 } })
  }
})

test('what is cut out of what is kept, or handed out, is another matter', async () => {
  const others = [
    'function keep(block) {\n  headers.set(n++, block)\n  return block.subarray(0, 40)\n}\n',
    'function cut(n) {\n  const part = headers.get(n).subarray(0, 40)\n  headers.set(n, fresh())\n  return part\n}\n',
  ]
  for (const source of others) {
    const [finding] = await findLeaksIn([(d, step) => headers(d, 10 * (step + 1))], source)
    expect(finding?.pattern).toBe('off-heap-growth')
  }
})

test('a process that is asked knows better than its source', async () => {
  const sketches = [(d: Drawing, step: number) => headers(d, 10 * (step + 1))]
  const asked = { byteOffset: 0, bufferByteLength: 65_536 }
  const [whole] = await findLeaksIn(sketches, CUTTING, { ...asked, byteLength: 65_536 })
  expect(whole?.pattern).toBe('off-heap-growth')
  const [part] = await findLeaksIn(sketches, '', { ...asked, byteLength: 40 })
  expect(part).toMatchObject({ pattern: 'buffer-slab-retention', evidence: { viewBytesEach: 40, viewsAsked: 5 } })
})

test('a slab that was there before is not kept by what is cut from it', async () => {
  const [finding] = await findLeaksIn([(d, step) => headers(d, 100 * (step + 1), true)], CUTTING)
  expect(finding?.pattern).toBe('growing-collection')
})
