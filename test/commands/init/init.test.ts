// `leakscope init` in projects of several kinds.

import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { ConfigSchema } from '../../../src/config/schema.ts'
import { CLI, filesIn, NOBODY, nobodyMayRun, runCli, temporaryFolder } from '../../support/target.ts'

let project: string
beforeEach(() => {
  project = temporaryFolder()
})

const write = (name: string, text: string | object) =>
  writeFileSync(join(project, name), typeof text === 'string' ? text : JSON.stringify(text))
const init = (...args: string[]) => runCli(['init', ...args], { cwd: project })
const config = () => ConfigSchema.parse(JSON.parse(readFileSync(join(project, 'leakscope.config.json'), 'utf8')))

describe('leakscope init', () => {
  test.each<[what: string, files: Record<string, string | object>, check: object, says: RegExp]>([
    [
      'a start script',
      { 'package.json': { scripts: { start: 'node --enable-source-maps dist/main.js' } } },
      { program: ['node', '--enable-source-maps', 'dist/main.js'] },
      /is to start `node --enable-source-maps dist\/main\.js` \(the start script/,
    ],
    [
      'a server with a port of its own',
      { 'server.mjs': 'import http from "node:http"; http.createServer().listen(8123)' },
      { program: ['node', 'server.mjs'], ready: '8123' },
      /\(there is a server\.mjs\)/,
    ],
    [
      'a server that asks for its port',
      { 'server.js': 'server.listen(process.env.PORT || 8123); other.listen(9000)' },
      { program: ['node', 'server.js'] },
      /\(there is a server\.js\)/,
    ],
    [
      'a start script that only a shell understands',
      { 'package.json': { scripts: { start: 'npm run build && node .' } } },
      {},
      /check the scenario by itself \(the start script, npm run build && node \., is no plain call of node\)/,
    ],
    ['nothing', {}, {}, /\(there is no start script and no server\.js\)/],
  ])('in a project with %s', async (_, files, check, says) => {
    for (const [name, text] of Object.entries(files)) write(name, text)
    const { code, stdout, stderr } = await init()
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(says)
    expect(stdout).toMatch(/Next: .+\n {2}npx leakscope check\n$/)
    expect(config()).toEqual({ check: { ...check, script: 'leak-scenario.mjs' } })
    expect(filesIn(project)).toEqual([...Object.keys(files), 'leak-scenario.mjs', 'leakscope.config.json'].sort())
    expect(statSync(join(project, 'leakscope.config.json')).mode & 0o777).toBe(0o666 & ~process.umask())
  })

  test('writes for the sample project what stands in it', async () => {
    const sample = resolve(CLI, '..', '..', 'fixtures', 'ci')
    const read = (folder: string, name: string) => readFileSync(join(folder, name), 'utf8')
    for (const name of ['package.json', 'server.mjs']) write(name, read(sample, name))
    await init()
    for (const name of ['leakscope.config.json', 'leak-scenario.mjs']) {
      expect(read(project, name)).toBe(read(sample, name))
    }
  })

  test('writes no scenario that would pass by doing nothing', async () => {
    await init()
    const { code, stderr } = await runCli(['check', '-q'], { cwd: project })
    expect(stderr).toContain('leak-scenario.mjs: iteration 1 failed: Error: put here what must not leak')
    expect(code).toBe(3)
  })

  test('tells an editor of the schema where leakscope is installed', async () => {
    mkdirSync(join(project, 'node_modules'))
    symlinkSync(resolve(CLI, '..', '..'), join(project, 'node_modules', 'leakscope'))
    await init()
    const { $schema } = config()
    expect($schema).toBe('./node_modules/leakscope/dist/config/config.schema.json')
    expect(JSON.parse(readFileSync(join(project, $schema!), 'utf8')).properties).toHaveProperty('check')
  })

  test('replaces nothing, but the config with --force', async () => {
    write('leak-scenario.mjs', '// mine')
    write('leakscope.config.json', '{}')
    const refused = await init()
    expect(refused.stderr).toContain('leakscope.config.json exists already\n  --force replaces it.')
    expect(refused.code).toBe(3)
    expect(readFileSync(join(project, 'leakscope.config.json'), 'utf8')).toBe('{}')
    const forced = await init('--force')
    expect(forced.stdout).toContain(
      'leak-scenario.mjs: its iteration() is called again and again; it was there already, and is kept',
    )
    expect(forced.code).toBe(0)
    expect(config().check).toEqual({ script: 'leak-scenario.mjs' })
    expect(readFileSync(join(project, 'leak-scenario.mjs'), 'utf8')).toBe('// mine')
  })

  test('leaves no config without its scenario', async () => {
    symlinkSync('nowhere', join(project, 'leak-scenario.mjs'))
    const { code, stderr } = await init()
    expect(stderr).toContain('leak-scenario.mjs exists already')
    expect(code).toBe(3)
    expect(filesIn(project)).toEqual(['leak-scenario.mjs'])
  })

  test('makes no second config beside one of another kind', async () => {
    write('package.json', { leakscope: {} })
    const { code, stderr } = await init('--force')
    expect(stderr).toContain('the key "leakscope" of package.json is the config already')
    expect(code).toBe(3)
    expect(filesIn(project)).toEqual(['package.json'])
  })

  test.runIf(nobodyMayRun)('says so where it may not write, and leaves nothing', async () => {
    chmodSync(project, 0o755)
    const { code, stderr } = await runCli(['init'], { cwd: project, ...NOBODY })
    expect(stderr).toMatch(/cannot write leakscope\.config\.json: we may not write there/)
    expect(code).toBe(3)
    expect(filesIn(project)).toEqual([])
  })
})
