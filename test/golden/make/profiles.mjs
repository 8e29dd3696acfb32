// Makes the golden profiles anew, and what Chrome DevTools says of them: node test/golden/make/profiles.mjs
// Each is of the leaky chat server with clients that talk, on the Node that runs this.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { brotliCompressSync } from 'node:zlib'
import { CPUProfileDataModel } from './engine.mjs'

const TALK_MS = 5_000
const profiles = fileURLToPath(new URL('../profiles/', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'app-'))
const children = []
try {
  cpSync(fileURLToPath(new URL('../../../fixtures/programs/chat-server/', import.meta.url)), folder, { recursive: true })
  writeFileSync(join(folder, 'run.mjs'), "process.on('SIGTERM', () => process.exit())\nawait import('./leaky.mjs')\n")
  const flags = ['--cpu-prof', '--cpu-prof-name=a.cpuprofile', '--heap-prof', '--heap-prof-name=a.heapprofile']
  const server = start([...flags, '--heap-prof-interval=16384', 'run.mjs'])
  const [line] = await once(server.stdout, 'data')
  start(['clients.mjs', JSON.parse(line).port, 8, 10, 60])
  await sleep(TALK_MS)
  server.kill('SIGTERM')
  await once(server, 'exit')

  mkdirSync(profiles, { recursive: true })
  // Nothing of this machine, and the same length on every one.
  const read = (name) => readFileSync(join(folder, name), 'utf8').replaceAll(`${pathToFileURL(folder).href}/`, 'file:///app/')
  const cpu = read('a.cpuprofile')
  const write = (name, text) => writeFileSync(join(profiles, `${name}.br`), brotliCompressSync(text))
  write('chat-server.cpuprofile', cpu)
  write('chat-server.heapprofile', read('a.heapprofile'))
  write('chat-server.cpuprofile.golden.json', JSON.stringify(devtools(JSON.parse(cpu))))
} finally {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
}

function start(args) {
  const child = spawn(process.execPath, args.map(String), { cwd: folder, env: {}, stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  return child
}

/** DevTools' figures in milliseconds, by function: of its own, and with all that it called, counted once. */
function devtools(profile) {
  const model = new CPUProfileDataModel(profile)
  const rows = new Map()
  const add = (node, open) => {
    const key = JSON.stringify([node.functionName, node.url, node.lineNumber, node.columnNumber])
    const row = rows.get(key) ?? { self: 0, total: 0 }
    rows.set(key, row)
    row.self += node.self
    if (!open.has(key)) row.total += node.total
    for (const child of node.children) add(child, new Set([...open, key]))
  }
  add(model.root, new Set())
  return {
    madeWith: { node: process.version, engine: 'chrome-devtools-frontend' },
    total: model.total,
    rows: [...rows].map(([key, { self, total }]) => [...JSON.parse(key), self, total]),
  }
}
