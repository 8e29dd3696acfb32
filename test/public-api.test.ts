// What programs may import, as the published declarations say it: a change is seen in review.

import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { tsPlugin } from '@sveltejs/acorn-typescript'
import { type Node, Parser } from 'acorn'
import { expect, test } from 'vitest'

type Exports = Readonly<Record<string, string | Readonly<Record<string, unknown>>>>
interface Named {
  readonly name: string
}
interface Statement extends Node {
  readonly source?: { readonly value: string } | null
  readonly specifiers?: readonly { readonly local: Named; readonly exported: Named }[]
  readonly declaration?: (Node & { readonly id?: Named; readonly declarations?: readonly { id: Named }[] }) | null
}

const Declarations = Parser.extend(tsPlugin({ dts: true }))

/** The text of a declaration file without its comments, and its statements. */
function read(file: string): { readonly text: string; readonly body: readonly Statement[] } {
  let text = readFileSync(file, 'utf8')
  const options = { ecmaVersion: 'latest', sourceType: 'module' } as const
  Declarations.parse(text, {
    ...options,
    onComment: (_, __, start, end) => {
      text = text.slice(0, start) + text.slice(start, end).replace(/\S/g, ' ') + text.slice(end)
    },
  })
  return { text, body: Declarations.parse(text, options).body as readonly Node[] as readonly Statement[] }
}

const declaredName = ({ declaration }: Statement): string | undefined =>
  declaration?.id?.name ?? declaration?.declarations?.[0]?.id.name

const besides = (file: string, source: string): string =>
  join(dirname(file), source).replace(/\.([cm]?)[jt]s$/, '.d.$1ts')

/** By name, how `file` declares what it exports. */
function exportsOf(file: string): Map<string, string> {
  const { text, body } = read(file)
  const found = new Map<string, string>()
  const add = (name: string, declaration: string) =>
    found.set(name, [found.get(name), declaration].filter((it) => it !== undefined).join('\n'))
  for (const statement of body.filter(({ type }) => type === 'ExportNamedDeclaration')) {
    const own = declaredName(statement)
    if (own) add(own, tidy(text.slice(statement.start, statement.end)))
    for (const { local, exported } of statement.specifiers ?? []) {
      if (!statement.source) continue
      const declaration = exportsOf(besides(file, statement.source.value)).get(local.name)
      if (declaration === undefined) throw new Error(`${file}: ${local.name} is not declared`)
      add(exported.name, declaration)
    }
  }
  return found
}

/** Of a zod schema, the type says in hundreds of lines what the JSON schemas say better. */
const tidy = (declaration: string): string =>
  declaration
    .replace(/^(export declare const \w+Schema: z\.\w+<)[\s\S]*(>;)$/, '$1…$2')
    .replace(/[ \t]+$/gm, '')
    .replace(/\n{2,}/g, '\n')

function typesOf(entry: Exports[string]): string[] {
  if (typeof entry === 'string') return /\.d\.[cm]?ts$/.test(entry) ? [entry] : []
  return Object.values(entry).flatMap((inner) => typesOf(inner as Exports[string]))
}

test('the public names and their types are as reviewed (vitest -u)', async () => {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: Exports }
  const doors = Object.entries(exports).flatMap(([name, entry]) => typesOf(entry).map((file) => ({ name, file })))
  const text = doors.map(({ name, file }) => {
    const declarations = [...exportsOf(file)].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, it]) => it)
    return [`// ${name.replace('.', 'leakscope')}  (${file})`, ...declarations].join('\n')
  })
  expect(doors.length).toBeGreaterThan(5)
  await expect(`${text.join('\n\n')}\n`).toMatchFileSnapshot('public-api.txt')
})

test('docs/api.md tells every public name, and no other', async () => {
  const page = readFileSync('docs/api.md', 'utf8')
  const told = new Set([...page.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, names]) => names!.match(/\w+/g)!))
  const files = ['index.d.ts', 'config/index.d.ts', 'measure/index.d.ts']
  const names = new Set(files.flatMap((file) => [...exportsOf(join('dist', file)).keys()]))
  expect([...told].toSorted()).toEqual([...names].toSorted())
})
