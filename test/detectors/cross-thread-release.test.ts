import { expect, test } from 'vitest'
import { type Drawing, findLeaksIn, MODULE, times } from '../support/drawing.ts'

const SOURCE = `class BufferPool {
  acquire() {
    return this.free.pop() ?? new ArrayBuffer(16_384)
  }
  release(buffer) {
    this.free.push(buffer)
  }
}
function send(frame) {
  decoder.postMessage({ frame }, [frame])
}
`

const pool = (d: Drawing, buffers: number, bytes = 16_384): void => {
  const free = d.array(
    'free',
    times(buffers, (i) => d.buffer(`buffer ${i}`, bytes)),
  )
  d.variable('pool', d.object('pool', 'BufferPool', { free }, { url: MODULE }))
}

test("a worker's pool that gains while the owner's is empty", async () => {
  const [finding, ...others] = await findLeaksIn([(d) => pool(d, 0), (d, step) => pool(d, 20 * (step + 1))], SOURCE)
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'cross-thread-release',
    isolate: 'worker:1',
    culprit: { line: 6 },
    evidence: { owner: 'main', releasedBy: 'worker:1', buffers: 40, bytesEach: 16_384, allocatedAt: { line: 3 } },
  })
})

test('two workers that do so are one finding', async () => {
  const worker = (d: Drawing, step: number) => pool(d, 20 * (step + 1))
  const findings = await findLeaksIn([(d) => pool(d, 0), worker, worker], SOURCE)
  expect(findings).toHaveLength(1)
  expect(findings[0]).toMatchObject({ growth: { count: 80 }, explains: [{ count: 40 }] })
})

test('a pool that gains where nobody hands buffers over, or in one thread, is another matter', async () => {
  const worker = (d: Drawing, step: number) => pool(d, 20 * (step + 1))
  const without = SOURCE.replace(', [frame]', '')
  expect((await findLeaksIn([(d) => pool(d, 0), worker], without))[0]?.pattern).toBe('off-heap-growth')
  expect((await findLeaksIn([worker], SOURCE))[0]?.pattern).toBe('off-heap-growth')
})

test('where the owner has buffers to spare, it makes no new ones', async () => {
  const worker = (d: Drawing, step: number) => pool(d, 20 * (step + 1))
  const [finding] = await findLeaksIn([(d) => pool(d, 60), worker], SOURCE)
  expect(finding?.pattern).toBe('off-heap-growth')
})
