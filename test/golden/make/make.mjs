// Makes every golden heap and golden record anew: node test/golden/make/make.mjs [program…] [major…]

import { execFile, execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, cp, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompressSync, constants } from 'node:zlib'
import { nodeBinary } from '../../matrix/nodes.mjs'
import { pack, unpack } from '../packing.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const heaps = fileURLToPath(new URL('../heaps/', import.meta.url))
const EACH = [18, 20, 22, 24, 26]
// A pair is like two of the others, and an array like an array; node rows have seven fields in Node 20, six in Node 24.
const CASES = { app: EACH, weak: EACH, worker: EACH, pair: [20], array: [20, 24] }
/** A larger snapshot is packed twice, see packing.mjs. */
const LARGE_BYTES = 64 << 20

if (!existsSync(`${here}node_modules/chrome-devtools-frontend`)) {
  execFileSync('npm', ['install', '--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund'], { cwd: here, stdio: 'inherit' })
}
const { comparison, goldenOf } = await import('./golden.mjs')
const engine = JSON.parse(await readFile(`${here}package.json`, 'utf8')).dependencies['chrome-devtools-frontend']

const wanted = process.argv.slice(2)
const wants = (word) => wanted.every((name) => isNaN(name) !== isNaN(word)) || wanted.includes(String(word))
await mkdir(heaps, { recursive: true })
for (const [program, majors] of Object.entries(CASES)) {
  for (const major of majors) if (wants(program) && wants(major)) await makeCase(program, major)
}

async function makeCase(program, major) {
  const { files, versions } = await heapsOf(program, major)
  const models = []
  for (const [stem, bytes] of files) {
    const { golden, heap } = await goldenOf(bytes, {
      program,
      node: versions.node,
      v8: versions.v8,
      platform: `${process.platform}-${process.arch}`,
      numericValues: true,
      engine: `chrome-devtools-frontend ${engine}`,
    })
    models.push(heap)
    const name = `${stem === 'heap' ? program : `${program}-${stem}`}-node${major}`
    const file = `${heaps}${name}.heapsnapshot`
    if (bytes.length > LARGE_BYTES) await writeFile(`${file}.packed.br`, compress(packed(bytes)))
    else await writeFile(`${file}.br`, compress(bytes))
    await writeFile(`${heaps}${name}.golden.json.br`, compress(Buffer.from(JSON.stringify(golden))))
    console.log(`${name}: ${golden.nodeCount} nodes, ${golden.classes.length} classes, Node ${versions.node}`)
    for (const complaint of golden.complaints) console.log(`  DevTools says: ${complaint.split('\n')[0]}`)
  }
  if (models.length === 2) {
    const rows = comparison(...models)
    await writeFile(`${heaps}${program}-node${major}.comparison.json.br`, compress(Buffer.from(JSON.stringify(rows))))
  }
}

/** Runs the program where its paths, its arguments and its environment say nothing of the machine it ran on. */
async function heapsOf(program, major) {
  const stage = join(tmpdir(), 'leakscope-golden')
  await rm(stage, { recursive: true, force: true })
  await mkdir(stage)
  try {
    const source = await nodeBinary(major)
    const node = join(stage, 'node')
    await link(source, node).catch(() => copyFile(source, node))
    await cp(`${here}programs/`, stage, { recursive: true })
    const run = (...args) => promisify(execFile)(node, args, { cwd: stage, env: {}, timeout: 300_000 })
    await run(`${program}/main.mjs`)
    const { stdout } = await run('-p', 'JSON.stringify(process.versions)')
    const stems = ['heap', 'before', 'after'].filter((stem) => existsSync(join(stage, `${stem}.heapsnapshot`)))
    const files = await Promise.all(stems.map(async (stem) => [stem, await readFile(join(stage, `${stem}.heapsnapshot`))]))
    return { files, versions: JSON.parse(stdout) }
  } finally {
    await rm(stage, { recursive: true, force: true })
  }
}

/** Packs, and sees that unpacking gives every byte back. */
function packed(bytes) {
  const result = pack(bytes)
  let at = 0
  for (const piece of unpack(result)) {
    if (!piece.equals(bytes.subarray(at, at + piece.length))) throw new Error(`unpacking differs behind byte ${at}`)
    at += piece.length
  }
  if (at !== bytes.length) throw new Error(`unpacking gives ${at} bytes of ${bytes.length}`)
  return result
}

// Brotli packs these files 40 % smaller than gzip does, and every Node can read it.
function compress(bytes) {
  return brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  })
}
