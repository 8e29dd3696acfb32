// What the tools of systems without /proc print, as recorded there; and ps itself where there is one.

import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { parseElapsed, parseLsof, parseNetstat, parsePs, parseWin32Process, unix } from '../../src/target/portable.ts'

test('reads a line of ps', () => {
  expect(parsePs(42, 'Ss     501  81234 03-02:01:05 node server.js --port 80\n')).toMatchObject({
    pid: 42,
    state: 'running',
    uid: 501,
    rssBytes: 81234 * 1024,
    ageMs: (3 * 86_400 + 2 * 3600 + 65) * 1000,
    command: ['node server.js --port 80'],
  })
  expect(parsePs(42, 'T+ 0 1 00:01 node')?.state).toBe('stopped')
  expect(parsePs(42, 'Z 0 0 00:01 <defunct>')?.state).toBe('zombie')
  expect(parsePs(42, '')).toBe(undefined)
})

test.each([
  ['00:05', 5],
  ['12:34', 754],
  ['1:00:00', 3600],
  ['2-00:00:01', 172_801],
])('reads the elapsed time %s', (text, seconds) => {
  expect(parseElapsed(text)).toBe(seconds * 1000)
})

test('reads the fields of lsof', () => {
  expect(parseLsof('p42\nf21\nPTCP\nn127.0.0.1:9229\nf22\nPTCP\nn*:3000\nf23\nPTCP\nn[::1]:3001\n')).toMatchObject([
    { host: '127.0.0.1', port: 9229 },
    { host: '0.0.0.0', port: 3000 },
    { host: '::1', port: 3001 },
  ])
})

test('reads netstat of Windows in any language', () => {
  const text = [
    'Aktive Verbindungen',
    '  Proto  Lokale Adresse         Remoteadresse          Status           PID',
    '  TCP    127.0.0.1:9229         0.0.0.0:0              ABHÖREN          4242',
    '  TCP    127.0.0.1:50000        127.0.0.1:9229         HERGESTELLT      4300',
  ].join('\r\n')
  expect(parseNetstat(text)).toMatchObject([{ pid: 4242, listener: { host: '127.0.0.1', port: 9229 } }])
})

test('reads what PowerShell tells of a process', () => {
  const text = '{"CommandLine":"node app.js","WorkingSetSize":1000,"AgeMs":2000}\r\n'
  expect(parseWin32Process(7, text)).toMatchObject({ pid: 7, rssBytes: 1000, ageMs: 2000, command: ['node app.js'] })
  expect(parseWin32Process(7, '')).toBe(undefined)
})

function hasPs(): boolean {
  try {
    execFileSync('ps', ['-p', '1'])
    return true
  } catch {
    return false
  }
}

describe.runIf(hasPs())('with a real ps', () => {
  test('finds and describes this process', async () => {
    expect(await unix.listPids()).toContain(process.pid)
    const facts = await unix.describe(process.pid)
    expect(facts).toMatchObject({ pid: process.pid, state: 'running', uid: process.getuid?.() })
    expect(facts!.rssBytes).toBeGreaterThan(10e6)
    expect(await unix.describe(4_000_000)).toBe(undefined)
  })
})
