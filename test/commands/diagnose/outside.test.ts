// `leakscope diagnose --via outside` as a user runs it: the same findings, and the process does nothing for them.

import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Report, ReportSchema } from '../../../src/findings/report.ts'
import { filesIn, portsOf, runCli, spawnTarget, TARGET_NODE, temporaryFolder } from '../../support/target.ts'

const onLinux = process.platform === 'linux'

async function diagnose(target: number, ...args: string[]): Promise<Report> {
  const wanted = ['diagnose', target, '--via', 'outside', '--max-pause', '10s', '--json', '-q', '--fail-on', 'never']
  const { code, stdout, stderr } = await runCli([...wanted, ...args])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return ReportSchema.parse(JSON.parse(stdout))
}

/** Up to 2.40, glibc keeps each text that was ever put into an environment, and nothing in the heap stands for it. */
function environmentLeaks(): boolean {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  const [major = 0, minor = 0] = (header.glibcVersionRuntime ?? '').split('.').map(Number)
  return major === 2 && minor < 41
}

/** Garbage makes V8 collect, and move what stays to where it is left alone: only there it can be looked at alive. */
const LEAK = `const sessions = new Map(); let id = 0
  setInterval(() => sessions.set('session ' + id++, { id, seen: ['/'] }), 10)
  setInterval(() => { globalThis.garbage = Array.from({ length: 20_000 }, (_, i) => ({ i })) }, 20)`

describe.runIf(onLinux)('leakscope diagnose --via outside', () => {
  test('names what leaks, looks at it alive, and opens no inspector', async () => {
    const target = await spawnTarget(LEAK)
    const { findings, target: named, growth, via } = await diagnose(target.pid, '--duration', '6s')
    expect(findings.length).toBeGreaterThan(0)
    expect(findings[0]).toMatchObject({ pattern: 'growing-collection', severity: 'error', isolate: 'main' })
    expect(findings[0]!.title).toMatch(/^sessions gained /)
    expect(findings[0]!.evidence.liveSizeLater).toBeGreaterThan(Number(findings[0]!.evidence.liveSize))
    expect(named).toMatchObject({ pid: target.pid, nodeVersion: expect.stringMatching(/^v\d+/) })
    expect(growth).toMatchObject({ matching: 'id' })
    expect(via).toBe('outside')
    expect(portsOf(target.pid)).toEqual([])
    expect(target.output()).not.toContain('Debugger')
    expect(await target.answers()).toBe(true)
  }, 60_000)

  test('knows the text of a script that no file has', async () => {
    const target = await spawnTarget(
      `require('node:vm').runInThisContext(${JSON.stringify(LEAK)}, { filename: '/nowhere/made.js' })`,
    )
    const [leak] = (await diagnose(target.pid, '--duration', '6s')).findings
    // Without the text nobody would know the line that puts things in.
    expect(leak?.culprit).toMatchObject({ url: expect.stringMatching(/\/nowhere\/made\.js$/), line: 2 })
  }, 60_000)

  test('is the way that is taken where the inspector’s costs too much, and says so', async () => {
    const target = await spawnTarget(LEAK)
    const { code, stdout, stderr } = await runCli(['diagnose', target.pid, '--duration', '4s', '--memory-limit', '1MB'])
    expect(code, stderr).toBe(0)
    expect(stderr).toContain('it is read from outside, as by the inspector it may need')
    expect(stderr).toMatch(new RegExp(`process ${target.pid} (was idle and did not stand|stood) still`))
    expect(stdout).toContain('sessions gained')
  }, 60_000)

  test('tells of memory beside the heap, which native code loses, what it consists of', async () => {
    const target = await spawnTarget(
      `let n = 0; setInterval(() => { for (let i = 0; i < 5; i++) process.env.TOKEN = 'x'.repeat(8000) + n++ }, 20)`,
    )
    const report = await diagnose(target.pid, '--duration', '6s')
    const { offHeap, vitals } = report
    expect(vitals![0]).toMatchObject({ heapUsedBytes: expect.any(Number), arrayBuffersBytes: expect.any(Number) })
    const { ledger, rssBytes } = report.process!
    expect(ledger.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(rssBytes)
    const used = ledger.find(({ id }) => id === 'js-heap-used')!.bytes
    expect(used).toBeGreaterThan(2e6)
    expect(used).toBeLessThan(20e6)
    if (!environmentLeaks()) {
      expect(offHeap!.verdict).toBe('still')
      return
    }
    expect(['rose', 'uneven']).toContain(offHeap!.verdict)
    expect(offHeap!.bytes).toBeGreaterThan(2e6)
    const finding = report.findings.find(({ evidence }) => evidence.seenBy === 'system')
    expect(finding).toMatchObject({ pattern: 'off-heap-growth', reason: expect.stringContaining('no garbage was') })
  }, 60_000)

  test('has allocations sampled meanwhile, where that is asked for, and shuts the inspector again', async () => {
    const target = await spawnTarget(
      `const all = []; const add = (x) => { all.push(x) }; const jobs = [add]; let n = 0
       const fetchRow = () => { return { id: n++, text: 'row number ' + n, more: new Array(40).fill(n) } }
       setInterval(() => { for (let i = 0; i < 20; i++) for (const job of jobs) job(fetchRow()) }, 10)`,
      { args: ['--inspect-port=0'] },
    )
    const { findings, sampling, via } = await diagnose(target.pid, '--with-profile', '--duration', '6s')
    expect({ via, sampling }).toMatchObject({ via: 'outside', sampling: { readings: 3, intervalBytes: 131_072 } })
    expect(findings[0]!.evidence.allocationSites).toMatchObject([{ url: '[eval]', bytes: expect.any(Number) }])
    expect(portsOf(target.pid)).toEqual([])
    expect(await target.answers()).toBe(true)
  }, 60_000)

  test('says of a thread that is busy, and that nobody asks for anything, what is known', async () => {
    const target = await spawnTarget(
      'globalThis.turns = 0; setTimeout(function spin() { for (;;) globalThis.turns++ }, 500)',
    )
    const { findings } = await diagnose(target.pid, '--duration', '4s')
    expect(findings).toMatchObject([{ pattern: 'busy-loop', wastes: 'cpu', severity: 'note' }])
    expect(findings[0]!.title).toMatch(/^The main thread was at work for \d+ % of/)
    expect(findings[0]!.culprit).toMatchObject({ function: 'spin', url: '[eval]', line: 1 })
  }, 60_000)

  test('is for processes of this machine, and for whole diagnoses', async () => {
    const remote = await runCli(['diagnose', 'localhost:9229', '--via', 'outside'])
    expect(remote.code).toBe(2)
    expect(remote.stderr).toContain('--via outside reads processes of this machine by their pid, not localhost:9229')
    const light = await runCli(['diagnose', process.pid, '--via', 'outside', '--light'])
    expect(light.code).toBe(2)
  })
})

const writesCores = onLinux && /^core/.test(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'))

describe.runIf(writesCores)('a core file', () => {
  const coreIn = (cwd: string, source: string): string => {
    spawnSync('sh', ['-c', 'ulimit -c unlimited; exec "$0" -e "$1"', TARGET_NODE, source], { cwd })
    return filesIn(cwd).find((file) => file.startsWith('core'))!
  }
  const KEPT = `class Account { constructor(i) { this.i = i } }
    globalThis.accounts = Array.from({ length: 4321 }, (_, i) => new Account(i)); process.abort()`

  test('is diagnosed: what ended the process, and what is in its heap', async () => {
    const cwd = temporaryFolder()
    const core = coreIn(cwd, KEPT)
    const { code, stdout, stderr } = await runCli(['diagnose', core], { cwd })
    expect(code).toBe(0)
    expect(stderr).toMatch(/^leakscope: core\S* is the memory of .*node.*, which SIGABRT ended, at .*\n( {2}at .*\n)+$/)
    expect(stdout).toContain('Where most is held')
    expect(stdout).toContain('.accounts')
    expect((await runCli(['diagnose', 'a.js', '--executable', 'node'], { cwd })).code).toBe(2)
  }, 60_000)

  test('is compared with a snapshot by class and place', async () => {
    const cwd = temporaryFolder()
    const core = coreIn(cwd, KEPT)
    const target = await spawnTarget(KEPT.replace('4321', '5000').replace('process.abort()', ''))
    const file = join(cwd, 'a.heapsnapshot')
    expect((await runCli(['snapshot', target.pid, '--via', 'outside', '-o', file], { cwd })).code).toBe(0)
    const { code, stdout } = await runCli(['diff', core, file, '--across-processes', '--json', '-q'], { cwd })
    expect(code).toBe(0)
    const { snapshots, growth } = ReportSchema.parse(JSON.parse(stdout))
    expect(snapshots.map((it) => it.file)).toEqual([core, file])
    expect(statSync(join(cwd, core)).isFile()).toBe(true)
    const row = growth!.constructors.find(({ name }) => name === 'Account')
    expect(row).toMatchObject({ countBefore: 4321, countAfter: 5000 })
  }, 60_000)
})
