// Programs that a tool compiled on their way to V8, of which only the process has the text and the source map.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Report, ReportSchema } from '../../src/findings/report.ts'
import { mapOf, placeOf, withMap } from '../support/compiled.ts'
import { runCli, start, TARGET_NODE, temporaryFolder, until } from '../support/target.ts'

const SOURCE = `import { EventEmitter } from 'node:events'

interface Row {
  readonly id: number
}

// A comment, types and blank lines, so that nothing stays where it was.

class Entry {
  constructor(readonly row: Row, readonly at: number) {}
}

const bus = new EventEmitter().setMaxListeners(0)
const cache = new Map<number, Entry>()

function remember(row: Row): void {
  cache.set(row.id, new Entry(row, Date.now()))
}

function subscribe(n: number): void {
  bus.on('tick', () => n)
}
`
const RAN =
  'const{EventEmitter:a}=require("node:events");class t{constructor(e,r){this.row=e;this.at=r}}' +
  'const e=(new a).setMaxListeners(0),r=new Map;function o(n){r.set(n.id,new t(n,Date.now()))}' +
  'function s(n){e.on("tick",()=>n)}let i=0;' +
  'setInterval(()=>{for(let n=0;n<20;n++){o({id:i++});s(n)}},20);console.log("ready");'
const TOKENS = [
  { ran: 't{constructor', source: 'Entry', name: 'Entry' },
  { ran: 'e=(new', source: 'bus = ', name: 'bus' },
  { ran: 'r=new', source: 'cache = ', name: 'cache' },
  { ran: 'o(n)', source: 'remember', name: 'remember' },
  { ran: 'r.set', source: 'cache.set', name: 'cache' },
  { ran: 's(n)', source: 'subscribe', name: 'subscribe' },
  { ran: 'e.on', source: "bus.on('tick'", name: 'bus' },
  { ran: '()=>n', source: '() => n' },
  { ran: 'let i' },
]

/** Starts a program whose module is compiled from a text that no file has. */
async function run(setUp: (load: string) => string): Promise<{ pid: number; source: string }> {
  const folder = temporaryFolder()
  const source = join(folder, 'app.ts')
  writeFileSync(source, SOURCE)
  const text = withMap(RAN, mapOf(RAN, [{ url: 'app.ts', text: SOURCE }], TOKENS))
  const load = `const Module = require('node:module'); new Module('app')._compile(${JSON.stringify(text)}, ${JSON.stringify(source)})`
  const main = join(folder, 'main.cjs')
  writeFileSync(main, setUp(load))
  const child = start(TARGET_NODE, ['--inspect-port=0', main], { env: { ...process.env, NODE_OPTIONS: '' } })
  let output = ''
  child.stdout.on('data', (part) => {
    output += part
  })
  await until(() => output.includes('ready'), 'the program to be ready')
  return { pid: child.pid!, source }
}

async function report(...args: (string | number)[]): Promise<Report> {
  const { stdout, stderr } = await runCli([...args, '--json', '-q'], { cwd: temporaryFolder() })
  return ReportSchema.parse(JSON.parse(stdout), { error: () => stderr })
}

/** What is found, each by its pattern, with its title, its place, and the marked line of its code frame. */
const said = ({ findings }: Report) =>
  Object.fromEntries(
    findings.map(({ pattern, title, culprit, codeFrame }) => [
      pattern,
      { title, culprit, text: codeFrame.find(({ line }) => line === culprit?.line)?.text },
    ]),
  )

const right = (source: string) => ({
  'growing-collection': {
    title: expect.stringMatching(/^cache gained [\d,]+ Entry,/),
    culprit: { url: source, line: placeOf(SOURCE, 'cache.set').line, package: null },
    text: '  cache.set(row.id, new Entry(row, Date.now()))',
  },
  'listener-leak': {
    title: expect.stringContaining("listeners for 'tick' on bus,"),
    culprit: { url: source, line: placeOf(SOURCE, 'bus.on').line },
    text: "  bus.on('tick', () => n)",
  },
})

test('leaks are told by the lines and the names of the source, also by a capture that was kept, as long as it is there', async () => {
  const { pid, source } = await run((load) => load)
  const kept = join(temporaryFolder(), 'kept')
  const diagnosed = await report('diagnose', pid, '--duration', '6s', '-o', kept)
  expect(said(diagnosed)).toMatchObject(right(source))
  expect(JSON.stringify(diagnosed.findings.map(({ retainingPath }) => retainingPath))).toContain("variable 'cache'")
  expect(diagnosed.findings.map(({ advice }) => advice).join()).toContain(`app.ts:${placeOf(SOURCE, 'bus.on').line}`)
  expect(said(await report('diff', kept))).toMatchObject(right(source))

  writeFileSync(source, '// nothing is left\n')
  const changed = Object.values(said(await report('diff', kept)))
  expect(changed.length).toBeGreaterThan(0)
  for (const { culprit } of changed) {
    expect(culprit).toMatchObject({ url: source, line: 0, column: 0 })
  }
  const { stdout } = await runCli(['diff', kept, '-q'])
  expect(stdout).toContain('app.ts, which differs from what ran')
  expect(stdout).not.toMatch(/app\.ts:\d/)
})

test('so are those of a worker', async () => {
  const { pid, source } = await run(
    (load) => `new (require('node:worker_threads').Worker)(${JSON.stringify(load)}, { eval: true })`,
  )
  expect(said(await report('diagnose', pid, '--duration', '6s'))).toMatchObject(right(source))
})
