// What V8 tells of scripts whose text no file has.

import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Script } from 'node:vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  fromStart,
  joinScripts,
  readScripts,
  readScriptsFile,
  withoutTexts,
  writeScripts,
} from '../../src/capture/scripts.ts'
import type { ProtocolClient } from '../../src/target/session.ts'
import { temporaryFolder } from '../support/target.ts'

// A process may look into itself, which is as good as another.
const session = new Session()
beforeAll(() => session.connect())
afterAll(() => session.disconnect())
const client = {
  send: (method: string, params?: object) => session.post(method as 'Runtime.enable', params as undefined),
  on(method: string, handler: (params: unknown) => void) {
    const listener = ({ params }: { params: object }) => handler(params)
    session.on(method, listener as () => void)
    return () => session.off(method, listener as () => void)
  },
} as unknown as ProtocolClient

const folder = temporaryFolder()
const MAP = '{"version":3,"sources":["x.ts"],"sourcesContent":["secret()"],"names":["kept"],"mappings":"AAAA"}'
const DATA = `data:application/json;base64,${Buffer.from(MAP).toString('base64')}`
const held: unknown[] = []

/** Runs a text under the name of a file, which may have another one. */
function run(name: string, ran: string, file?: string, options: object = {}): string {
  const path = join(folder, name)
  if (file !== undefined) writeFileSync(path, file)
  const script = new Script(ran, { filename: path, ...options })
  held.push(script, script.runInThisContext())
  return pathToFileURL(path).href
}
const read = async (url: string) => (await readScripts(client)).find((script) => script.url === url)

describe('a script', () => {
  test('that came with a map is told with both, without naming the map twice', async () => {
    const url = run('mapped.ts', `(() => 1)\n//# sourceMappingURL=${DATA}`, 'const typed: number = 1\n')
    const found = await read(url)
    expect(found).toMatchObject({ text: '(() => 1)\n//# sourceMappingURL=', map: MAP })
    expect(found!.length).toBe(`(() => 1)\n//# sourceMappingURL=${DATA}`.length)
  })

  test('that is as its file is told by its length alone', async () => {
    expect(await read(run('plain.js', '(() => 2)\n', '(() => 2)\n'))).toMatchObject({
      length: 10,
      text: null,
      map: null,
    })
    expect(await read(run('marked.js', '(() => 2)\n', '\ufeff(() => 2)\n'))).toMatchObject({ text: null })
    expect(await read(run('letters.js', '(() => "ä€😀")\n', '(() => "ä€😀")\n'))).toMatchObject({ text: null })
  })

  test('that differs from its file, or has none, is told with its text', async () => {
    expect(await read(run('edited.js', '(() => 3)\n', '(() => 34)\n'))).toMatchObject({ text: '(() => 3)\n' })
    expect(await read(run('gone.js', '(() => 3)\n'))).toMatchObject({ text: '(() => 3)\n' })
  })

  test('of a package is told where it came with a map, as no file says the same', async () => {
    const inside = join('node_modules', 'left', 'index.js').replaceAll('\\', '/')
    const script = new Script(`(() => 4)\n//# sourceMappingURL=${DATA}`, { filename: `/app/${inside}` })
    const plain = new Script('(() => 4)', { filename: `/app/other/${inside}` })
    held.push(script.runInThisContext(), plain.runInThisContext())
    expect(await read(`file:///app/${inside}`)).toMatchObject({ map: MAP })
    expect(await read(`file:///app/other/${inside}`)).toBeUndefined()
  })

  test('is told as it was loaded last, where that was several times', async () => {
    run('again.js', '(() => 5)')
    expect(await read(run('again.js', '(() => 55)'))).toMatchObject({ text: '(() => 55)' })
  })

  test('in a wrapper is told from where V8 counts its columns', async () => {
    const head = '(function (exports, require) {{'
    const url = run(
      'wrapped.js',
      `${head}const a = 1;\nreturn () => a;\n//# sourceMappingURL=${DATA}\n}})`,
      undefined,
      {
        columnOffset: -head.length,
      },
    )
    expect((await read(url))!.text).toBe('const a = 1;\nreturn () => a;\n//# sourceMappingURL=\n')
  })
})

test('V8’s debugger is left as it was', async () => {
  await readScripts(client)
  await expect(session.post('Debugger.getScriptSource', { scriptId: '1' })).rejects.toThrow(/not enabled/)
})

test('what V8 counts from further on, or from further back, has its lines and columns', () => {
  expect(fromStart('a', { startLine: 2, startColumn: 3 })).toBe('\n\n   a')
  expect(fromStart('head(\n[\nbody\n]);', { startLine: -2, startColumn: 0 })).toBe('body\n')
  expect(fromStart('a => {b', { startLine: 0, startColumn: -6 })).toBe('b')
  expect(fromStart('ab', { startLine: 0, startColumn: -9 })).toBe('')
})

test('without its texts, a script keeps what tells of places, and nothing of the program', () => {
  const scripts = [
    { url: 'file:///a.ts?token=1', length: 9, text: 'secret()', map: MAP },
    { url: 'file:///b.js', length: 9, text: 'secret()', map: '{' },
    { url: 'secret:eval', length: 9, text: 'secret()', map: null },
  ]
  const left = withoutTexts(scripts)
  expect(JSON.stringify(left)).not.toMatch(/secret|token/)
  expect(left).toMatchObject([
    { url: 'file:///a.ts', length: 9, text: null },
    { url: 'file:///b.js', map: null },
  ])
  expect(JSON.parse(left[0]!.map!)).toEqual({ version: 3, sources: ['x.ts'], names: ['kept'], mappings: 'AAAA' })
})

test('a file of scripts is read as it was written, or refused', () => {
  const scripts = [
    { url: 'file:///a.ts', length: 3, text: 'a\u2028"\ud800', map: null },
    { url: 'file:///b.ts', length: 3, text: null, map: MAP },
  ]
  const path = join(folder, 'scripts.json.gz')
  writeScripts(path, scripts)
  expect(readScriptsFile(path)).toEqual(scripts)
  for (const wrong of ['no gzip', '']) {
    writeFileSync(path, wrong)
    expect(() => readScriptsFile(path)).toThrow(path)
  }
})

test('of a script that several isolates have, the first tells', () => {
  const script = (url: string, text: string) => ({ url, length: 1, text, map: null })
  expect(joinScripts([[script('a', '1')], [script('a', '2'), script('b', '3')]]).map(({ text }) => text)).toEqual([
    '1',
    '3',
  ])
})
