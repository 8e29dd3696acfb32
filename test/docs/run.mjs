// `npm run docs`: runs every command whose output README.md and docs/ show, and writes the output in its place.
// `npm run docs -- NAME …` renews only these. It takes some five minutes, most of which is waiting.
//
// What is changed in an output before it is shown, and nothing else:
//  - the folder that the programs run in is called /home/you/app, and the process 4242 (a second one 4301);
//  - the sample server's comments that name its leaks are taken away before it runs;
//  - what is long is cut, with […] in the place of what is missing;
//  - `leakscope ps` lists only the processes that are started here.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { pages, readPage, renewed, shownIn } from './markers.mjs'

const root = fileURLToPath(new URL('../../', import.meta.url))
const cli = join(root, 'bin/leakscope.js')
const SHOWN_FOLDER = '/home/you/app'
const SHOWN_PID = '4242'
const CUT = '[…]'

/** As long as the name that is shown, so that tables keep their columns. */
const app = mkdtempSync(join(tmpdir(), 'ls'))
const children = []

/** By name; each gives what is shown. `help NAME` and `explain` are below. */
const OUTPUTS = {
  async ps() {
    const [leaky, fixed] = [await server('leaky'), await server('fixed')]
    const { text } = await leakscope('ps')
    const [heading, ...rows] = text.split('\n')
    const ours = rows.filter((row) => [leaky, fixed].some(({ pid }) => new RegExp(`^ *${pid} `).test(row)))
    // Numbers stand at the right of their column.
    const shown = [heading, ...ours]
      .join('\n')
      .replace(String(leaky.pid), SHOWN_PID.padStart(String(leaky.pid).length))
      .replace(String(fixed.pid), '4301'.padStart(String(fixed.pid).length))
    return `$ leakscope ps\n${shown}`
  },
  async diagnose() {
    const { pid } = await server('leaky')
    const shown = await session(pid, ['diagnose', pid, '--duration', '10s'])
    return cutAt(shown, /^ {2}3 {2}/m)
  },
  async 'diagnose light'() {
    const { pid } = await server('leaky')
    return session(pid, ['diagnose', pid, '--light', '--duration', '5s'])
  },
  async 'snapshot dry-run'() {
    const { pid } = await server('leaky')
    return session(pid, ['snapshot', pid, '--dry-run'])
  },
  async snapshot() {
    await snapshots()
    return snapshots.shown
  },
  async diff() {
    await snapshots()
    const shown = await session(0, ['diff', ...FILES, '--limit', '2'])
    return cutAt(shown, /^ {2}2 {2}/m, /^What grew/m)
  },
  async analyze() {
    await snapshots()
    return session(0, ['analyze', FILES.at(-1), '--limit', '3'])
  },
  async memory() {
    const { pid } = await server('leaky')
    return session(pid, ['memory', pid])
  },
  async watch() {
    const { pid } = await server('leaky')
    return session(pid, ['watch', pid, '--plain', '--every', '2s', '--count', '3'])
  },
  async trend() {
    const { pid } = await server('leaky')
    await leakscope('watch', pid, '--every', '1s', '--count', '40', '--record', 'run.jsonl')
    return `$ leakscope watch ${SHOWN_PID} --every 1s --count 40 --record run.jsonl\n${await session(pid, ['trend', 'run.jsonl'])}`
  },
  async 'heap profile'() {
    const lines = []
    for (const name of ['leaky', 'fixed']) {
      const { pid } = await server(name)
      const args = ['profile', pid, '--heap', '--interval', '16KiB', '--duration', '20s', '-o', `${name}.heapprofile`]
      lines.push(await session(pid, args))
    }
    lines.push(await session(0, ['top', 'leaky.heapprofile', '--limit', '5']))
    lines.push(await session(0, ['top', '--base', 'fixed.heapprofile', 'leaky.heapprofile', '--limit', '2']))
    return lines.join('\n')
  },
  async init() {
    const folder = join(app, 'new')
    mkdirSync(folder)
    writeFileSync(join(folder, 'package.json'), '{ "scripts": { "start": "node server.mjs" } }')
    writeFileSync(join(folder, 'server.mjs'), '')
    return session(0, ['init'], folder)
  },
  async check() {
    writeFileSync(
      join(app, 'scenario.mjs'),
      `const seen = []

export function iteration() {
  seen.push({ at: Date.now(), url: '/orders' })
}
`,
    )
    return session(0, ['check', '--script', 'scenario.mjs'])
  },
  async vitest() {
    installed()
    writeFileSync(
      join(app, 'sample.test.js'),
      `import 'leakscope/vitest'
import { expect, test } from 'vitest'

const kept = []
function addOrder(call) {
  kept.push({ call, text: 'item ' + call })
}

test('orders do not pile up', async () => {
  await expect(addOrder).not.toLeak({ iterations: 20_000 })
}, 60_000)
`,
    )
    const { text } = await run(['node_modules/vitest/vitest.mjs', 'run', '--root', '.', 'sample.test.js'], app)
    const from = text.indexOf('Error: ')
    return cutAt(neutral(text.slice(from, text.indexOf('⎯', from)).trimEnd(), 0), /^ {2}external/m, /^ {2}1 {2}/m)
  },
  async api() {
    await snapshots()
    example('api.mjs')
    const { pid } = await server('leaky')
    const { text } = await run(['api.mjs', pid], app)
    return `$ node api.mjs ${SHOWN_PID}\n${neutral(text, pid)}`
  },
  async heap() {
    await snapshots()
    example('heap.mjs')
    const { text } = await run(['heap.mjs'], app)
    return `$ node heap.mjs\n${neutral(text, 0)}`
  },
}

const FILES = [1, 2, 3].map((number) => `x-${number}.heapsnapshot`)

/** Three snapshots of the leaking server, taken once for all who want to show something of them. */
async function snapshots() {
  if (snapshots.shown) return
  const { pid } = await server('leaky')
  snapshots.shown = await session(pid, ['snapshot', pid, '--count', 3, '--every', '5s', '-o', 'x.heapsnapshot'])
}

/** Writes a program that docs/api.md shows. */
function example(name) {
  const programs = readPage('docs/api.md').matchAll(/```js\n(\/\/ (\S+)\n[\s\S]*?)\n```/g)
  const [, program] = [...programs].find(([, , title]) => title === name)
  installed()
  writeFileSync(join(app, name), program)
}

/** A package in which leakscope and Vitest are installed. */
function installed() {
  if (existsSync(join(app, 'node_modules'))) return
  mkdirSync(join(app, 'node_modules'))
  symlinkSync(root, join(app, 'node_modules/leakscope'))
  symlinkSync(join(root, 'node_modules/vitest'), join(app, 'node_modules/vitest'))
  writeFileSync(join(app, 'package.json'), '{"type":"module"}')
}

/** The sample server as a process of its own, with clients that talk; given to each who asks, it has been running for a while. */
async function server(name) {
  for (const file of ['leaky.mjs', 'fixed.mjs', 'clients.mjs']) {
    const source = readFileSync(join(root, 'fixtures/programs/chat-server', file), 'utf8')
    writeFileSync(join(app, file), source.replace(/ *\/\/ leak: .*$/gm, ''))
  }
  const child = start([`${name}.mjs`])
  const [line] = await once(child.stdout, 'data')
  const { port } = JSON.parse(line)
  start(['clients.mjs', port, 6, 50, 120])
  await sleep(2000)
  return { pid: child.pid }
}

function start(args) {
  const child = spawn(process.execPath, args.map(String), { cwd: app, stdio: ['ignore', 'pipe', 'ignore'] })
  children.push(child)
  return child
}

/** A command and its output, as a terminal shows them. */
async function session(pid, args, cwd = app) {
  const shown = args.map((arg) => (/[<>$ ]/.test(String(arg)) ? `'${arg}'` : arg)).join(' ')
  const { text } = await run([cli, ...args], cwd)
  return neutral(`$ leakscope ${shown}\n${text}`.trimEnd(), pid)
}

const leakscope = (...args) => run([cli, ...args], app)

/** What a program writes to both streams, in the order in which it comes. */
async function run(args, cwd) {
  const child = spawn(process.execPath, args.map(String), {
    cwd,
    env: {
      ...process.env,
      COLUMNS: '120',
      NO_COLOR: '1',
      FORCE_COLOR: undefined,
      CI: undefined,
      GITHUB_ACTIONS: undefined,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
  }
  const [code] = await once(child, 'close')
  return { code, text: stripVTControlCharacters(text).trimEnd() }
}

const neutral = (text, pid) =>
  text
    .replaceAll(app, SHOWN_FOLDER)
    .replaceAll(pid === 0 ? /$^/g : new RegExp(`\\b${pid}\\b`, 'g'), SHOWN_PID)
    .replace(/[ \t]+$/gm, '')

/** Without what is between the first match of `from` and the first of `to` behind it, or the end. */
function cutAt(text, from, to) {
  const start = text.search(from)
  if (start < 0) return text
  const end = to ? text.slice(start).search(to) : -1
  return `${text.slice(0, start)}  ${CUT}${end < 0 ? '' : `\n\n${text.slice(start + end)}`}`
}

/** How each output is made; undefined for a name that nothing makes. */
function producerOf(name) {
  const [what, command] = name.split(' ')
  if (what === 'help') return async () => (await leakscope(...(command ? [command] : []), '--help')).text
  if (name === 'explain') return () => session(0, ['explain'])
  return OUTPUTS[name]
}

process.on('exit', () => {
  for (const child of children) child.kill()
  rmSync(app, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130))

const wanted = process.argv.slice(2)
const names = new Set(pages().flatMap((page) => shownIn(readPage(page)).map(({ name }) => name)))
const outputs = new Map()
for (const name of wanted.length > 0 ? wanted : names) {
  const produce = producerOf(name)
  if (!produce || !names.has(name)) throw new Error(`no page shows the output '${name}', or nothing makes it`)
  console.log(`docs: ${name}`)
  outputs.set(name, await produce())
  for (const child of children.splice(0)) child.kill()
}
for (const page of pages()) {
  const text = readPage(page)
  const now = renewed(text, (name) => outputs.get(name))
  if (now === text) continue
  writeFileSync(root + page, now)
  console.log(`docs: wrote ${page}`)
}
