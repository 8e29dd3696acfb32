// Records bundles of leaking and of healthy programs, packed: node test/recorded/record.mjs [name…] [major…]
//
// After `npm run build`, as it is leakscope that takes the snapshots. --list only tells which there are, --missing takes
// only those of which there is no file.

import { execFile } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { brief, diagnose, end, start } from '../../fixtures/diagnosing.mjs'
import { build } from '../../fixtures/generated/build.mjs'
import { compose } from '../../fixtures/generated/compose.mjs'
import { verdictOf, verdictOfHealthy } from '../../fixtures/generated/judge.mjs'
import { gaugeOf, proveHealth, proveLeak } from '../../fixtures/generated/prove.mjs'
import { COLLECTIONS } from '../../fixtures/generated/where/index.mjs'
import { NODE_MAJORS, nodeBinary } from '../matrix/nodes.mjs'
import { packBase, packBundle, unpackBase } from './bundles.mjs'

const SEED = 'recorded'
/** How far the search for a program goes. */
const FARTHEST = 1500
const SECONDS = 12
/** On a machine that does too much else, a process stands still for its snapshots for longer than it works. */
const MOST_PAUSED_MS = 6000
/** The order of what V8 hashes, which is another one in each process, would be most of what there is to pack. */
const FLAGS = ['--hash-seed=1', '--random-seed=1', '--expose-gc']

/** Places inside Node, which each version has arranged in its own way: on each. */
const OF_NODE = [
  'EventEmitter: on',
  'AbortSignal',
  'timers: setTimeout',
  'promise that stays pending: await',
  'promise chain',
  'events.on: nobody reads',
  'MessagePort: nobody reads',
  'Writable: never done',
  'Readable: nobody reads',
  'web ReadableStream: nobody reads',
  'socket: nobody reads',
  'handles: servers',
  'modules: import with a query',
  'modules: require once more',
  'AsyncLocalStorage: timers',
]
/** The others, on one of them, by turns. */
const ELSEWHERE = [
  'array: push',
  'array: index',
  'array of rows',
  'Map',
  'Map of arrays',
  'Map of a Map each',
  'WeakMap with living keys',
  'object',
  'linked list',
  'trie',
  'queue by head index',
  'rope of text',
  'Buffer.concat',
  'EventTarget',
  'process: on',
  'timers: setInterval',
  'timers: promises',
  'promise that stays pending: race',
  'async recursion',
  'async generator: next',
  'worker: too slow',
  'web WritableStream: never done',
  'handles: watchers',
  'handles: children',
  'handles: deflate streams in a Map',
  'AsyncLocalStorage: each its own',
  'FinalizationRegistry',
  'performance marks',
  'Symbol.for',
]
/** Things that make the pattern, wherever they are kept: on one, by turns. */
const THINGS = [
  'cons string',
  'sliced string',
  'closure',
  'bound function',
  'generator',
  'pending promise',
  'async function',
  'buffer',
  'pooled buffer',
  'part of a buffer',
  'typed array',
]
/** Of fixtures/programs: what is not composed. */
const WRITTEN = {
  'thread-growth/leaky.mjs': [20, 26],
  'cross-thread-release/leaky.mjs': [18, 24],
  'buffer-slab-retention/leaky-socket.mjs': [22],
  'off-heap-growth/leaky-wasm.mjs': [18],
  'thread-pool-saturation/leaky.mjs': [20, 24],
  'thread-growth/lookalike-pool.mjs': [24],
  'cross-thread-release/lookalike-growing-pool.mjs': [22],
  'buffer-slab-retention/lookalike-arena.mjs': [26],
  'string-retention/lookalike-documents.mjs': [18],
  'closure-retention/lookalike-handlers.mjs': [20],
}

const here = fileURLToPath(new URL('.', import.meta.url))
const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url))
const bundles = `${here}bundles/`
const stage = join(tmpdir(), 'leakscope-recorded')

const composedKinds = new Map()
const bases = new Map()

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    jobs: { type: 'string', default: '4' },
    list: { type: 'boolean', default: false },
    missing: { type: 'boolean', default: false },
  },
})
const isMajor = (word) => /^\d+$/.test(word)
const wants = (word) => positionals.every((name) => isMajor(name) !== isMajor(word)) || positionals.includes(`${word}`)

const wanted = recordings().filter(
  ({ name, major }) => wants(name) && wants(major) && !(values.missing && existsSync(fileOf(name, major))),
)
if (values.list) for (const { name, major, id } of wanted) console.log(name, major, id ?? '')
else {
  mkdirSync(bundles, { recursive: true })
  await Promise.all([...new Set(wanted.map(({ major }) => major))].map(prepare))
  const queue = [...wanted]
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await record(next)
  }
  await Promise.all(Array.from({ length: Number(values.jobs) }, work))
  rmSync(stage, { recursive: true, force: true })
}

/** All that there is to record. */
function recordings() {
  const slug = (text) => text.toLowerCase().replace(/[^a-z]+/g, '-')
  const turn = (i) => [NODE_MAJORS[i % NODE_MAJORS.length]]
  const composed = (name, kind, axis, value, majors) => {
    const id = idOf(kind, axis, value)
    // Some cannot be kept healthy.
    return id === undefined ? [] : majors.map((major) => ({ name, major, id }))
  }
  const all = [
    ...ELSEWHERE.flatMap((where, i) => composed(slug(where), 'L', 'where', where, turn(i))),
    ...THINGS.flatMap((what, i) => composed(slug(what), 'L', 'what', what, turn(i))),
    ...[...OF_NODE, ...ELSEWHERE].flatMap((where, i) =>
      composed(`healthy-${slug(where)}`, 'H', 'where', where, turn(i)),
    ),
    ...Object.entries(WRITTEN).flatMap(([file, majors]) =>
      majors.map((major) => ({ name: slug(file.replace(/\.mjs$/, '')), major, file })),
    ),
    ...OF_NODE.flatMap((where) => composed(slug(where), 'L', 'where', where, NODE_MAJORS)),
  ]
  return all.filter(({ id, major }) => !id || (compose(SEED, id).nodeBelow ?? Number.POSITIVE_INFINITY) > major)
}

/** A program that is of a kind, in files that run as they are, and grows as slowly as one of that kind may. */
function idOf(kind, axis, value) {
  let best
  for (const [k, { axes, style }] of composedOf(kind).entries()) {
    if (axes[axis] !== value || style.tool || style.typed || axes.age === 'old') continue
    if (axis === 'what' && !COLLECTIONS[axes.where]) continue
    const cost = ['slow', 'medium', 'fast'].indexOf(axes.rate) + 2 * ['few', 'some', 'many'].indexOf(axes.bytes)
    if (best === undefined || cost < best.cost) best = { cost, id: `${kind}${k}` }
  }
  return best?.id
}

function composedOf(kind) {
  if (!composedKinds.has(kind)) {
    const all = Array.from({ length: FARTHEST }, (_, k) => compose(SEED, `${kind}${k}`))
    composedKinds.set(
      kind,
      all.map(({ axes, style }) => ({ axes, style })),
    )
  }
  return composedKinds.get(kind)
}

/** Puts all where paths say nothing of the machine, and records what the others are compared with. */
async function prepare(major) {
  const folder = join(stage, `${major}`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const binary = await nodeBinary(major)
  try {
    linkSync(binary, join(folder, 'node'))
  } catch {
    copyFileSync(binary, join(folder, 'node'))
  }
  cpSync(`${fixtures}programs`, join(folder, 'programs'), { recursive: true })
  copyFileSync(`${fixtures}generated/probe.cjs`, join(folder, 'probe.cjs'))
  if (!existsSync(fileOf('base', major))) await recordBase(folder, major)
  bases.set(major, unpackBase(readFileSync(fileOf('base', major))))
}

/** A program that does nothing but tell its gauge. */
async function recordBase(folder, major) {
  writeFileSync(
    join(folder, 'main.mjs'),
    `import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
const bus = new EventEmitter();
setInterval(() => console.log('gauge ' + bus.listenerCount('x')), 500);
console.log('ready ' + process.pid);
for (;;) await sleep(100);
`,
  )
  const gauge = gaugeOf()
  const child = await start(
    join(folder, 'node'),
    [...FLAGS, '--require', join(folder, 'probe.cjs'), join(folder, 'main.mjs')],
    {
      ...{ cwd: folder, channel: true, env: {}, onLine: gauge.onLine },
    },
  )
  try {
    await proveLeak(child, gauge, { grows: { gauge: 0, bytes: 0 } })
    await diagnose(child, SECONDS, ['-o', join(folder, 'base')])
  } finally {
    await end(child)
  }
  writeFileSync(fileOf('base', major), packBase(join(folder, 'base')))
}

function fileOf(name, major) {
  return `${bundles}${name}-node${major}.br`
}

async function record({ name, major, id, file }) {
  const folder = join(stage, `${major}`, name)
  mkdirSync(folder, { recursive: true })
  try {
    const row = id ? await ofComposed(folder, major, id) : await ofWritten(folder, major, file)
    const { about, said } = row
    const { captures } = JSON.parse(readFileSync(join(folder, 'bundle', 'capture.json'), 'utf8'))
    const pausedMs = Math.max(...captures.map((each) => each.pausedMs ?? 0))
    if (pausedMs > MOST_PAUSED_MS) throw new Error(`it stood still for ${pausedMs.toFixed()} ms`)
    const bytes = packBundle(join(folder, 'bundle'), { name, ...about }, bases.get(major))
    writeFileSync(fileOf(name, major), bytes)
    console.log(`${name} ${major} ${id ?? ''}: ${(bytes.length / 1000).toFixed()} KB; live: ${said}`)
  } catch (error) {
    console.log(`${name} ${major} ${id ?? ''}: NOT RECORDED: ${brief(error)}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function ofComposed(folder, major, id) {
  const node = join(stage, `${major}`, 'node')
  const version = (await promisify(execFile)(node, ['--version'])).stdout.trim()
  const program = compose(SEED, id)
  const built = await build(program, folder, version)
  const gauge = gaugeOf()
  const child = await start(node, [...FLAGS, '--require', join(stage, `${major}`, 'probe.cjs'), built.file], {
    ...{ cwd: folder, channel: true, env: {}, onLine: gauge.onLine },
  })
  const readyAt = performance.now()
  try {
    const missing = program.healthy ? await sleep(1000) : await proveLeak(child, gauge, program)
    if (missing) throw new Error(missing)
    const report = await diagnose(child, SECONDS, ['-o', join(folder, 'bundle')])
    const unhealthy = program.healthy ? await proveHealth(child, gauge, program, readyAt) : null
    if (unhealthy) throw new Error(unhealthy)
    const { axes, marks, expect, healthy } = program
    return { about: { id, healthy, axes, marks, expect }, said: told(program, built, report) }
  } finally {
    await end(child)
  }
}

async function ofWritten(folder, major, file) {
  const path = join(stage, `${major}`, 'programs', file)
  const { holder, settlesAfterSeconds = 0 } = JSON.parse(
    readFileSync(`${fixtures}programs/programs.json`, 'utf8'),
  ).find((each) => each.file === file)
  const healthy = !basename(file).startsWith('leaky')
  const marks = readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((text, i) => (/\/\/ LEAK:/.test(text) ? [{ file: basename(file), line: i + 1, role: 'add', text }] : []))
  const program = {
    ...{ axes: { program: file }, healthy, marks },
    expect: healthy
      ? null
      : { patterns: [dirname(file)], thingPatterns: [], madePatterns: [], holder: holder ?? null, holderName: holder },
  }
  const child = await start(join(stage, `${major}`, 'node'), [...FLAGS, path], { cwd: folder, env: {} })
  try {
    await sleep(3000 + 500 * settlesAfterSeconds)
    const report = await diagnose(child, SECONDS, ['-o', join(folder, 'bundle')])
    const built = { original: (url, line) => ({ file: url, line }), names: [holder] }
    return { about: program, said: told(program, built, report) }
  } finally {
    await end(child)
  }
}

/** What was said of it while it ran, when more can be asked than there is in a bundle. */
function told(program, built, report) {
  if (program.healthy) return verdictOfHealthy(report).silent ? 'silent' : 'FALSE ALARM'
  const verdict = verdictOf(program, built, report)
  const missing = ['found', 'first', 'pattern', 'holder', 'line'].filter((key) => !verdict[key])
  return missing.length === 0 ? 'right' : `not ${missing.join(', ')} [${verdict.said.slice(0, 2).join(' / ')}]`
}
