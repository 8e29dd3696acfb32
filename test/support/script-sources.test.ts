// Places in scripts that ran, and how they are shown in what the scripts were made of.

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { createScriptSources, type RunningScript } from '../../src/support/script-sources.ts'
import { mapOf, placeOf, type Source, withMap } from './compiled.ts'
import { temporaryFolder } from './target.ts'

const STORE = `export interface Row { id: number }

const cache = new Map<number, Row>()

export function remember(row: Row): void {
  cache.set(row.id, row)
}
`
const RAN = 'const e=new Map;function n(t){e.set(t.id,t)}exports.remember=n;'
const TOKENS = [
  { ran: 'const e', source: 'const cache' },
  { ran: 'function n', source: 'function remember' },
  { ran: 'e.set', source: 'cache.set', name: 'cache' },
]

/** A folder with these files. */
function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder()
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

const script = (url: string, text: string, map: string | null = null): RunningScript => ({
  ...{ url, length: text.length, text, map },
})

/** The place of the statement in the compiled text. */
const place = (url: string) => ({ url, ...placeOf(RAN, 'e.set') })
const made = (source: Source) => mapOf(RAN, [source], TOKENS)

describe('a script that was compiled on its way to V8', () => {
  const folder = folderWith({ 'store.ts': STORE })
  const path = join(folder, 'store.ts')
  const url = pathToFileURL(path).href
  const sources = createScriptSources({ scripts: [script(url, RAN, made({ url: 'store.ts', text: STORE }))] })

  test('is read as it ran, though its source has the same name', () => {
    expect(sources.readScript(url)).toBe(RAN)
    expect(sources.readScript(path)).toBe(RAN)
    expect(sources.readScript(`${url}?anew=1`)).toBe(RAN)
  })

  test('is shown in its source, as it is named: by path or by URL', () => {
    const codeFrame = [
      { line: 4, text: '' },
      { line: 5, text: 'export function remember(row: Row): void {' },
      { line: 6, text: '  cache.set(row.id, row)' },
      { line: 7, text: '}' },
      { line: 8, text: '' },
    ]
    expect(sources.show(place(url))).toEqual({ url, line: 6, column: 3, codeFrame })
    expect(sources.show(place(path))).toEqual({ url: path, line: 6, column: 3, codeFrame })
    expect(sources.mapPosition(url, 1, placeOf(RAN, 'e.set').column)).toMatchObject({ line: 6, name: 'cache' })
  })

  test('has no line where its source is shorter now', () => {
    const short = join(folderWith({ 'store.ts': 'export {}\n' }), 'store.ts')
    const scripts = [script(short, RAN, made({ url: 'store.ts', text: STORE }))]
    expect(createScriptSources({ scripts }).show(place(short))).toEqual({
      ...{ url: short, line: 0, column: 0, codeFrame: [] },
    })
  })
})

describe('a source that a bundler names', () => {
  const bundled = (name: string, content = STORE) => withMap(RAN, made({ url: name, text: content, carried: true }))

  test('is the file above the bundle that has its text', () => {
    const folder = folderWith({ 'app/package.json': '{}', 'app/dist/main.js': bundled('webpack://app/./src/store.ts') })
    const bundle = join(folder, 'app/dist/main.js')
    const sources = createScriptSources()
    const shown = {
      line: 6,
      column: 3,
      codeFrame: expect.arrayContaining([{ line: 6, text: '  cache.set(row.id, row)' }]),
    }
    expect(sources.show(place(bundle))).toMatchObject({ url: 'webpack://app/src/store.ts', ...shown })

    mkdirSync(join(folder, 'app/src'))
    writeFileSync(join(folder, 'app/src/store.ts'), STORE)
    expect(createScriptSources().show(place(bundle))).toMatchObject({ url: join(folder, 'app/src/store.ts'), ...shown })
  })

  test('is not another one by the same path that is none of the bundle’s package', () => {
    const folder = folderWith({
      'src/store.ts': 'export const another = 1\n',
      'app/package.json': '{}',
      'app/dist/main.js': bundled('turbopack:///[project]/src/store.ts'),
    })
    const { url } = createScriptSources({ cwd: folder }).show(place(join(folder, 'app/dist/main.js')))
    expect(url).toBe('turbopack:///[project]/src/store.ts')
  })

  test('is looked for where the program runs, for a module that has no file', () => {
    const folder = folderWith({ 'src/store.ts': STORE })
    const name = 'webpack-internal:///./src/store.ts'
    const map = made({ url: 'webpack://app/./src/store.ts?3a0f', text: STORE, carried: true })
    const here = { url: pathToFileURL(join(folder, 'src/store.ts')).href, line: 6 }
    expect(createScriptSources({ scripts: [script(name, RAN, map)], cwd: folder }).show(place(name))).toMatchObject(
      here,
    )
    // Without a map, by what reads the same there.
    const ran = 'const cache = new Map();\nfunction remember(row) {\n    cache.set(row.id, row);\n}\n'
    const plain = STORE.replace('row)\n', 'row);\n')
    writeFileSync(join(folder, 'src/store.ts'), plain)
    const sources = createScriptSources({ scripts: [script(name, ran)], cwd: folder })
    expect(sources.show({ url: name, line: 3, column: 5 })).toMatchObject({ ...here, column: 3 })
    expect(sources.show({ url: name, line: 1, column: 1 })).toMatchObject({ url: name, line: 1 })
  })

  test('is its package’s in a bundle that a package ships', () => {
    const bundle = 'node_modules/lru/dist/lru.js'
    const folder = folderWith({
      'src/index.ts': 'export const mine = 1\n',
      'node_modules/lru/package.json': '{}',
      [bundle]: bundled('webpack://lru/./src/index.ts'),
    })
    const sources = createScriptSources({ cwd: folder })
    expect(sources.show(place(join(folder, bundle))).url).toBe(join(folder, 'node_modules/lru/src/index.ts'))
  })

  test('is found again in its file where that was edited since', () => {
    const folder = folderWith({ 'package.json': '{}', 'dist/main.js': bundled('webpack://app/./src/store.ts') })
    const bundle = join(folder, 'dist/main.js')
    const file = join(folder, 'src/store.ts')
    mkdirSync(join(folder, 'src'))
    writeFileSync(file, `// A line more.\n${STORE}`)
    expect(createScriptSources().show(place(bundle))).toMatchObject({ url: file, line: 7, column: 3 })
    writeFileSync(file, 'export {}\n')
    expect(createScriptSources().show(place(bundle))).toMatchObject({
      ...{ url: file, line: 0, column: 0 },
      codeFrame: expect.arrayContaining([{ line: 6, text: '  cache.set(row.id, row)' }]),
    })
  })
})

describe('a script without a map', () => {
  const TYPED =
    'const work: Map<string, number> = new Map()\nfunction put(n: number): void {\n  work.set(String(n), n)\n}\n'
  const STRIPPED =
    'const work                      = new Map()\nfunction put(n        )       {\n  work.set(String(n), n)\n}\n'
  const url = pathToFileURL(join(folderWith({ 'work.ts': TYPED }), 'work.ts')).href

  test('whose types Node has blanked is shown with them', () => {
    const sources = createScriptSources({ scripts: [script(url, `${STRIPPED}\n\n//# sourceURL=${url}`)] })
    expect(sources.readScript(url)).toContain(STRIPPED)
    expect(sources.show({ url, line: 2, column: 13 })).toMatchObject({
      ...{ url, line: 2, column: 13 },
      codeFrame: expect.arrayContaining([{ line: 2, text: 'function put(n: number): void {' }]),
    })
    expect(sources.show({ url, line: 4, column: 1 })).toMatchObject({ line: 4 })
  })

  test('whose types were taken out of its lines is shown with them', () => {
    const ran = 'const work = new Map()\nfunction put(n) {\n  work.set(String(n), n)\n}\n'
    const sources = createScriptSources({ scripts: [script(url, ran)] })
    expect(sources.show({ url, line: 1, column: 18 })).toMatchObject({ line: 1, column: 39 })
  })

  test('is shown by the text that ran where nothing in the file is like it', () => {
    const sources = createScriptSources({ scripts: [script(url, 'a()\nsomething.quite(different)\n')] })
    expect(sources.show({ url, line: 2, column: 1 })).toEqual({
      ...{ url, line: 0, column: 0 },
      codeFrame: [
        { line: 1, text: 'a()' },
        { line: 2, text: 'something.quite(different)' },
        { line: 3, text: '' },
      ],
    })
  })

  test('has no line beyond the end of its file, and no column beyond that of the line', () => {
    const sources = createScriptSources()
    const nowhere = { url, line: 0, column: 0, codeFrame: [] }
    expect(sources.show({ url, line: 9, column: 1 })).toEqual(nowhere)
    expect(sources.show({ url, line: 4, column: 3 })).toEqual(nowhere)
    expect(sources.show({ url, line: 4, column: 2 })).toMatchObject({ line: 4, column: 2 })
  })

  test('is known by its length where its text was not told', () => {
    const told = (length: number) => createScriptSources({ scripts: [{ url, length, text: null, map: null }] })
    expect(told(TYPED.length).readScript(url)).toBe(TYPED)
    expect(told(TYPED.length + 1).readScript(url)).toBeUndefined()
    expect(told(TYPED.length + 1).show({ url, line: 1, column: 1 })).toMatchObject({ line: 0 })
  })

  test('is not believed where the heap says that something else ran', () => {
    const sources = createScriptSources({ isWhatRan: () => false })
    expect(sources.readScript(url)).toBeUndefined()
    expect(sources.show({ url, line: 1, column: 1 })).toMatchObject({ url, line: 0 })
  })

  test('keeps its line where there is no file to compare it with', () => {
    const gone = 'file:///nowhere/on/this/machine.js'
    expect(createScriptSources().show({ url: gone, line: 12, column: 7 })).toEqual({
      ...{ url: gone, line: 12, column: 7, codeFrame: [] },
    })
  })

  test('that is one long line is shown around the place', () => {
    const text = `${'a();'.repeat(2000)}leak();${'b();'.repeat(2000)}\n`
    const sources = createScriptSources({ readFile: () => text })
    const [frame] = sources.show({ url, line: 1, column: 8001 }).codeFrame
    expect(frame!.text).toContain('a();leak();b();')
    expect(frame!.text.length).toBeLessThanOrEqual(200)
  })
})

test('a map beside a file that was written anew since is not that of what runs', () => {
  const folder = folderWith({
    'main.js': `${RAN}\n//# sourceMappingURL=main.js.map\n`,
    'main.js.map': made({ url: 'store.ts', text: STORE }),
    'store.ts': STORE,
  })
  const url = join(folder, 'main.js')
  expect(createScriptSources().show(place(url))).toMatchObject({ url: join(folder, 'store.ts'), line: 6 })
  const older = createScriptSources({
    scripts: [script(url, `'use strict';${RAN}\n//# sourceMappingURL=main.js.map\n`)],
  })
  expect(older.mapPosition(url, 1, 40)).toBeUndefined()
  expect(createScriptSources({ isWhatRan: () => false }).mapPosition(url, 1, 40)).toBeUndefined()
})
