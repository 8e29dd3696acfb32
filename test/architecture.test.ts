import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

/** By file below `src/`: the files that it imports, types too; `import()` is told apart. */
const imports = new Map<string, { readonly to: string; readonly isDynamic: boolean }[]>()
for (const file of readdirSync('src', { recursive: true, encoding: 'utf8' })) {
  if (!/(?<!\.as|\.d)\.c?ts$/.test(file)) continue
  const text = readFileSync(join('src', file), 'utf8')
  const found = text.matchAll(/^(?:import|export)\b[^'"`;]*?from '(\.[^']+)'|import\('(\.[^']+)'\)/gm)
  const all = [...found].map(([, named, dynamic]) => ({
    ...{ to: join(dirname(file), named ?? dynamic!), isDynamic: dynamic !== undefined },
  }))
  imports.set(
    file,
    all.filter(({ to }) => /\.c?ts$/.test(to)),
  )
}

const folderOf = (file: string): string => file.split('/')[0]!
const ANYWHERE = new Set(['support', 'errors.ts', 'version.ts'])

/** By folder, what the table of `src/README.md` says that it may import. */
function rules(): Map<string, ReadonlySet<string>> {
  const rows = [...readFileSync('src/README.md', 'utf8').matchAll(/^\| `([\w.-]+)\/?` \| .* \| ([^|]*) \|$/gm)]
  const names = rows.map(([, folder]) => folder!)
  return new Map(
    rows.map(([, folder, may]) => {
      const above = names.slice(0, names.indexOf(folder!))
      const said = [...may!.matchAll(/`([\w.-]+)`/g)].map(([, name]) => name!)
      return [
        folder!,
        new Set(
          may!.startsWith('all but')
            ? above.filter((name) => !said.includes(name))
            : may!.startsWith('all above')
              ? above
              : said,
        ),
      ]
    }),
  )
}

test('folders import what the map says', () => {
  const may = rules()
  const wrong: string[] = []
  for (const [file, all] of imports) {
    const folder = folderOf(file)
    for (const { to } of all) {
      const other = folderOf(to)
      if (other === folder || (ANYWHERE.has(other) && folder !== 'agent')) continue
      if (!may.get(folder)?.has(other)) wrong.push(`${file} imports ${to}`)
    }
  }
  expect(may.size).toBeGreaterThan(15)
  expect(wrong).toEqual([])
})

test('every folder is on the map', () => {
  const folders = new Set([...imports.keys()].map(folderOf))
  expect([...folders].filter((folder) => !rules().has(folder) && !ANYWHERE.has(folder))).toEqual([])
})

test('no file imports itself in a circle, by a type or otherwise', () => {
  const circles: string[][] = []
  const done = new Set<string>()
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file])
    if (path.includes(file) || done.has(file)) return
    for (const { to, isDynamic } of imports.get(file) ?? []) if (!isDynamic) visit(to, [...path, file])
    done.add(file)
  }
  for (const file of imports.keys()) visit(file, [])
  expect(circles).toEqual([])
})
