// What a snapshot was said to cost against what it cost, for heaps of many kinds on every Node.
//
//   npm run build && node test/bench/price.mjs [majors, such as 20,24] [heaps, such as texts,closures]
//
// For each heap a process of its own is asked for its price as `leakscope snapshot` asks, first by a guess, then with
// its objects counted, and then a snapshot is taken. Printed are said/real: 2 is twice as much as it was. A star marks
// what lies outside of the range that was given. The pause is compared with the processor time that the target took,
// which is the pause itself on a machine that is not busy; `waited` is how much longer it was. Needs Linux, and some
// 2 GB of memory.
//
// LEAKSCOPE_BENCH_DIR   a folder with node_modules/typescript of version 5 or before, whose source is one big file;
//                       without it that row is left out

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { captureHeapSnapshot } from '../../dist/capture/heap-snapshot.js'
import { quote } from '../../dist/capture/quote.js'
import { withInspector } from '../../dist/target/attach.js'
import { NODE_MAJORS, nodeBinary } from '../matrix/nodes.mjs'

const many = (count, each) => `globalThis.all = []; for (let i = 0; i < ${count}; i++) all.push(${each})`

const HEAPS = {
  empty: '',
  objects: many(8e5, '{ next: all[i >> 1], flag: true }'),
  'chunked objects': `${many(1000, '[]')}
    for (const a of all) for (let j = 0; j < 1000; j++) a.push({ next: a[j >> 1], flag: true })`,
  list: 'globalThis.all = null; for (let i = 0; i < 1e6; i++) all = { next: all, flag: true, other: null }',
  'numbered objects': many(5e5, '{ i, next: all[i >> 1] }'),
  texts: many(1e6, 'Buffer.from("key number " + i).toString()'),
  'long texts': many(2000, 'Buffer.alloc(5e4, "line " + i).toString("latin1")'),
  'arrays of doubles': many(100, 'Array.from({ length: 1e5 }, (_, j) => j + 0.5)'),
  'arrays of integers': many(100, 'Array.from({ length: 1e5 }, (_, j) => j & 255)'),
  Maps: many(4e4, 'new Map(Array.from({ length: 20 }, (_, j) => ["k" + j, {}]))'),
  'one Map':
    'globalThis.all = new Map(); for (let i = 0; i < 4e5; i++) all.set("user:" + i, { name: "n" + (i % 100) })',
  closures: many(4e5, '((o) => () => o)({})'),
  'class instances': `class P { constructor(i) { this.x = i + 0.5; this.y = i * 1.5; this.z = -i - 0.5 } }
    ${many(3e5, 'new P(i)')}`,
  Buffers: many(2000, 'Buffer.alloc(1e5, 1)'),
  'small arrays of bytes': many(1e5, 'new Uint8Array(100)'),
  records: many(
    1e5,
    `JSON.parse(JSON.stringify({ id: i, name: 'name ' + i, created: 1.7e12 + i, tags: ['a' + (i % 9), 'b' + i],
      address: { city: 'city ' + (i % 300), zip: String(i) }, total: i / 3 }))`,
  ),
  promises: many(2e5, '(async () => { await new Promise(() => {}) })()'),
  'much garbage': `${many(1e5, '{ a: {}, b: [] }')}; for (let i = 0; i < 3e5; i++) globalThis.x = { a: {}, b: [i] }`,
}
const bench = process.env.LEAKSCOPE_BENCH_DIR
if (bench) HEAPS['typescript loaded'] = `require(${JSON.stringify(resolve(bench, 'node_modules/typescript'))})`
else console.log('Without LEAKSCOPE_BENCH_DIR (a folder with node_modules/typescript), that row is left out.\n')

const majors = process.argv[2]?.split(',').map(Number) ?? NODE_MAJORS
const names = process.argv[3]?.split(',') ?? Object.keys(HEAPS)
const folder = mkdtempSync(join(tmpdir(), 'leakscope-bench-'))
const ratios = { guessed: [], counted: [] }
try {
  for (const major of majors) {
    const node = await nodeBinary(major)
    const rows = {}
    for (const name of names) rows[name] = await measure(node, HEAPS[name])
    console.log(`Node ${major}`)
    console.table(rows)
  }
} finally {
  rmSync(folder, { recursive: true })
}
for (const [how, all] of Object.entries(ratios)) {
  const share = (holds) => `${Math.round((100 * all.filter(holds).length) / all.length)} %`
  console.log(
    `${how}: pause within a factor of 2 in ${share((it) => within(2, it.pause))}, peak memory within 2 in ` +
      `${share((it) => within(2, it.peak))}, file within 1.5 in ${share((it) => within(1.5, it.file))}; ` +
      `nothing over the cautious end in ${share((it) => it.covered)}`,
  )
}

function within(factor, ratio) {
  return ratio <= factor && ratio >= 1 / factor
}

async function measure(node, source) {
  const program = join(folder, 'program.cjs')
  writeFileSync(program, `${source}\n;setInterval(() => {}, 1000); setTimeout(() => console.log('ready'), 300)`)
  const child = spawn(node, ['--max-old-space-size=8192', '--inspect-port=0', program], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  try {
    await once(createInterface({ input: child.stdout }), 'line')
    const options = { signal: new AbortController().signal }
    return await withInspector(child.pid, options, (session, target) => compare(session, target))
  } finally {
    child.kill('SIGKILL')
  }
}

async function compare(session, { pid, nodeVersion }) {
  const isolates = [{ isolate: 'main', client: session }]
  const common = { pid, nodeVersion, folder, file: 'a.heapsnapshot', rounds: 1, maxPauseMs: 3_600_000 }
  const startedMs = performance.now()
  const guessed = await quote(isolates, { ...common, memoryLimitBytes: undefined })
  const quoteMs = performance.now() - startedMs
  const before = { rss: memory(pid, 'VmRSS'), ...busy(pid) }
  // What may be too much or not has them counted, as in earnest.
  const { low, high } = guessed.total.memoryBytes
  const counted = await quote(isolates, { ...common, memoryLimitBytes: before.rss + Math.sqrt(low * high) })
  if (!counted.isolates[0].counted) throw new Error('the objects were not counted')
  const countMs = busy(pid).busyMs - before.busyMs
  const rss = memory(pid, 'VmRSS')
  writeFileSync(`/proc/${pid}/clear_refs`, '5') // forgets the peak so far
  const startMs = busy(pid).busyMs
  const taken = await captureHeapSnapshot(session, join(folder, 'a.heapsnapshot'), { force: true })
  const real = {
    pauseMs: Math.min(taken.pausedMs, busy(pid).busyMs - startMs),
    // A count leaves memory behind that the snapshot then uses; without it, it would have been that much more.
    memoryBytes: memory(pid, 'VmHWM') - before.rss,
    fileBytes: taken.fileBytes,
  }
  const row = { 'M nodes': round(taken.nodeCount / 1e6), 'pause s': round(real.pauseMs / 1000) }
  row.waited = round(taken.pausedMs / real.pauseMs)
  row['memory MB'] = Math.round(real.memoryBytes / 1e6)
  row['file MB'] = round(real.fileBytes / 1e6)
  for (const [how, { total }] of Object.entries({ guessed, counted })) {
    const peak = (before.rss + total.memoryBytes.likely) / (before.rss + real.memoryBytes)
    const said = (key) => {
      const outside = real[key] > total[key].high || real[key] < total[key].low
      return `${round(total[key].likely / real[key])}${outside ? '*' : ''}`
    }
    row[`${how} pause`] = said('pauseMs')
    row[`${how} memory`] = said('memoryBytes')
    row[`${how} peak`] = round(peak)
    row[`${how} file`] = said('fileBytes')
    ratios[how].push({
      pause: total.pauseMs.likely / real.pauseMs,
      peak,
      file: total.fileBytes.likely / real.fileBytes,
      covered: Object.keys(real).every((key) => real[key] <= total[key].high),
    })
  }
  row['asking ms'] = Math.round(quoteMs)
  row['count ms'] = Math.round(countMs)
  row['M objects'] = round(counted.total.objects.likely / 1e6)
  row['rss kept'] = Math.round((rss - before.rss) / 1e6)
  return row
}

function memory(pid, name) {
  return Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024
}

/** Processor time of all its threads, to a hundredth of a second. */
function busy(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return { busyMs: (Number(fields[11]) + Number(fields[12])) * 10 }
}

function round(value) {
  return Number(value.toPrecision(2))
}
