import { expect, test } from 'vitest'
import { type Drawing, findLeaksIn, MODULE, times } from '../support/drawing.ts'

/** Pages of a cache, each with a buffer of so many bytes. */
function pages(d: Drawing, count: number, bytes: number): void {
  const made = times(count, (i) =>
    d.object(`page ${i}`, 'Object', { memory: d.view(`view ${i}`, d.buffer(`b ${i}`, bytes)) }),
  )
  d.variable('pages', d.array('pages', made))
}

const SOURCE =
  'const pages = []\nfunction next() {\n  const page = { memory: Buffer.alloc(65536) }\n  pages.push(page)\n}\n'

test('few objects with big buffers, and the line that allocates them', async () => {
  const [finding, ...others] = await findLeaksIn([(d, step) => pages(d, 5 * (step + 1), 65_536)], SOURCE)
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'off-heap-growth',
    culprit: { url: MODULE, line: 3 },
    evidence: { keptIn: 'pages', kind: 'ArrayBuffer', pieces: 10, bytesEach: 65_536, offHeapBytes: 655_360 },
  })
})

test('buffers that hardly matter beside the objects, or are small, are a collection like any other', async () => {
  const [small] = await findLeaksIn([(d, step) => pages(d, 200 * (step + 1), 500)], SOURCE)
  expect(small?.pattern).toBe('growing-collection')
  const beside = (d: Drawing, step: number): void => {
    const made = times(100 * (step + 1), (i) =>
      d.object(`row ${i}`, 'Row', { buffer: i % 50 ? undefined : d.buffer(`b ${i}`, 8192) }, { size: 2000 }),
    )
    d.variable('rows', d.array('rows', made))
  }
  const [mostlyHeap] = await findLeaksIn([beside])
  expect(mostlyHeap?.pattern).toBe('growing-collection')
})

test('a WebAssembly memory that grows and grows', async () => {
  const source = 'const memory = new WebAssembly.Memory({ initial: 1 })\nfunction allocate() {\n  memory.grow(9)\n}\n'
  const [finding, ...others] = await findLeaksIn(
    [(d, step) => void d.variable('memory', d.memory('memory', 1_000_000 + step * 600_000))],
    source,
  )
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'off-heap-growth',
    culprit: { url: MODULE, line: 3 },
    evidence: { kind: 'WebAssembly.Memory', bytesBefore: 1_000_000, offHeapBytes: 2_200_000 },
  })
})

test('a memory that has the size it needs is none', async () => {
  const sizes = [1_000_000, 2_000_000, 2_000_000]
  expect(await findLeaksIn([(d, step) => void d.variable('memory', d.memory('memory', sizes[step]!))])).toEqual([])
})

test('the line that allocates may be in a function, and what is put by another name', async () => {
  const source = [
    '// pages.push(Buffer.alloc(65536))',
    'const pages = []',
    'function blank(size) {',
    '  return Buffer',
    '    .alloc(size)',
    '}',
    'function next() {',
    '  const all = pages',
    '  all.push({ memory: blank(65536) })',
    '}',
  ].join('\n')
  const [finding] = await findLeaksIn([(d, step) => pages(d, 5 * (step + 1), 65_536)], source)
  expect(finding).toMatchObject({ pattern: 'off-heap-growth', culprit: { line: 5 } })
})
