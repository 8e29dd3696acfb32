// What a core file tells of the end of its process, held against what V8 itself wrote when it ended it.

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openCore } from '../../src/outside/open.ts'
import { nodeBinary } from '../matrix/nodes.mjs'
import { filesIn, TARGET_NODE, temporaryFolder } from '../support/target.ts'

const THROWS = `function inner(order) { return order.customer.name }
function handle(i) { const order = { i }
  return inner(order) }
setTimeout(function onTimer() { handle(3) }, 20)`
const FILLS = `const ledger = new Map(); let id = 0
function work() { for (let i = 0; i < 1000; i++) ledger.set(id++, { id, list: new Array(20).fill(i) }) }
while (true) work()`

const writesCores = process.platform === 'linux' && /^core/.test(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'))
// V8 writes places in another way as of 14, and has them elsewhere as of 12.
const binaries = process.env.LEAKSCOPE_TEST_NODE
  ? [TARGET_NODE]
  : [TARGET_NODE, await nodeBinary(24), await nodeBinary(26)]

function end(executable: string, source: string) {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'app.js'), source)
  const args = ['--max-old-space-size=30', '--abort-on-uncaught-exception', 'app.js']
  const command = `ulimit -c unlimited; exec "$0" ${args.join(' ')}`
  const { stderr, stdout } = spawnSync('sh', ['-c', command, executable], { cwd: folder, encoding: 'utf8' })
  const core = filesIn(folder).find((file) => file.startsWith('core'))!
  return { said: stdout + stderr, ...openCore(join(folder, core)) }
}

describe.runIf(writesCores)('the end of a process', () => {
  test.each(binaries)('by an exception has the stack that V8 writes, place by place: %s', (executable) => {
    const { said, endedBy, ending } = end(executable, THROWS)
    expect([4, 5]).toContain(endedBy)
    const written = [...said.matchAll(/(\w+)(?: \[as \w+\])? \(([^()]*:\d+:\d+)\)/g)].map(([, name, place]) => [
      name,
      place,
    ])
    expect(written.length).toBeGreaterThan(3)
    expect(ending!.stack.map(({ function: name, url, line, column }) => [name, `${url}:${line}:${column}`])).toEqual(
      written,
    )
    expect(ending!.error).toMatch(/^TypeError: Cannot read properties of undefined/)
    expect(ending!.outOfMemory).toBeUndefined()
  })

  test.each(binaries)('by too little memory says so, as V8 does: %s', (executable) => {
    const { said, endedBy, ending } = end(executable, FILLS)
    expect(endedBy).toBe(6)
    const { where, heapMegabytes } = ending!.outOfMemory!
    expect(said).toContain(`FATAL ERROR: ${where} `)
    expect(said).toContain(`-> ${heapMegabytes!.toFixed(1)} (`)
    expect(ending!.stack.map(({ function: name }) => name)).toContain('work')
  })
})
