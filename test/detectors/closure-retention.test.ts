import { expect, test } from 'vitest'
import { type Drawing, findLeaksIn, MODULE, times } from '../support/drawing.ts'

const rows = (d: Drawing, i: number, bytes = 3000): number =>
  d.object(`rows ${i}`, 'Rows', { text: d.text(`rows text ${i}`, 'x', bytes) })
const summary = (d: Drawing, i: number, bytes = 3000): number =>
  d.closure(`summary ${i}`, 'summary', d.context(`scope ${i}`, { rows: rows(d, i, bytes), file: d.number(i) }))

const kept = (name: string, bytes?: number) => (d: Drawing, step: number) => {
  const functions = times(40 * (step + 1), (i) => summary(d, i, bytes))
  d.variable(name, d.array('kept', functions))
}

test('functions that are kept, with a variable of their scope that they do not use', async () => {
  const source = `${'\n'.repeat(9)}    () => \`\${file} is done\`\n  const total = rows.length\n`
  const [finding, ...others] = await findLeaksIn([kept('finished')], source)
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'closure-retention',
    culprit: { url: MODULE, line: 10, function: 'summary' },
    evidence: { kind: 'scopes', keptIn: 'finished', functions: 80, variable: 'rows', usesVariable: false },
  })
})

test('functions that use what their scope keeps are too many, and no more', async () => {
  const source = `${'\n'.repeat(9)}    () => {\n  return rows.length }`
  expect((await findLeaksIn([kept('finished')], source)).map(({ pattern }) => pattern)).toEqual(['growing-collection'])
})

test('states each of which holds the one before by a function', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      let current = d.object('state 0', 'Object')
      for (let i = 1; i <= 40 * (step + 1); i++) {
        const rollBack = d.closure(`back ${i}`, 'rollBack', d.context(`scope ${i}`, { before: current }))
        current = d.object(`state ${i}`, 'Object', { rollBack, flags: rows(d, i) })
      }
      d.variable('current', current)
    },
  ])
  expect(finding).toMatchObject({
    pattern: 'closure-retention',
    evidence: { kind: 'chain', function: 'rollBack', variable: 'before', generations: 80 },
  })
})

test('small functions, and those that wait to be run, are not this', async () => {
  expect((await findLeaksIn([kept('finished', 100)]))[0]!.pattern).toBe('growing-collection')
  expect((await findLeaksIn([kept('jobQueue')]))[0]?.pattern).toBe('growing-collection')
})

test('objects of which a function is only a part are a collection', async () => {
  const [finding] = await findLeaksIn([
    (d, step) => {
      const objects = times(40 * (step + 1), (i) =>
        d.object(`object ${i}`, 'Import', { rows: rows(d, i), summary: d.closure(`summary ${i}`, 'summary') }),
      )
      d.variable('imports', d.map('imports', objects))
    },
  ])
  expect(finding!.pattern).toBe('growing-collection')
})

test('a comment, a string, a property and a variable of its own that are called so are no use of it', async () => {
  const source = `keep(${'\n'.repeat(9)}    () => { // rows
    const { rows: many } = file
    return ['rows', many, file.rows].map((rows) => rows)
  })\n`
  const [finding] = await findLeaksIn([kept('finished')], source)
  expect(finding).toMatchObject({ pattern: 'closure-retention', evidence: { usesVariable: false } })
})
