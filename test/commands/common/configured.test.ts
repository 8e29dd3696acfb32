// Config files as commands read them: what they say holds, unless the command line says something else.

import { chownSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { nodeBinary } from '../../matrix/nodes.mjs'
import { serviceHeap } from '../../support/service.ts'
import { CLI, runCli, spawnTarget, start, startCli, temporaryFolder } from '../../support/target.ts'

let project: string
beforeEach(() => {
  project = temporaryFolder()
  write('package.json', {})
  mkdirSync(join(project, 'below'))
  for (const [i, name] of ['a', 'b', 'c'].entries()) write(name, serviceHeap({ logs: 100 + 400 * i }))
})

const write = (name: string, text: string | object) =>
  writeFileSync(join(project, name), typeof text === 'string' ? text : JSON.stringify(text))
const env = { ...process.env, GITHUB_ACTIONS: '', PORT: '', NODE_OPTIONS: '' }
const run = (args: string[], cwd = project) => runCli(args, { cwd, env })
const FILES = ['a', 'b', 'c'] as const

describe('a config file', () => {
  test('stands for options, which win over it one by one', async () => {
    write('leakscope.config.json', { check: { failOn: 'never', format: ['json=out.json', 'markdown'] } })
    const plain = await run(['check', ...FILES])
    expect(plain.stdout).toMatch(/^## leakscope check/)
    expect(plain.code).toBe(0)
    expect(existsSync(join(project, 'out.json'))).toBe(true)

    const said = await run([
      'check',
      ...FILES,
      '--fail-on',
      'warning',
      '--format',
      'json=other.json',
      '--format',
      'github',
    ])
    expect(said.stdout).toMatch(/^::error /)
    expect(said.code).toBe(1)
    expect(readFileSync(join(project, 'other.json'), 'utf8')).toContain('"schemaVersion"')

    const json = await run(['check', ...FILES, '--json'])
    expect(JSON.parse(json.stdout).command).toBe('check')
  })

  test('is read from below it, has names of its own folder, and is left out on request', async () => {
    write('leakscope.config.json', { diff: { format: ['json=out.json'], failOn: 'note' } })
    const below = join(project, 'below')
    const paths = FILES.map((name) => join('..', name))
    expect((await run(['diff', ...paths], below)).code).toBe(1)
    expect(existsSync(join(project, 'out.json'))).toBe(true)
    expect((await run(['diff', ...paths, '--no-config'], below)).code).toBe(0)
    write('other.json', { diff: { failOn: 'never' } })
    expect((await run(['diff', ...paths, '--config', '../other.json'], below)).code).toBe(0)
  })

  test('has its baseline beside it', async () => {
    write('leakscope.config.json', {})
    const below = join(project, 'below')
    const paths = FILES.map((name) => join('..', name))
    expect((await run(['check', ...paths, '--update-baseline'], below)).code).toBe(0)
    expect(existsSync(join(project, 'leakscope.baseline.json'))).toBe(true)
    expect((await run(['check', ...FILES])).code).toBe(0)
    expect((await run(['check', ...paths], below)).code).toBe(0)
    expect((await run(['check', ...paths, '--no-config'], below)).code).toBe(1)
  })

  test('names the program and the load, which run in its folder; those of the command line run where one is', async () => {
    const below = join(project, 'below')
    write('server.mjs', `import http from 'node:http'\nhttp.createServer().listen(process.env.PORT)`)
    write('leakscope.config.json', {
      check: { program: [process.execPath, 'server.mjs'], load: 'echo "from $(pwd)"; exit 5' },
    })
    const own = await run(['check'], below)
    expect(own.stderr).toMatch(new RegExp(`the load ended with exit code 5.*\\n.*from \\S*${project}`))
    const load = await run(['check', '--load', 'echo "from $(pwd)"; exit 6'], below)
    expect(load.stderr).toMatch(new RegExp(`the load ended with exit code 6.*\\n.*from \\S*${below}`))
    const program = await run(['check', '--', process.execPath, 'server.mjs'], below)
    expect(program.stderr).toMatch(/the program ended with exit code 1 before it was ready\n.+Cannot find module/)
    // Whoever names a scenario does not want the load.
    expect((await run(['check', '--script', 'none.mjs'], below)).stderr).toContain('none.mjs: no such file')
    // And who names files wants neither.
    expect((await run(['check', ...FILES])).code).toBe(1)
  })

  test('can be switched off switch by switch', async () => {
    write('leakscope.config.json', { diagnose: { light: true, duration: '500ms' }, snapshot: { redact: true } })
    const { pid } = await spawnTarget('globalThis.kept = "a password"')
    const snapshot = async (name: string, ...args: string[]) => {
      expect((await run(['snapshot', `${pid}`, '-o', name, '-q', ...args])).code).toBe(0)
      return readFileSync(join(project, name), 'utf8')
    }
    expect(await snapshot('redacted')).not.toContain('a password')
    expect(await snapshot('whole', '--no-redact')).toContain('a password')
    const light = await run(['diagnose', `${pid}`, '-q', '--json'])
    expect(JSON.parse(light.stdout)).toMatchObject({ command: 'diagnose', snapshots: [] })
  })

  test('in TypeScript is read by a Node that can, and what can not is said by the others', async () => {
    mkdirSync(join(project, 'node_modules'))
    symlinkSync(resolve(CLI, '..', '..'), join(project, 'node_modules', 'leakscope'))
    write('package.json', { type: 'module' })
    write(
      'leakscope.config.ts',
      `import { type Config, defineConfig } from 'leakscope/config'
       const check: Config['check'] = { failOn: 'never' }
       export default defineConfig({ check })`,
    )
    const node22 = start(await nodeBinary(22), [CLI, 'check', ...FILES], { cwd: project, env })
    expect(await new Promise((done) => node22.on('exit', done))).toBe(0)
    const node20 = start(await nodeBinary(20), [CLI, 'check', ...FILES], { cwd: project, env })
    let said = ''
    node20.stderr.on('data', (text) => {
      said += text
    })
    expect(await new Promise((done) => node20.on('close', done))).toBe(2)
    expect(said).toMatch(/leakscope\.config\.ts is TypeScript, which Node reads by itself from 22\.18 on; this is v20/)
  })

  test.each([
    ['export default { check: { script: ] }', /leakscope\.config\.mjs cannot be run: .+\n.+node --check/],
    ['const a = 1\nnull.x', /leakscope\.config\.mjs cannot be run: .+null.+leakscope\.config\.mjs:2\)/],
    ['export const check = {}', /leakscope\.config\.mjs exports no config\n.+export default/],
    ['export default { check: { maxDuration: "48h" } }', /leakscope\.config\.mjs: check\.maxDuration: .+a day/],
  ])('that cannot be used is said to be so: %s', async (text, says) => {
    write('leakscope.config.mjs', text)
    const { code, stdout, stderr } = await run(['check', ...FILES])
    expect(stderr).toMatch(says)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })

  test('that leaves something open does not keep leakscope from ending', async () => {
    write('leakscope.config.mjs', 'setInterval(() => {}, 1000); export default { check: { failOn: "never" } }')
    const { code, stdout } = await run(['check', ...FILES, '--json'])
    expect(JSON.parse(stdout).findings).not.toEqual([])
    expect(code).toBe(0)
  })

  test('that takes its time does not stand in the way of Ctrl-C', async () => {
    write(
      'leakscope.config.mjs',
      `process.stderr.write('begun'); await new Promise((done) => setTimeout(done, 60_000))`,
    )
    const { child, done } = startCli(['check', ...FILES], { cwd: project, env })
    await new Promise((begun) => child.stderr.once('data', begun))
    child.kill('SIGINT')
    const started = performance.now()
    expect((await done).code).toBe(130)
    expect(performance.now() - started).toBeLessThan(30_000)
  })

  test.runIf(process.getuid?.() === 0)('of somebody else is not gone by on the way to another process', async () => {
    write('leakscope.config.mjs', `import fs from 'node:fs'; fs.writeFileSync('run', ''); export default {}`)
    chownSync(join(project, 'leakscope.config.mjs'), 65534, 65534)
    const { code, stderr } = await run(['diff', ...FILES])
    expect(stderr).toMatch(/leakscope\.config\.mjs is another user's, so we do not go by it\n.+--no-config/)
    expect(code).toBe(2)
    expect(existsSync(join(project, 'run'))).toBe(false)
    expect((await run(['diff', ...FILES, '--config', 'leakscope.config.mjs'])).code).toBe(0)
    expect(existsSync(join(project, 'run'))).toBe(true)
  })
})
