// Formats, files and baselines, as a user has them from `leakscope diff`.

import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { ReportSchema } from '../../../src/findings/report.ts'
import { serviceHeap } from '../../support/service.ts'
import { filesIn, runCli, temporaryFolder } from '../../support/target.ts'

let cwd: string
const FILES = ['a', 'b', 'c']

beforeAll(() => {
  cwd = temporaryFolder()
  for (const [i, name] of FILES.entries()) {
    const file = join(cwd, name)
    writeFileSync(file, serviceHeap({ logs: 100 + 400 * i }))
  }
  mkdirSync(join(cwd, 'folder'))
})

const diff = (args: string[], env: NodeJS.ProcessEnv = {}) =>
  runCli(['diff', ...FILES, ...args], { cwd, env: { ...process.env, GITHUB_ACTIONS: '', ...env } })
const read = (name: string) => readFileSync(join(cwd, name), 'utf8')

describe('--format', () => {
  test('writes several formats to files, and the usual to standard output', async () => {
    const { code, stdout, stderr } = await diff([
      '--format',
      'sarif=out.sarif',
      '--format',
      'junit=out.xml',
      '--format',
      'json=out.json',
    ])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('1 leak found')
    expect(JSON.parse(read('out.sarif')).runs[0].results).toHaveLength(1)
    expect(read('out.xml')).toContain('<failure message="')
    expect(ReportSchema.parse(JSON.parse(read('out.json'))).findings).toHaveLength(1)
    expect(statSync(join(cwd, 'out.xml')).mode & 0o077).toBe(0)
    expect(filesIn(cwd).filter((name) => name.includes('partial'))).toEqual([])
  })

  test('gives one of them to standard output', async () => {
    expect(JSON.parse((await diff(['--format', 'sarif'])).stdout).version).toBe('2.1.0')
    expect((await diff(['--format', 'markdown'])).stdout).toMatch(/^## leakscope diff\n\n\*\*1 leak found\*\*/)
  })

  test.each<[args: string[], code: number, says: RegExp]>([
    [['--format', 'yaml'], 2, /there is no format called 'yaml'\n.+sarif/],
    [['--format', 'sarif='], 2, /--format sarif= lacks the name of a file/],
    [['--format', 'sarif', '--json'], 2, /only one format can go to standard output, not sarif and json/],
    [['--format', 'sarif=x', '--format', 'json=x'], 2, /two formats cannot go to the same file, x/],
    [['--format', 'json=none/x'], 3, /the folder none does not exist/],
    [['--format', 'json=folder'], 3, /folder is a folder/],
  ])('%j ends with %i', async (args, code, says) => {
    const result = await diff(args)
    expect(result.stderr).toMatch(says)
    expect(result.code).toBe(code)
    expect(result.stdout).toBe('')
  })
})

describe('on GitHub Actions', () => {
  test('annotations and the step summary come by themselves', async () => {
    const { stdout, stderr } = await diff(['--json'], {
      GITHUB_ACTIONS: 'true',
      GITHUB_STEP_SUMMARY: join(cwd, 'summary.md'),
    })
    expect(ReportSchema.parse(JSON.parse(stdout)).findings).toHaveLength(1)
    expect(stderr).toMatch(/^::error .*title=growing-log-array::/)
    expect(read('summary.md')).toContain('## leakscope diff')
  })
})

describe('--baseline', () => {
  test('makes what it knows no reason to fail, and tells what is fixed', async () => {
    expect((await diff(['--fail-on', 'warning'])).code).toBe(1)
    const first = await diff(['--fail-on', 'warning', '--update-baseline'])
    expect(first.code).toBe(0)
    const [entry] = JSON.parse(read('leakscope.baseline.json')).findings
    expect(entry).toMatchObject({ pattern: 'growing-log-array', since: expect.stringMatching(/^\d{4}-\d\d-\d\d$/) })

    const again = await diff(['--fail-on', 'warning', '--baseline', 'leakscope.baseline.json'])
    expect(again.code).toBe(0)
    expect(again.stdout).toMatch(/By leakscope\.baseline\.json: 0 new, 1 known, 0 fixed\./)

    const other = { ...entry, fingerprint: 'aaaaaaaaaaaaaaaa' }
    const stale = { fingerprint: 'bbbbbbbbbbbbbbbb', reason: 'of old', until: '2020-01-01' }
    writeFileSync(
      join(cwd, 'other.json'),
      JSON.stringify({ schemaVersion: 1, findings: [other], suppressions: [stale] }),
    )
    const third = await diff(['--fail-on', 'warning', '--baseline', 'other.json'])
    expect(third.code).toBe(1)
    expect(third.stdout).toMatch(
      /1 new, 0 known, 1 fixed\.\nfixed: aaaaaaaaaaaaaaaa .+\nstale suppression: bbbb.+\(of old\): expired on 2020-01-01/,
    )
    rmSync(join(cwd, 'leakscope.baseline.json'))
  })

  test('is refused when it is not there, or is none', async () => {
    expect((await diff(['--baseline', 'missing.json'])).stderr).toMatch(
      /missing\.json: no such file\n.+--update-baseline/,
    )
    writeFileSync(join(cwd, 'bad.json'), '{"schemaVersion":1,"findings":[{"fingerprint":"x"}]}')
    const { code, stderr } = await diff(['--baseline', 'bad.json'])
    expect(stderr).toMatch(/bad\.json is no baseline: findings\.0\.fingerprint: a fingerprint is 16 hex digits/)
    expect(code).toBe(3)
  })
})
