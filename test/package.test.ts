// What npm would publish, installed into an empty folder and used from there as a user does.

import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { serviceHeap } from './support/service.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const windows = process.platform === 'win32'

let folder: string
let packed: { filename: string; files: { path: string }[] }

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'leakscope-package-'))
  // No scripts: `npm test` has built already, and other tests run from what it built.
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], root)
  packed = JSON.parse(stdout)[0]
  await writeFile(join(folder, 'package.json'), '{"private":true,"type":"module"}\n')
  const quiet = ['--no-audit', '--no-fund', '--prefer-offline']
  await run('npm', ['install', '--prefix', folder, '--omit=optional', ...quiet, `./${packed.filename}`], folder)
}, 120_000)

afterAll(() => rm(folder, { recursive: true, force: true }))

function run(command: string, args: string[], cwd: string) {
  return promisify(execFile)(command, args, { cwd, shell: windows })
}

describe('the package', () => {
  it('holds the program and the papers that belong to it, and nothing else', () => {
    const paths = packed.files.map((file) => file.path)
    const papers = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']
    expect(paths.filter((path) => !/^(bin|dist)\//.test(path)).sort()).toEqual(papers)
    expect(paths).toContain('bin/leakscope.js')
  })

  it('ships no leftovers of an older build', () => {
    const built = packed.files.map((file) => file.path).filter((path) => path.startsWith('dist/'))
    // The schema of reports and the program in few files are made by the build alone, the latter in an empty folder.
    const isMade = (path: string) => path === 'dist/report.schema.json' || path.startsWith('dist/bundle/')
    const orphans = built.filter((path) => {
      const source = path.replace(/^dist\//, 'src/').replace(/(?:\.d)?\.([cm]?)[jt]s$/, '.$1ts')
      return !isMade(path) && !existsSync(join(root, source))
    })
    expect(orphans).toEqual([])
  })

  it('answers npx leakscope --help and --version', async () => {
    const help = await run('npx', ['--no', '--', 'leakscope', '--help'], folder)
    expect(help.stdout).toContain('Usage: leakscope')
    const version = await run('npx', ['--no', '--', 'leakscope', '--version'], folder)
    expect(version.stdout.trim()).toBe(own.version)
  })

  it('can be imported, with types', async () => {
    const script = "console.log(Object.keys(await import('leakscope')).length)"
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], folder)
    expect(Number(stdout)).toBeGreaterThan(0)

    const user = `import * as leakscope from 'leakscope'
      import { defineConfig } from 'leakscope/config'
      export const all = leakscope
      export const right = defineConfig({ check: { maxGrowth: '1KB/iteration', program: ['node', 'a.js'] } })
      // @ts-expect-error: there is no such key
      export const wrong = defineConfig({ check: { maxGrowht: '1KB/iteration' } })\n`
    await writeFile(join(folder, 'user.ts'), user)
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--types', '', 'user.ts']
    await run(process.execPath, [tsc, ...options], folder)
  })

  it('gives the schema of a config to an editor, and that of reports to who reads them', async () => {
    const script = `const property = (schema, name) => require('leakscope/' + schema + '.schema.json').properties[name].type
      console.log(property('config', 'check'), property('report', 'findings'))`
    expect((await run(process.execPath, ['-e', script], folder)).stdout).toBe('object array\n')
  })

  it('gives measureLeak to modules of both kinds', async () => {
    const measuring = 'measureLeak(() => {}, { iterations: 36 }).then(({ verdict }) => console.log(verdict))'
    for (const [name, script] of [
      ['measure.mjs', `import { measureLeak } from 'leakscope/measure'; ${measuring}`],
      ['measure.cjs', `const { measureLeak } = require('leakscope/measure'); ${measuring}`],
    ] as const) {
      await writeFile(join(folder, name), script)
      expect((await run(process.execPath, [name], folder)).stdout).toBe('steady\n')
    }
  })

  it('gives the agent to a program, by either option', async () => {
    for (const option of ['--import', '--require']) {
      const list = "fs.readdirSync(process.env.XDG_RUNTIME_DIR + '/leakscope').join()"
      const { stdout, stderr } = await promisify(execFile)(
        process.execPath,
        [option, 'leakscope/agent', '-p', `process.pid + ' ' + ${list}`],
        { cwd: folder, env: { ...process.env, NODE_OPTIONS: '', XDG_RUNTIME_DIR: folder } },
      )
      expect(stderr).toBe('')
      expect(stdout).toMatch(/^(\d+) agent-\1\.sock\n$/)
    }
  })

  it('runs the example of the README, and reads snapshots', async () => {
    const [, example] = /```js\n([\s\S]+?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8'))!
    await writeFile(join(folder, 'example.js'), example!)
    await writeFile(join(folder, 'a.heapsnapshot'), serviceHeap({ logs: 1 }))
    await writeFile(join(folder, 'b.heapsnapshot'), serviceHeap({ logs: 8 }))
    const { stdout } = await run(process.execPath, ['example.js'], folder)
    expect(stdout).toMatch(/^7 \(string\) \d+\n$/)
    const { stdout: analysis } = await run('npx', ['--no', '--', 'leakscope', 'analyze', 'b.heapsnapshot'], folder)
    expect(analysis).toContain('Where most is held:')
  })

  it('works without the compiled profiler, which many machines cannot build', () => {
    expect(own.dependencies).not.toHaveProperty('v8-profiler-next')
    expect(own.optionalDependencies).toHaveProperty('v8-profiler-next')
    // The install above left it out, and all of the above worked.
    expect(existsSync(join(folder, 'node_modules', 'v8-profiler-next'))).toBe(false)
  })
})
