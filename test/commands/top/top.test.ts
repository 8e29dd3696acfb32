// `leakscope top` as a user runs it.

import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { Profile } from 'pprof-format'
import { beforeAll, describe, expect, test } from 'vitest'
import { cpuProfile } from '../../support/profiles.ts'
import { filesIn, runCli, temporaryFolder } from '../../support/target.ts'

let cwd: string
const top = (...args: (string | number)[]) => runCli(['top', ...args], { cwd })

beforeAll(() => {
  cwd = temporaryFolder()
  const profile = (hits: number) =>
    cpuProfile(
      [
        [1, '(root)', 0, [2, 4, 5]],
        [2, 'main', 1, [3]],
        [3, 'work', hits, [], [[32, hits]]],
        [4, '(idle)', 5],
        [5, '(garbage collector)', 1],
      ],
      (7 + hits) * 1000,
    )
  writeFileSync(join(cwd, 'worker-3.cpuprofile'), profile(3))
  writeFileSync(join(cwd, 'fixed.cpuprofile'), profile(1))
  writeFileSync(join(cwd, 'broken.cpuprofile'), profile(3).slice(0, 300))
})

describe('leakscope top', () => {
  test('prints the table, with idle time and the garbage collector apart', async () => {
    const { code, stdout, stderr } = await top('worker-3.cpuprofile')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toBe(
      `worker-3.cpuprofile  cpu, 10 ms
5.00 ms busy; idle 5.00 ms, garbage collector 1.00 ms (20.0%)

   flat  flat%   sum%      cum   cum%  function
3.00 ms  60.0%  60.0%  3.00 ms  60.0%  work  /app/a.js:30
1.00 ms  20.0%  80.0%  4.00 ms  80.0%  main  /app/a.js:20
`,
    )
  })

  test('takes a base off', async () => {
    const { stdout } = await top('fixed.cpuprofile', '--base', 'worker-3.cpuprofile')
    expect(stdout).toContain('5.00 ms → 3.00 ms, a change of -2.00 ms')
    expect(stdout).toMatch(/^-2\.00 ms +-40\.0% +-40\.0% +-2\.00 ms +-40\.0% +work /m)
  })

  test('tells callers and callees, and lines', async () => {
    expect((await top('worker-3.cpuprofile', '--peek', 'work')).stdout).toMatch(
      /called by\n3\.00 ms +60\.0% +main .*\n3\.00 ms +60\.0% +work .*\n +took\n3\.00 ms +60\.0% +\(itself\)\n/,
    )
    expect((await top('worker-3.cpuprofile', '--list', 'wor')).stdout).toMatch(/^3\.00 ms +3\.00 ms +32$/m)
    expect((await top('worker-3.cpuprofile', '--by', 'line')).stdout).toMatch(/work {2}\/app\/a\.js:32$/m)
  })

  test('gives numbers as JSON', async () => {
    const { stdout } = await top('worker-3.cpuprofile', '--json', '--peek', 'main')
    expect(JSON.parse(stdout)).toMatchObject({
      schemaVersion: 1,
      command: 'top',
      sampleType: 'cpu',
      unit: 'microseconds',
      profile: { format: 'cpuprofile', durationMs: 10, total: 5000, shown: 4000, idle: 5000, garbageCollector: 1000 },
      base: null,
      rows: [
        { function: 'work', url: 'file:///app/a.js', line: 30, column: 5, flat: 3000, flatShare: 0.6, cum: 3000 },
        { function: 'main', flat: 1000, sumShare: 0.8, cum: 4000 },
      ],
      peek: [{ function: 'main', fromRoot: 4000, callers: [], callees: [{ function: 'work', amount: 3000 }] }],
    })
  })

  test('writes pprof, folded stacks and a flame graph, and reads what it wrote', async () => {
    const written = await top('worker-3.cpuprofile', '-o', 'a.pb.gz', '--flame', 'a.html')
    expect(written).toMatchObject({ code: 0, stdout: '', stderr: 'Wrote a.pb.gz\nWrote a.html\n' })
    const { sample, stringTable } = Profile.decode(gunzipSync(readFileSync(join(cwd, 'a.pb.gz'))))
    const labels = sample.map(({ label }) => stringTable.strings[Number(label[0]!.str)])
    expect(new Set(labels)).toEqual(new Set(['worker:3']))
    expect(readFileSync(join(cwd, 'a.html'), 'utf8')).toContain('<title>worker-3.cpuprofile: cpu</title>')

    expect((await top('a.pb.gz', '-o', 'a.folded')).code).toBe(0)
    const tables = await Promise.all(['worker-3.cpuprofile', 'a.pb.gz'].map((file) => top(file)))
    expect(tables[1]!.stdout.split('\n').slice(1)).toEqual(tables[0]!.stdout.split('\n').slice(1))
    expect((await top('a.folded')).stdout).toMatch(/^3,000 +60\.0% +60\.0% +3,000 +60\.0% +work /m)
  })

  test('tells TypeScript, not what became of it', async () => {
    const program =
      'interface A {\n  a: number\n}\n\nfunction spin(a: A): void {\n  const end = Date.now() + a.a\n  while (Date.now() < end) {}\n}\nspin({ a: 300 })\n'
    writeFileSync(join(cwd, 'app.ts'), program)
    const tsc = join(import.meta.dirname, '../../../node_modules/typescript/bin/tsc')
    const options = [
      '--ignoreConfig',
      '--inlineSourceMap',
      '--target',
      'es2022',
      '--types',
      'node',
      '--typeRoots',
      join(import.meta.dirname, '../../../node_modules/@types'),
    ]
    execFileSync(process.execPath, [tsc, 'app.ts', '--outDir', 'out', ...options], { cwd })
    execFileSync(process.execPath, ['--cpu-prof', '--cpu-prof-name=app.cpuprofile', 'out/app.js'], { cwd })
    expect((await top('app.cpuprofile', '--limit', 1)).stdout).toMatch(/spin {2}\S*\/app\.ts:5$/m)
    expect((await top('app.cpuprofile', '--list', 'spin')).stdout).toMatch(
      /^ *\d+ ms +\d+ ms +7 +while \(Date\.now\(\) < end\)/m,
    )
    expect((await top('app.cpuprofile', '--limit', 1, '--no-source-maps')).stdout).toMatch(
      /spin {2}\S*\/out\/app\.js:\d$/m,
    )
  })

  test.each([
    [['broken.cpuprofile'], 3, /broken\.cpuprofile: ends at byte 300/],
    [['nowhere.cpuprofile'], 3, /no such file/],
    [['worker-3.cpuprofile', '--base', 'broken.cpuprofile', '-o', 'b.pb.gz'], 3, /ends at byte 300/],
    [['worker-3.cpuprofile', '--peek', 'nothing'], 2, /nothing named 'nothing'/],
    [['worker-3.cpuprofile', '--focus', '('], 2, /--focus: Invalid regular expression/],
    [['worker-3.cpuprofile', '-o', 'b.txt'], 2, /b\.txt: the ending says/],
    [['worker-3.cpuprofile', '-o', 'nowhere/b.pb'], 3, /the folder nowhere does not exist/],
    [['worker-3.cpuprofile', '-o', 'fixed.folded.gz', '--sample', 'space'], 2, /no samples 'space', but samples, cpu/],
    [['worker-3.cpuprofile', '--peek', 'a', '--list', 'a'], 2, /cannot be used with/],
    [['worker-3.cpuprofile', '--limit', '0'], 2, /whole number from 1/],
  ])('refuses %j with code %i, and writes nothing', async (args, code, complaint) => {
    const before = filesIn(cwd)
    const result = await top(...args)
    expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(complaint) })
    expect(filesIn(cwd)).toEqual(before)
  })

  test('replaces a file only when it is told to', async () => {
    writeFileSync(join(cwd, 'mine.folded'), 'mine')
    const refused = await top('worker-3.cpuprofile', '-o', 'mine.folded')
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('mine.folded exists already') })
    expect(readFileSync(join(cwd, 'mine.folded'), 'utf8')).toBe('mine')
    expect((await top('worker-3.cpuprofile', '-o', 'mine.folded', '--force')).code).toBe(0)
    expect(readFileSync(join(cwd, 'mine.folded'), 'utf8')).toContain(';work (file:///app/a.js:30:5) 3000')
  })
})
