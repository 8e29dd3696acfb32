import { expect, test } from 'vitest'
import { findLeaksIn, times } from '../support/drawing.ts'

test('a class may have any name, also one that all objects have something by', async () => {
  for (const className of ['constructor', '__proto__', 'toString']) {
    const [finding] = await findLeaksIn([
      (d, step) => {
        const jobs = times(50 * (step + 1), (i) => d.object(`job ${i}`, 'Job', { text: d.text(`t ${i}`, 't', 200) }))
        d.variable('jobs', d.map('jobs', jobs, className))
      },
    ])
    expect(finding).toMatchObject({ pattern: 'growing-collection', evidence: { container: className } })
    expect(finding!.advice).toContain('Give jobs a bound')
  }
})
