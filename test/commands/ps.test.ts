// `leakscope ps` as a user runs it, with Node processes that hide under other names.

import { execFileSync } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  NOBODY,
  nobodyMayRun,
  portsOf,
  runCli,
  spawnTarget,
  start,
  TARGET_NODE,
  temporaryFolder,
  until,
} from '../support/target.ts'

const VERSION = execFileSync(TARGET_NODE, ['--version'], { encoding: 'utf8' }).trim()

interface Listed {
  readonly pid: number
  readonly nodeVersion: string
  readonly rssBytes: number
  readonly ageMs: number
  readonly command: readonly string[]
  readonly inspector: { readonly state: string; readonly port?: number }
}

async function ps(): Promise<Listed[]> {
  const { code, stdout, stderr } = await runCli(['ps', '--json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return (JSON.parse(stdout) as { processes: Listed[] }).processes
}

test('tells version, memory, age, command and inspector of a process', async () => {
  const target = await spawnTarget('globalThis.filler = Buffer.alloc(50e6, 1)')
  const listed = (await ps()).find((it) => it.pid === target.pid)!
  expect(listed).toMatchObject({ nodeVersion: VERSION, inspector: { state: 'closed' } })
  expect(listed.rssBytes).toBeGreaterThan(70e6)
  expect(listed.ageMs).toBeGreaterThan(0)
  expect(listed.ageMs).toBeLessThan(60_000)
  expect(listed.command.slice(0, 2)).toEqual([TARGET_NODE, '--inspect-port=0'])
})

test('shows an open inspector with its port, and does not touch the ports of the program', async () => {
  const target = await spawnTarget(
    `require('net').createServer(() => console.log('touched')).listen(0, '127.0.0.1', () => console.log('listening'))`,
    { args: ['--inspect=127.0.0.1:0'] },
  )
  const port = Number(/ws:\/\/127\.0\.0\.1:(\d+)/.exec(target.output())![1])
  await until(() => portsOf(target.pid).length === 2)
  const listed = (await ps()).find((it) => it.pid === target.pid)
  expect(listed?.inspector).toEqual({ state: 'open', host: '127.0.0.1', port })
  expect(target.output()).not.toContain('touched')
})

test('finds Node under another name, another title and another first argument', async () => {
  const copy = join(temporaryFolder(), 'myserver')
  copyFileSync(TARGET_NODE, copy)
  const renamed = await spawnTarget('', { executable: copy })
  const titled = await spawnTarget(`process.title = 'nothing to see'`)
  const disguised = await spawnTarget('', { argv0: 'python3' })
  const processes = await ps()
  for (const { pid } of [renamed, titled, disguised]) {
    expect(processes.find((it) => it.pid === pid)?.nodeVersion).toBe(VERSION)
  }
})

test('leaves out what is not Node, though it is called so, and leakscope itself', async () => {
  const impostor = join(temporaryFolder(), 'node')
  copyFileSync('/bin/sleep', impostor)
  const { pid } = start(impostor, ['30'])
  const processes = await ps()
  expect(processes.map((it) => it.pid)).not.toContain(pid)
  expect(processes.filter((it) => it.command.includes('ps'))).toEqual([])
})

test('prints a table that fits, the largest first, with nothing in it that could steer a terminal', async () => {
  const target = await spawnTarget(`process.title = 'evil\\u001b[2J\\nname ' + 'x'.repeat(40)`)
  const { code, stdout } = await runCli(['ps'])
  expect(code).toBe(0)
  expect(stdout).not.toContain('\u001b')
  const [head, ...rows] = stdout.trimEnd().split('\n')
  expect(head).toMatch(/^ *PID +NODE +RSS +AGE +INSPECTOR +COMMAND$/)
  for (const row of rows) expect(row.length).toBeLessThanOrEqual(120)
  expect(rows.find((row) => row.trim().startsWith(`${target.pid} `))).toContain('evil\\u001b[2J')
})

test.runIf(nobodyMayRun)('shows somebody else’s Node as far as may be seen', async () => {
  const target = await spawnTarget('', { argv0: 'node' })
  const { stdout } = await runCli(['ps', '--json'], NOBODY)
  const { processes } = JSON.parse(stdout) as { processes: Listed[] }
  expect(processes.find((it) => it.pid === target.pid)).toMatchObject({
    nodeVersion: null,
    inspector: { state: 'unknown' },
  })
})
