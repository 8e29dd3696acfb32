// Places in scripts told in terms of their sources, by source maps good and bad.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { localMaps } from '../../src/support/source-maps.ts'
import { temporaryFolder } from './target.ts'

const TSC = resolve(import.meta.dirname, '../../node_modules/typescript/bin/tsc')
const SOURCE = `interface Order {
  readonly id: number
}

export function book(order: Order): number {
  const twice = order.id * 2
  return twice
}
`

/** A folder with `app.ts`, and what the TypeScript compiler makes of it in `out`. */
function compiled(...options: string[]): { source: string; script: string } {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'app.ts'), SOURCE)
  const common = [
    '--ignoreConfig',
    '--target',
    'es2022',
    '--module',
    'esnext',
    '--types',
    '',
    '--outDir',
    join(folder, 'out'),
  ]
  execFileSync(process.execPath, [TSC, join(folder, 'app.ts'), ...common, ...options])
  return { source: join(folder, 'app.ts'), script: join(folder, 'out', 'app.js') }
}

/** A script with this map, which stands in it. */
function scriptWith(map: unknown, line = 'function f() {}\n'): string {
  const script = join(temporaryFolder(), 'bundle.js')
  const data = Buffer.from(typeof map === 'string' ? map : JSON.stringify(map)).toString('base64')
  writeFileSync(script, `${line}//# sourceMappingURL=data:application/json;base64,${data}\n`)
  return script
}

describe('a source map', () => {
  test.each([
    ['in a file', ['--sourceMap']],
    ['in the script', ['--inlineSourceMap']],
    ['with a root', ['--sourceMap', '--sourceRoot', '../']],
  ])('%s leads to the source, by path or by URL', (_, options) => {
    const { source, script } = compiled(...options)
    const lines = readFileSync(script, 'utf8').split('\n')
    const line = lines.findIndex((text) => text.includes('function book')) + 1
    const column = lines[line - 1]!.indexOf('book') + 1
    expect(localMaps.at(script, line, column)).toMatchObject({ url: source, line: 5, column: 17 })
    expect(localMaps.at(pathToFileURL(script).href, line, column)).toMatchObject({
      url: pathToFileURL(source).href,
      line: 5,
    })
    expect(localMaps.line(script, line + 1)).toMatchObject({ line: 6 })
    expect(localMaps.line(script, 999)).toBeUndefined()
  })

  test('gives back the name of an identifier that starts right there', () => {
    const script = scriptWith({ version: 3, sources: ['a.ts'], names: ['original'], mappings: 'AAAA,SAAAA,CAAC' })
    expect(localMaps.at(script, 1, 10)).toMatchObject({ name: 'original' })
    expect(localMaps.at(script, 1, 12)!.name).toBeUndefined()
  })

  test('in sections counts from where each begins', () => {
    const map = { version: 3, sources: ['b.ts'], names: [], mappings: 'AACA' }
    const script = scriptWith({ version: 3, sections: [{ offset: { line: 0, column: 9 }, map }] })
    expect(localMaps.at(script, 1, 10)).toMatchObject({ line: 2, column: 1 })
    expect(localMaps.at(script, 1, 2)).toBeUndefined()
  })

  test('of a bundler names sources that are no files, and carries their text', () => {
    const url = 'webpack://app/./src/a.ts'
    const script = scriptWith({ version: 3, sources: [url], sourcesContent: ['let a'], names: [], mappings: 'AAAA' })
    const found = localMaps.at(script, 1, 1)!
    expect(found).toMatchObject({ url: 'webpack://app/src/a.ts', line: 1 })
    expect(localMaps.content(script, found.url)).toBe('let a')
  })
})

describe('no map to use', () => {
  const none = (script: string) =>
    expect([localMaps.at(script, 1, 1), localMaps.line(script, 1)]).toEqual([undefined, undefined])
  test('is no error', () => {
    const folder = temporaryFolder()
    const script = (name: string, text: string) => {
      writeFileSync(join(folder, name), text)
      return join(folder, name)
    }
    mkdirSync(join(folder, 'folder.map'))
    none(script('plain.js', 'let a\n'))
    none(script('gone.js', 'let a\n//# sourceMappingURL=gone.js.map\n'))
    none(script('folder.js', 'let a\n//# sourceMappingURL=folder.map\n'))
    none(script('remote.js', 'let a\n//# sourceMappingURL=https://example.com/a.map\n'))
    none(script('device.js', 'let a\n//# sourceMappingURL=file:///dev/zero\n'))
    none(join(folder, 'nowhere.js'))
    none('node:fs')
    none('')
    none('/dev/zero')
    none('https://example.com/a.js')
  })

  test('nor are maps that make no sense', () => {
    none(scriptWith('{"version":3,'))
    none(scriptWith('null'))
    none(scriptWith('[]'))
    none(scriptWith({ version: 3, sources: 7, names: [], mappings: 'AAAA' }))
    none(scriptWith({ version: 3, sources: [], names: [], mappings: 'AAAA' }))
    none(scriptWith({ version: 3, sources: ['a'], names: [], mappings: { length: 1e9 } }))
    none(scriptWith({ version: 3, sections: [{ offset: {}, map: { sections: 'x' } }] }))
    none(scriptWith(`${'{"sections":[{"offset":{"line":0,"column":0},"map":'.repeat(50_000)}1${'}]}'.repeat(50_000)}`))
  })

  test('nor is one that would fill the memory', () => {
    const script = scriptWith(`{"version":3,"sources":["a"],"names":[],"m\\u0061ppings":"${';'.repeat(2e7)}AAAA"}`)
    const before = process.memoryUsage.rss()
    none(script)
    expect(process.memoryUsage.rss() - before).toBeLessThan(5e8)
  })
})
