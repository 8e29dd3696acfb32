// The build's last step: the command-line program in a few files (dist/bundle) in place of some 300 modules, its packages
// included. `import … from 'leakscope'` keeps to the single modules.

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const dist = fileURLToPath(new URL('../dist', import.meta.url))
const out = join(dist, 'bundle')
const cli = join(dist, 'cli.js')

/** Modules by the file that they go to; those of no group go where their importers need them. */
const GROUPS = {
  support:
    /dist\/(support|errors)|node_modules\/(cli-table3|string-width|strip-ansi|ansi-regex|emoji-regex|is-fullwidth|@colors|chalk)/,
  heap: /dist\/(snapshot|graph|node-internals)\//,
  analysis: /dist\/analysis\//,
  source: /dist\/source\/|node_modules\/(acorn|@sveltejs)/,
  detectors: /dist\/(detectors|known-leaks)\//,
  schemas: /dist\/findings\/|node_modules\/zod\//,
  target: /dist\/(target|capture|process)\//,
  report: /dist\/(report|config)\//,
  profile: /dist\/profile\//,
  maps: /node_modules\/@jridgewell\//,
}
/** Packages of which only what is used has an effect. */
const PURE = /node_modules\/(zod|acorn|chalk|@jridgewell|@sveltejs)/

const THREAD = join(dist, 'support/second-thread-main.js')

const modules = readdirSync(dist, { recursive: true })
  .filter((path) => path.endsWith('.js') && !path.startsWith('bundle'))
  .map((path) => join(dist, path))
/** By module: the file of the bundle that a thread may load in its place. */
const entries = new Map([[cli, 'cli'], ...modules.filter(isForThread).map((id) => [id, flat(id)])])

/** What the second thread runs: it is given the URL of a module, and the name of a function there. */
function isForThread(id) {
  return id === THREAD || /\.call(<[^>]*>)?\(\s*import\.meta\.url/.test(readFileSync(id, 'utf8'))
}

function flat(id) {
  return relative(dist, id).replace(/\.js$/, '').replaceAll(sep, '-')
}

/** URLs are those of the single modules and of the files beside them, but for what the second thread runs. */
function urls(code, id) {
  if (!id.startsWith(dist) || !code.includes('import.meta.url')) return undefined
  const here = (path) => `new URL('${path}', import.meta.url)`
  const own = entries.has(id) ? `./${entries.get(id)}.js` : `../${relative(dist, id).replaceAll(sep, '/')}`
  return code.replace(/new URL\('([^']+)', import\.meta\.url\)|import\.meta\.url/g, (_, path) => {
    if (path === undefined) return `${here(own)}.href`
    const named = join(dirname(id), path)
    return here(entries.has(named) ? `./${entries.get(named)}.js` : relative(out, named).replaceAll(sep, '/'))
  })
}

const imports = new Map()
const options = {
  input: Object.fromEntries([...entries].map(([id, name]) => [name, id])),
  platform: 'node',
  external: ['v8-profiler-next'],
  preserveEntrySignatures: 'allow-extension',
  // Where a module is loaded late by one and at once by others, it is loaded at once.
  onLog: (level, log, pass) => log.code !== 'INEFFECTIVE_DYNAMIC_IMPORT' && pass(level, log),
  treeshake: { moduleSideEffects: (id) => !PURE.test(id) },
  plugins: [
    {
      name: 'leakscope',
      transform: urls,
      moduleParsed: ({ id, importedIds }) => {
        imports.set(id, importedIds)
      },
    },
  ],
}
const first = await rolldown(options)
await first.generate()
/** What `--help` needs. */
const start = new Set([cli])
for (const id of start) for (const imported of imports.get(id) ?? []) start.add(imported)

function groupOf(id) {
  if (start.has(id)) return 'start'
  // The thread's own program runs when it is loaded.
  return id === THREAD ? undefined : Object.keys(GROUPS).find((group) => GROUPS[group].test(id))
}

rmSync(out, { recursive: true, force: true })
const bundle = await rolldown(options)
const { output } = await bundle.write({
  dir: out,
  format: 'esm',
  chunkFileNames: '[name]-[hash].js',
  // A stack that a user sends us must be readable: functions keep their names.
  minify: { compress: { keepNames: { function: true, class: true } }, mangle: { keepNames: true } },
  codeSplitting: { includeDependenciesRecursively: false, groups: [{ name: groupOf, debugName: 'ours' }] },
})
requireOrder(output)
writeFileSync(join(out, 'LICENSES.txt'), licences())

/** Files that import each other would run in an order in which something is not there yet. */
function requireOrder(files) {
  const left = new Map(files.map(({ fileName, imports: needs = [] }) => [fileName, needs]))
  for (let before = -1; left.size !== before; ) {
    before = left.size
    for (const [name, needs] of left) if (!needs.some((each) => left.has(each))) left.delete(name)
  }
  if (left.size > 0) throw new Error(`GROUPS must keep to the order of the folders: ${[...left.keys()].join(', ')}`)
}

/** Of the packages that are in the bundle, as their licences ask for. */
function licences() {
  const folders = new Set(
    [...imports.keys()].flatMap((id) => /^.*\/node_modules\/(@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []),
  )
  return [...folders]
    .sort()
    .map((folder) => {
      const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each))
      if (!file) throw new Error(`${folder} has no licence file`)
      return `${name} ${version}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`
    })
    .join(`\n${'-'.repeat(72)}\n\n`)
}
