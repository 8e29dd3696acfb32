import { expect, test } from 'vitest'
import { type Drawing, findLeaksIn, MODULE, times } from '../support/drawing.ts'

const imported = (url: (i: number) => string) => (d: Drawing, step: number) => {
  const jobs = times(30 * (step + 1), (i) => [
    url(i),
    d.object(`job ${i}`, 'ModuleJob', { namespace: d.text(`code ${i}`, 'x', 900) }),
  ])
  d.variable('loadCache', d.dictionary('cache', 'LoadCache', Object.fromEntries(jobs)))
}

test('one file that is imported under another query each time', async () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the source of a program.
  const source = 'let rules = await import("./rules.mjs")\nrules = await import(`./rules.mjs?at=${now}`)\n'
  const [finding, ...others] = await findLeaksIn([imported((i) => `file:///app/rules.mjs?at=${i}`)], source)
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    pattern: 'duplicate-modules',
    title: 'rules.mjs was loaded 60 times more, 3.8 more each second; no copy is ever unloaded',
    culprit: { url: MODULE, line: 2 },
    evidence: { loader: 'import()', module: 'file:///app/rules.mjs', copies: 60 },
  })
})

test('ever new files that are loaded as modules', async () => {
  const [finding] = await findLeaksIn([imported((i) => `file:///app/plugins/${i}.mjs`)])
  expect(finding).toMatchObject({ pattern: 'duplicate-modules', evidence: { module: null } })
  expect(finding!.title).toMatch(/files more were loaded as modules, such as \d+\.mjs/)
})

const required = (file: (i: number) => string) => (d: Drawing, step: number) => {
  const children = times(30 * (step + 1), (i) =>
    d.object(`module ${i}`, 'Module', {
      filename: d.text(`file ${i}`, file(i)),
      exports: d.text(`exports ${i}`, 'x', 900),
    }),
  )
  d.variable('module', d.object('main module', 'Module', { children: d.array('children', children) }))
}

test('one file that is required again after it was taken out of the cache', async () => {
  const source = "let t = require('./tariff.cjs')\ndelete require.cache[name]\nt = require('./tariff.cjs')\n"
  const [finding] = await findLeaksIn([required(() => '/app/tariff.cjs')], source)
  expect(finding).toMatchObject({
    pattern: 'duplicate-modules',
    culprit: { line: 3 },
    evidence: { loader: 'require()', module: '/app/tariff.cjs', copies: 60 },
  })
})

test('ever new files that are required', async () => {
  const [finding] = await findLeaksIn([required((i) => `/app/lib/${i}.cjs`)])
  expect(finding).toMatchObject({ pattern: 'duplicate-modules', evidence: { module: null } })
})

test('what is loaded under a name that was put together before, and by a require of its own', async () => {
  const imports = [
    '// await import("./rules.mjs?at=" + now)',
    'async function load() {',
    "  const name = './rules.mjs?at=' + now",
    '  return import(',
    '    name)',
    '}',
  ].join('\n')
  const [first] = await findLeaksIn([imported((i) => `file:///app/rules.mjs?at=${i}`)], imports)
  expect(first).toMatchObject({ pattern: 'duplicate-modules', culprit: { line: 4 } })
  const requires = [
    "import { createRequire } from 'node:module'",
    'const load = createRequire(import.meta.url)',
    "load('./tariff.cjs')",
    'delete load.cache[name]',
    "load('./tariff.cjs')",
  ].join('\n')
  const [second] = await findLeaksIn([required(() => '/app/tariff.cjs')], requires)
  expect(second).toMatchObject({ pattern: 'duplicate-modules', culprit: { line: 5 } })
})
