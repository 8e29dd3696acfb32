import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { findConfig } from '../../src/config/find.ts'
import { type ReadConfig, readConfig } from '../../src/config/read.ts'
import type { LeakscopeError } from '../../src/errors.ts'
import { temporaryFolder } from '../support/target.ts'

let project: string
let inner: string
beforeEach(() => {
  project = temporaryFolder()
  inner = join(project, 'src', 'deep')
  mkdirSync(inner, { recursive: true })
})

const write = (name: string, text: string | object) =>
  writeFileSync(join(project, name), typeof text === 'string' ? text : JSON.stringify(text))
const { signal } = new AbortController()
async function read(cwd = project): Promise<ReadConfig | undefined> {
  const found = findConfig(cwd)
  return found && readConfig(found, cwd, signal)
}
const refusal = (cwd = project): Promise<LeakscopeError> =>
  read(cwd).then(
    () => Promise.reject(new Error('it was not refused')),
    (error: LeakscopeError) => error,
  )

describe('a config is found', () => {
  it.each([
    ['leakscope.config.json', '\ufeff{"check":{"limit":7}}'],
    ['leakscope.config.mjs', 'export default { check: { limit: 7 } }'],
    ['leakscope.config.js', 'module.exports = { check: { limit: 7 } }'],
    ['package.json', '{"name":"x","leakscope":{"check":{"limit":7}}}'],
  ])('as %s, from a folder below as well', async (name, text) => {
    write('package.json', {})
    write(name, text)
    expect((await read())!.config.check).toEqual({ limit: 7 })
    expect((await read(inner))!.config.check).toEqual({ limit: 7 })
    expect((await read(inner))!.folder).toBe(project)
  })

  it('not beyond the package, nor above a folder that is in none', async () => {
    write('leakscope.config.json', { check: {} })
    expect(findConfig(inner)).toBeUndefined()
    writeFileSync(join(inner, 'package.json'), '{}')
    write('package.json', {})
    expect(findConfig(inner)).toBeUndefined()
    expect(findConfig(join(project, 'src'))).toBeDefined()
  })

  it('but not when there are two in a folder', async () => {
    write('leakscope.config.json', {})
    write('package.json', { leakscope: {} })
    const { message, exitCode } = await refusal()
    expect(message).toMatch(
      /more than one config: .*leakscope\.config\.json and the key "leakscope" of .*package\.json/,
    )
    expect(exitCode).toBe(2)
  })
})

describe('names of files in a config', () => {
  it('are of its folder, and told from where one is', async () => {
    write('package.json', {})
    write('leakscope.config.json', {
      check: { script: 's.mjs', output: '../kept', baseline: '/b.json', format: ['terminal', 'sarif=out/a=b.sarif'] },
      snapshot: { redactKeyFile: 'key' },
    })
    const here = (await read())!
    expect(here.file).toBe('leakscope.config.json')
    expect(here.config).toMatchObject({
      check: { script: 's.mjs', baseline: '/b.json', format: ['terminal', 'sarif=out/a=b.sarif'] },
      snapshot: { redactKeyFile: 'key' },
    })
    expect(here.config.check!.output).toBe(join(project, '..', 'kept'))
    const below = (await read(inner))!
    expect(below.file).toBe(join(project, 'leakscope.config.json'))
    expect(below.config.check!.script).toBe(join(project, 's.mjs'))
    expect(below.config.check!.format).toEqual(['terminal', `sarif=${join(project, 'out/a=b.sarif')}`])
  })
})

describe('a config that is wrong', () => {
  it.each([
    [{ chekc: {} }, 'there is no chekc; the nearest is check'],
    [{ check: { maxGrowht: '1KB' } }, 'there is no check.maxGrowht; the nearest is check.maxGrowth'],
    [{ check: { 'max-duration': '1s' } }, 'there is no check.max-duration; the nearest is check.maxDuration'],
    [{ check: { sort: 'count' } }, 'there is no check.sort; it belongs in diff, as diff.sort'],
    [{ script: 's.mjs' }, 'there is no script; it belongs in check, as check.script'],
    [{ diff: { xyzzy: 1 } }, 'there is no diff.xyzzy; there are sort, index, limit, failOn, format, baseline, quiet'],
    [{ check: { program: 'node a.js' } }, 'check.program takes a list such as ["node", "server.js"], not "node a.js"'],
    [{ check: { program: [] } }, 'check.program takes a list such as ["node", "server.js"], not []'],
    [{ check: { program: ['node', 3] } }, 'check.program[1] takes a word of the command, not 3'],
    [{ check: { maxDuration: 60 } }, 'check.maxDuration takes a duration such as "10s" or "2min", not 60'],
    [{ check: { failOn: 'warn' } }, 'check.failOn takes "note", "warning", "error", "never", not "warn"'],
    [{ snapshot: { count: 0.5 } }, 'snapshot.count takes a whole number from 1, not 0.5'],
    [{ check: { load: 'x', script: 'y' } }, 'check.load and check.script cannot both do the work'],
    [{ check: 3 }, 'check takes an object with the options of leakscope check, not 3'],
    [[], 'it takes an object such as { "check": { "script": "scenario.mjs" } }, not []'],
  ])('%j is told what is wrong with it', async (config, says) => {
    write('leakscope.config.json', config)
    const { code, message } = await refusal()
    expect({ code, message }).toEqual({ code: 'usage-config', message: `leakscope.config.json: ${says}` })
  })

  it('in package.json is named so', async () => {
    write('package.json', { leakscope: { check: { limt: 1 } } })
    expect((await refusal()).message).toBe(
      'package.json, "leakscope": there is no check.limt; the nearest is check.limit',
    )
  })

  it('with many mistakes is told the first three', async () => {
    write('leakscope.config.json', { a: 1, b: 1, c: 1, d: 1, e: 1 })
    expect((await refusal()).message).toMatch(/^leakscope\.config\.json: (there is no [abc]; .+){3}; and 2 more$/)
  })

  it('that is no JSON is told so', async () => {
    write('leakscope.config.json', '{"check": {')
    expect((await refusal()).message).toMatch(/leakscope\.config\.json is no JSON: .+/)
  })
})
