// `npm run bench`: how fast and how lean the heap engine reads a large snapshot, as ratios within one run.
//
//   npm run bench                      about 400 MB; leakscope beside JSON.parse
//   npm run bench -- --rivals          beside Chrome DevTools' engine and memlab too (installs them here first)
//   npm run bench -- --users 60        a smaller heap (thousands of users; 215 give about 400 MB)
//   npm run bench -- --file X --rounds 5

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const here = fileURLToPath(new URL('.', import.meta.url))
const { values } = parseArgs({
  options: {
    users: { type: 'string', default: '215' },
    rounds: { type: 'string', default: '3' },
    file: { type: 'string' },
    rivals: { type: 'boolean', default: false },
  },
})

const cache = join(process.env.XDG_CACHE_HOME ?? tmpdir(), 'leakscope-bench')
mkdirSync(cache, { recursive: true })

const file = values.file ?? makeHeap(values.users)
const contestants = ['leakscope', 'json-parse']
if (values.rivals) {
  installRivals()
  contestants.push('devtools', 'memlab')
}

console.log(`${file}: ${(statSync(file).size / 1e6).toFixed(0)} MB, Node ${process.version}, ${values.rounds} rounds`)
console.log('open = read + dominators + retained sizes + class table; json-parse only parses\n')
const results = new Map(contestants.map((name) => [name, []]))
// In turn, so that a slow moment of the machine hits all alike.
for (let round = 0; round < Number(values.rounds); round++) {
  for (const name of contestants) results.get(name).push(run(name))
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]
const base = results.get('leakscope').map(({ seconds }) => seconds)
const baseMemory = median(results.get('leakscope').map(({ peakMb }) => peakMb))
console.log('                 seconds (median, min–max)     × leakscope   peak memory    × leakscope')
for (const [name, runs] of results) {
  const done = runs.filter(({ error }) => !error)
  if (done.length === 0) {
    console.log(`${name.padEnd(14)}  ${runs[0].error}`)
    continue
  }
  const seconds = done.map((each) => each.seconds)
  const ratio = median(seconds.map((value, round) => value / base[round]))
  const peak = median(done.map(({ peakMb }) => peakMb))
  const span = `${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)}`
  console.log(
    `${name.padEnd(14)}  ${median(seconds).toFixed(2).padStart(8)}   (${span})`.padEnd(47) +
      `${ratio.toFixed(1).padStart(6)}${`${peak.toFixed(0)} MB`.padStart(16)}${(peak / baseMemory).toFixed(1).padStart(14)}`,
  )
}
for (const [what, ms] of Object.entries(results.get('leakscope').at(-1).stages ?? {})) {
  console.log(`  leakscope's last run: ${what.padEnd(20)} ${ms.toFixed(0).padStart(6)} ms`)
}

/** Runs one contestant in a process of its own; the seconds are its own, from before it opens the file. */
function run(name) {
  const child = spawnSync(
    process.execPath,
    ['--max-old-space-size=20000', join(here, 'contestants', `${name}.mjs`), file],
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  )
  const line = child.stdout.trimEnd().split('\n').at(-1)
  if (child.status !== 0) return { error: `failed: ${child.stderr.trim().split('\n').at(-1)}` }
  return JSON.parse(line)
}

function makeHeap(users) {
  const path = join(cache, `service-${users}.heapsnapshot`)
  if (existsSync(path)) return path
  console.log(`making ${path} …`)
  const made = spawnSync(
    process.execPath,
    ['--max-old-space-size=12000', join(here, 'make-heap.mjs'), `${path}.part`, users],
    { stdio: 'inherit' },
  )
  if (made.status !== 0) throw new Error('the heap could not be made')
  renameSync(`${path}.part`, path)
  return path
}

function installRivals() {
  const install = (folder) => {
    if (existsSync(join(folder, 'node_modules'))) return
    console.log(`installing the rivals of ${folder} …`)
    const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund'], {
      cwd: folder,
      stdio: 'inherit',
      // memlab wants a browser of its own, which reading files has no use for.
      env: { ...process.env, PUPPETEER_SKIP_DOWNLOAD: '1' },
    })
    if (status !== 0) throw new Error('the rivals could not be installed')
  }
  install(join(here, 'contestants'))
  install(fileURLToPath(new URL('../golden/make', import.meta.url)))
}
