// What a capture costs against V8 writing the same snapshot itself: wall time, pause, and our own memory, in one run.
//
//   npm run build && node test/bench/capture.mjs [millions of objects]
//
// LEAKSCOPE_TEST_NODE   the node binary of the target (default: the one that runs this)
// LEAKSCOPE_BENCH_DIR   a folder with node_modules/typescript of version 5 or before, whose source is one big file;
//                       without it that row is left out

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

const node = process.env.LEAKSCOPE_TEST_NODE ?? process.execPath
const cli = resolve(import.meta.dirname, '../../bin/leakscope.js')
const millions = Number(process.argv[2] ?? 2)
const folder = mkdtempSync(join(tmpdir(), 'leakscope-bench-'))

// The target writes a snapshot by itself when it is told to, with numbers in it as in ours, and says how long it took.
// Node 18 does not know how to put the numbers in, so there it has less to do than we ask for.
const SELF = `
const v8 = require('node:v8')
process.stdin.on('data', (name) => {
  const started = performance.now()
  v8.writeHeapSnapshot(String(name).trim(), { exposeNumericValues: true })
  console.log('self ' + (performance.now() - started))
})
console.log('ready ' + process.version)`

const heaps = [
  {
    name: `${millions} M small objects`,
    source: `globalThis.all = []\nfor (let i = 0; i < ${millions} * 1e6; i++) all.push({ i, next: all[i >> 1] })\n${SELF}`,
  },
]
const typescript = process.env.LEAKSCOPE_BENCH_DIR && join(process.env.LEAKSCOPE_BENCH_DIR, 'node_modules/typescript')
if (typescript && existsSync(typescript)) {
  heaps.push({ name: 'typescript loaded', source: `require(${JSON.stringify(resolve(typescript))})\n${SELF}` })
} else {
  console.log('Without LEAKSCOPE_BENCH_DIR (a folder with node_modules/typescript), the big-bundle row is left out.\n')
}

const rows = []
try {
  for (const heap of heaps) rows.push(await measure(heap))
} finally {
  rmSync(folder, { recursive: true })
}
console.table(rows)

async function measure({ name, source }) {
  const program = join(folder, 'program.cjs')
  writeFileSync(program, source)
  const path = join(folder, 'heap.heapsnapshot')
  // Each in a process of its own: what V8 computes for one snapshot, such as line ends, would help the next.
  const self = await withTarget(program, async (target) => {
    target.process.stdin.write(`${path}\n`)
    return { ms: Number((await target.nextLine())[1]), version: target.version }
  })
  rmSync(path)
  const ours = await withTarget(program, (target) => leakscope(target.process.pid, path))
  const fileMb = Math.round(statSync(path).size / 1e6)
  rmSync(path)
  return {
    target: `${name}, ${self.version}`,
    'self s': round(self.ms / 1000),
    'leakscope s': round(ours.ms / 1000),
    'leakscope / self': round(ours.ms / self.ms),
    'self / leakscope': round(self.ms / ours.ms),
    'file MB': fileMb,
    'leakscope peak MB': Math.round(ours.peakBytes / 1e6),
    'stood still': ours.stoodStill,
  }
}

async function withTarget(program, work) {
  const child = spawn(node, ['--max-old-space-size=8192', '--inspect-port=0', program], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const nextLine = async () => (await lines.next()).value.split(' ')
  try {
    const [, version] = await nextLine()
    return await work({ process: child, version, nextLine })
  } finally {
    child.kill('SIGKILL')
  }
}

async function leakscope(pid, path) {
  const started = performance.now()
  const child = spawn(process.execPath, [cli, 'snapshot', String(pid), '-o', path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', (text) => {
    said += text
  })
  let peakBytes = Number.NaN
  const timer = setInterval(() => {
    try {
      peakBytes = Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) * 1024
    } catch {
      // Not Linux, or just gone.
    }
  }, 20)
  const [code] = await once(child, 'close')
  clearInterval(timer)
  if (code !== 0) throw new Error(`leakscope ended with ${code}`)
  return { ms: performance.now() - started, peakBytes, stoodStill: said.trim().split('stood still for ')[1] }
}

function round(value) {
  return Number(value.toPrecision(3))
}
