// `leakscope/vitest`, `leakscope/jest` and `leakscope/measure` from a package that has leakscope installed, in the runners themselves.

import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { createContext, Script } from 'node:vm'
import { beforeAll, describe, expect, test } from 'vitest'
import type { toLeak } from '../../src/measure/index.ts'
import { start, temporaryFolder } from '../support/target.ts'

const root = resolve(import.meta.dirname, '../..')
let cwd: string

/** TypeScript, of which the runner makes something with other lines. */
const SAMPLE = `import { expect, test } from 'vitest'

interface Thing {
  readonly call: number
  readonly text: string
}

const kept: Thing[] = []

function leak(call: number): void {
  kept.push({ call, text: \`item \${call}\` })
}

test('it leaks', async () => {
  await expect(leak).not.toLeak({ iterations: 20_000 })
})

test('it is healthy', async () => {
  const cache = new Map<number, string>()
  await expect((call: number) => cache.set(call % 500, JSON.stringify({ call }))).not.toLeak({ iterations: 20_000 })
})

test('it throws', async () => {
  await expect(() => {
    throw new TypeError('as it is')
  }).not.toLeak()
})
`

const NODE_TEST = `import assert from 'node:assert/strict'
import test from 'node:test'
import { measureLeak } from 'leakscope/measure'

const kept = []

test('it leaks', async () => {
  const { verdict, text, findings } = await measureLeak(
    (call) => {
      kept.push({ call, text: 'item ' + call })
    },
    { iterations: 20_000 },
  )
  assert.equal(verdict, 'growing', text)
  assert.match(text, /node\\.test\\.mjs:10:/)
  assert.equal(findings.length, 1)
})
`

beforeAll(() => {
  cwd = temporaryFolder()
  mkdirSync(join(cwd, 'node_modules'))
  symlinkSync(root, join(cwd, 'node_modules/leakscope'))
  symlinkSync(join(root, 'node_modules/vitest'), join(cwd, 'node_modules/vitest'))
  const write = (name: string, text: string) => writeFileSync(join(cwd, name), text)
  write('package.json', '{"type":"module"}')
  write(
    'vitest.config.mjs',
    `export default { test: { setupFiles: ['leakscope/vitest'], testTimeout: 120_000, include: ['sample.test.ts'] } }`,
  )
  write('sample.test.ts', SAMPLE)
  write('node.test.mjs', NODE_TEST)
})

async function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  // This very test runs in Vitest, which is nothing that another one should know.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VITEST|VITE_|NODE_)/.test(name)))
  const child = start(process.execPath, args, { cwd, env: { ...env, NO_COLOR: '1', GITHUB_ACTIONS: '' } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      output += part
    })
  }
  const code = await new Promise<number | null>((done) => child.on('close', done))
  return { code, output }
}

describe.each(['forks', 'threads'])('in Vitest, with %s', (pool) => {
  test('expect has toLeak, which fails by the line of the source', async () => {
    const { code, output } = await run('node_modules/vitest/vitest.mjs', 'run', '--pool', pool)
    expect(output).toMatch(
      /Failed: memory grows with the work\n[\s\S]+sample\.test\.ts:1[01]:\d+(?: in leak)?\n[\s\S]+> 1[01] │/,
    )
    expect(output).toContain('TypeError: as it is')
    expect(output).toMatch(/Tests {2}2 failed \| 1 passed/)
    expect(code).toBe(1)
  })
})

test('node:test measures', async () => {
  const { code, output } = await run('--test', 'node.test.mjs')
  expect(output).toMatch(/pass 1\n/)
  expect(code).toBe(0)
})

describe('in a context as Jest makes it, which has no import() of its own', () => {
  /** Loads a module as Jest does: its text as a script, called with a `require` of Jest's own. */
  function load(file: string, globals: object): Record<string, unknown> {
    const context = createContext(globals)
    const loaded = (path: string): Record<string, unknown> => {
      const module = { exports: {} as Record<string, unknown> }
      const text = `(function (module, exports, require, __dirname) {${readFileSync(path, 'utf8')}\n})`
      const real = createRequire(path)
      const require = (name: string) => (name.startsWith('.') ? loaded(real.resolve(name)) : real(name))
      new Script(text, { filename: path }).runInContext(context)(module, module.exports, require, resolve(path, '..'))
      return module.exports
    }
    return loaded(file)
  }

  test('the matcher is registered with its expect, and works', async () => {
    let matcher: typeof toLeak | undefined
    const extend = (matchers: { readonly toLeak: typeof toLeak }) => {
      matcher = matchers.toLeak
    }
    load(join(root, 'dist/measure/jest.cjs'), { expect: { extend } })
    const kept: object[] = []
    const leak = (call: number) => void kept.push({ call, text: `item ${call}` })
    const result = await matcher!.call({ isNot: true }, leak, { iterations: 20_000, diagnose: false })
    expect(result.pass).toBe(true)
    expect(result.message()).toMatch(/^Failed: memory grows with the work\n/)
  })
})
