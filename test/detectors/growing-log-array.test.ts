import { expect, test } from 'vitest'
import { type Drawing, findLeaksIn, times } from '../support/drawing.ts'

const record = (d: Drawing, i: number, more: Record<string, number> = {}): number =>
  d.object(`record ${i}`, 'Object', {
    at: d.object(`at ${i}`, 'Date'),
    route: d.text(`route ${i}`, `/l/${i}`, 200),
    ...more,
  })

const patternOf = async (draw: (d: Drawing, step: number) => void): Promise<string | undefined> =>
  (await findLeaksIn([draw]))[0]?.pattern

test('records of one shape, and texts, that only ever come at the end', async () => {
  const [finding, ...others] = await findLeaksIn([
    (d, step) => {
      d.variable(
        'seen',
        d.array(
          'seen',
          times(50 * (step + 1), (i) => record(d, i)),
        ),
      )
    },
  ])
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'growing-log-array',
    evidence: { array: 'seen', elements: 150, elementsAdded: 100, of: 'records', fields: ['at', 'route'] },
  })
  expect(
    await patternOf((d, step) => {
      d.variable(
        'out',
        d.array(
          'out',
          times(80 * (step + 1), (i) => d.text(`line ${i}`, `line ${i}`, 200)),
        ),
      )
    }),
  ).toBe('growing-log-array')
})

test('records that hold something that lives are no log', async () => {
  expect(
    await patternOf((d, step) => {
      d.variable(
        'jobs',
        d.array(
          'jobs',
          times(50 * (step + 1), (i) => record(d, i, { cancel: d.closure(`c ${i}`, 'c') })),
        ),
      )
    }),
  ).toBe('growing-collection')
})

test('what comes in front, or in the middle, is no log', async () => {
  expect(
    await patternOf((d, step) => {
      d.variable('ranks', d.array('ranks', times(50 * (step + 1), (i) => record(d, i)).reverse()))
    }),
  ).toBe('growing-collection')
})

test('things of several kinds are no log, nor are those in a Map', async () => {
  expect(
    await patternOf((d, step) => {
      const things = times(50 * (step + 1), (i) =>
        i % 2 ? record(d, i) : d.object(`o ${i}`, 'Offer', { x: d.text(`x ${i}`, 'x', 200) }),
      )
      d.variable('things', d.array('things', things))
    }),
  ).toBe('growing-collection')
  expect(
    await patternOf((d, step) => {
      d.variable(
        'byId',
        d.map(
          'byId',
          times(50 * (step + 1), (i) => record(d, i)),
        ),
      )
    }),
  ).toBe('growing-collection')
})
