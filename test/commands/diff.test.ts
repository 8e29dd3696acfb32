// `leakscope diff` as a user runs it.

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { ReportSchema } from '../../src/findings/report.ts'
import { serviceHeap } from '../support/service.ts'
import { NOBODY, nobodyMayRun, runCli, temporaryFolder } from '../support/target.ts'

let cwd: string
const range = (to: number) => Array.from({ length: to }, (_, i) => i)

beforeAll(() => {
  cwd = temporaryFolder()
  const write = (name: string, text: string) => writeFileSync(join(cwd, name), text)
  write('a', serviceHeap({ logs: 5, sessions: range(2) }))
  write('b', serviceHeap({ logs: 50, sessions: range(12) }))
  write('c', serviceHeap({ logs: 90, sessions: range(12) }))
  write('other', serviceHeap({ logs: 50, pid: 99, idShift: 40 }))
  write('cut', serviceHeap({ logs: 50 }).slice(0, -200))
  write('empty', '')
  write('text', 'hello\n')
  mkdirSync(join(cwd, 'folder'))
})

const diff = (...args: string[]) => runCli(['diff', ...args], { cwd })

describe('leakscope diff', () => {
  test('tells what grew, what holds it, and the classes', async () => {
    const { code, stdout, stderr } = await diff('a', 'b')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/1 +\+[\d.]+ [KM]?B +45 new \(string\)/)
    expect(stdout).toContain(`(GC root) → module /app/service.mjs → context variable 'lines' → Array[50] → [5]`)
    expect(stdout).toMatch(/Session +\S*service\.mjs:5:3 +12 +\+10/)
    expect(stdout).not.toContain('\x1b')
  })

  test('shows with three files only what grew in each step', async () => {
    const { stdout } = await diff('a', 'b', 'c')
    expect(stdout).toContain('45 new (string)'.replace('45', '85'))
    expect(stdout).toContain('(+45, +40)')
    expect(stdout).not.toContain('new Session')
  })

  test('prints one Report, and nothing else, as JSON', async () => {
    const { stdout, stderr } = await diff('a', 'b', '--json', '--filter', 'session')
    expect(stderr).toBe('')
    const report = ReportSchema.parse(JSON.parse(stdout))
    expect(report).toMatchObject({ schemaVersion: 1, command: 'diff', target: null, process: null })
    expect(report.growth!.constructors.map(({ name }) => name)).toEqual(['Session'])
    expect(report.growth!.clusters[0]).toMatchObject({ constructor: 'Session', count: 10, isolate: 'main' })
    expect(report.growth!.clusters[0]!.retainingPath.at(-1)).toMatchObject({ node: 'Session', nodeId: 300_009 })
  })

  test('sorts and limits', async () => {
    const { stdout } = await diff('a', 'b', '--sort', 'count', '--limit', '1')
    expect(stdout).toMatch(/Classes that changed:\n.+\n +\(string\) .+\n +… and \d+ more \(--limit\)/)
  })

  test('colours when told to, and never lets a name from the heap do so', async () => {
    const { stdout } = await runCli(['diff', 'a', 'b'], { cwd, env: { ...process.env, FORCE_COLOR: '1' } })
    expect(stdout).toContain('\x1b[')
    const evil = serviceHeap({ logs: 9 }).replaceAll('line ', '\\u001b]0;owned\\u0007')
    writeFileSync(join(cwd, 'evil'), evil)
    const result = await diff('a', 'evil', '--across-processes')
    expect(result.code).toBe(0)
    expect(result.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/)
    expect(result.stdout).toContain('\\u001b]0;owned')
  })

  test.each<[args: string[], code: number, says: RegExp]>([
    [['a', 'missing'], 3, /missing: no such file/],
    [['a', 'folder'], 3, /folder is a directory/],
    [['empty', 'a'], 3, /empty is empty/],
    [['a', 'text'], 3, /text: byte 0: expected '\{', found 'hello/],
    [['a', 'cut'], 3, /cut: ends at byte \d+, where .+ was expected\n.+cut off/],
    [['a', 'other'], 3, /a is of process 4242 and other of process 99.+\n.+--across-processes/],
    [['a'], 2, /missing required argument 'after'/],
    [['a', 'b', '--frobnicate'], 2, /unknown option '--frobnicate'/],
    [['a', 'b', '--limit', 'NaN'], 2, /--limit takes a whole number from 1, not 'NaN'/],
    [['a', 'b', '--limit', '0'], 2, /--limit/],
    [['a', 'b', '--limit', '-5'], 2, /--limit/],
    [['a', 'b', '--sort', 'colour'], 2, /--sort.+retained, shallow, count/],
    [['a', 'b', '--filter', ''], 2, /--filter takes/],
  ])('%j ends with %i and says why', async (args, code, says) => {
    const result = await diff(...args)
    expect(result.stderr).toMatch(says)
    expect(result).toMatchObject({ code, stdout: '' })
  })

  test.runIf(nobodyMayRun)('says so when it may not read a file', async () => {
    const folder = temporaryFolder()
    chmodSync(folder, 0o755)
    writeFileSync(join(folder, 'private'), serviceHeap({}), { mode: 0o600 })
    const result = await runCli(['diff', 'private', 'private'], { cwd: folder, ...NOBODY })
    expect(result).toMatchObject({ code: 3, stderr: expect.stringMatching(/private: permission denied/) })
  })
})
