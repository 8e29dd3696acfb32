// `leakscope check` as a CI job runs it: on programs, scenarios and files.

import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { ReportSchema } from '../../../src/findings/report.ts'
import { serviceHeap } from '../../support/service.ts'
import {
  CLI,
  type CliResult,
  filesIn,
  portsOf,
  spawnTarget,
  startCli,
  temporaryFolder,
  until,
} from '../../support/target.ts'

let cwd: string

const SERVER = (work: string) => `
  import http from 'node:http'
  const seen = []
  const server = http.createServer((request, response) => { ${work}; response.end('ok') })
  server.listen(process.env.PORT, () => console.log('pid ' + process.pid + ' is up'))`

beforeAll(() => {
  cwd = temporaryFolder()
  const write = (name: string, text: string) => writeFileSync(join(cwd, name), text)
  write(
    'leaky.mjs',
    `const kept = []\nexport function iteration(_, number) {\n  kept.push({ number, text: 'item ' + number })\n}\n`,
  )
  write(
    'healthy.mjs',
    `export const setup = () => new Map()
     export function iteration(cache, number) {
       cache.set(number % 500, JSON.stringify({ number }))
       console.log(number, { some: 'object' })
     }`,
  )
  write('throws.cjs', `exports.iteration = (_, number) => { if (number === 3) throw new Error('out of order') }`)
  write(
    'in-worker.mjs',
    `import { once } from 'node:events'
     import { Worker } from 'node:worker_threads'
     export const setup = () => new Worker(new URL('./worker.mjs', import.meta.url))
     export async function iteration(worker, number) {
       worker.postMessage(number)
       await once(worker, 'message')
     }
     export const teardown = (worker) => worker.terminate()`,
  )
  write(
    'worker.mjs',
    `import { parentPort } from 'node:worker_threads'
     const kept = []
     parentPort.on('message', (number) => {
       kept.push({ number, text: 'item ' + number })
       parentPort.postMessage(number)
     })`,
  )
  write('nothing.mjs', `export const iterations = 3`)
  write('leaky-server.mjs', SERVER('seen.push({ url: request.url })'))
  write('fails.mjs', `console.error('no database'); process.exit(4)`)
  write(
    'load.mjs',
    `import http from 'node:http'
     if (!(Number(process.env.PID) > 0)) process.exit(9)
     const agent = new http.Agent({ keepAlive: true, maxSockets: 8 })
     const one = () => new Promise((resolve, reject) => http.get({ port: process.env.PORT, agent }, (response) => response.resume().on('end', resolve)).on('error', reject))
     for (let i = 0; i < 40; i++) await Promise.all(Array.from({ length: 20 }, one))
     agent.destroy()`,
  )
  for (const [i, name] of ['a', 'b', 'c'].entries()) write(name, serviceHeap({ logs: 100 + 400 * i }))
  mkdirSync(join(cwd, 'empty'))
})

const env = { ...process.env, GITHUB_ACTIONS: '', PORT: '', NODE_OPTIONS: '' }
/** A check waits more than it works, so several run at once; on a busy machine each takes its time. */
const PATIENCE_MS = 240_000

const leakscope = (...args: string[]) =>
  new Promise<CliResult>((done) => {
    execFile(process.execPath, [CLI, ...args], { cwd, env, timeout: PATIENCE_MS }, (error, stdout, stderr) =>
      done({ code: error ? ((error.code as number | undefined) ?? null) : 0, stdout, stderr }),
    )
  })
const check = (...args: string[]) => leakscope('check', ...args)
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe.concurrent('leakscope check on a scenario', { timeout: PATIENCE_MS }, () => {
  test('fails when it leaks, names the line, and keeps the snapshots without its texts', async () => {
    const { code, stdout, stderr } = await check('--script', 'leaky.mjs', '-o', 'kept', '--format', 'json=out.json')
    expect(stdout).toMatch(/^Failed: memory grows with the work\n/)
    expect(stdout).toMatch(/1 leak found/)
    expect(stdout).toMatch(/leaky\.mjs:3:\d+/)
    expect(stderr).toContain('the snapshots are in kept')
    expect(code).toBe(1)

    const {
      check: measured,
      findings,
      target,
    } = ReportSchema.parse(JSON.parse(readFileSync(join(cwd, 'out.json'), 'utf8')))
    expect(measured).toMatchObject({ verdict: 'growing', outcome: 'failed', unit: 'iteration' })
    expect(measured!.measures[0]).toMatchObject({ measure: 'heap', verdict: 'growing' })
    expect(measured!.measures[0]!.perUnit).toBeGreaterThan(40)
    expect(measured!.measures[0]!.perUnit).toBeLessThan(200)
    expect(findings[0]!.pattern).not.toBe('')
    expect(isAlive(target!.pid)).toBe(false)

    expect(filesIn(join(cwd, 'kept')).sort()).toEqual([
      'capture.json',
      ...[1, 2, 3].map((i) => `main-${i}.heapsnapshot.gz`),
      'scripts.json.gz',
    ])
    const diff = await leakscope('diff', 'kept', '--json')
    expect(JSON.parse(diff.stdout).snapshots).toHaveLength(3)
    expect(diff.stdout).not.toContain('item 1')
  })

  test('fails when one of its threads leaks, and names the line', async () => {
    const { code, stdout } = await check('--script', 'in-worker.mjs')
    expect(stdout).toMatch(/^ {2}workers: \d+ B each iteration .* it grew in/m)
    expect(stdout).toMatch(/worker\.mjs:4:\d+/)
    expect(code).toBe(1)
  })

  test('passes when it is healthy, though it fills a cache and logs objects', async () => {
    const { code, stdout, stderr } = await check('--script', 'healthy.mjs')
    expect(stdout).toMatch(/^(Passed: memory does not grow|Undecided)/)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })

  test('is undecided where there is no time, which fails only where that is wanted, and not where nothing is to fail', async () => {
    const args = ['--script', 'healthy.mjs', '--max-duration', '100ms']
    const [loose, strict, reports] = await Promise.all([
      check(...args),
      check(...args, '--strict'),
      check(...args, '--strict', '--fail-on', 'never'),
    ])
    expect(loose.stdout).toMatch(
      /^Undecided: the rounds do not tell whether memory grows\n.+--max-duration allows more/,
    )
    expect(loose.code).toBe(0)
    expect(strict.stdout).toMatch(/^Failed: the rounds do not tell/)
    expect(strict.code).toBe(1)
    expect(reports.stdout).toMatch(/^Failed: the rounds do not tell/)
    expect(reports.code).toBe(0)
  })

  test('passes on a leak that a baseline knows', async () => {
    expect((await check('--script', 'leaky.mjs', '--baseline', 'b.json', '--update-baseline')).code).toBe(0)
    const again = await check('--script', 'leaky.mjs', '--baseline', 'b.json')
    expect(again.stdout).toMatch(/^Passed: memory grows with the work, but only by leaks that are known\n/)
    expect(again.stdout).toContain('0 new, 1 known, 0 fixed')
    expect(again.code).toBe(0)
  })
})

describe.concurrent('leakscope check on a program', { timeout: PATIENCE_MS }, () => {
  test('starts it, drives it, names its leak, and leaves nothing behind', async () => {
    const args = [
      '--load',
      'node load.mjs',
      '--iterations-per-load',
      '800',
      '--json',
      '--',
      process.execPath,
      'leaky-server.mjs',
    ]
    const { code, stdout } = await check(...args)
    const report = ReportSchema.parse(JSON.parse(stdout))
    expect(report.check).toMatchObject({ verdict: 'growing', outcome: 'failed' })
    expect(report.findings[0]!.culprit!.url).toMatch(/leaky-server\.mjs$/)
    expect(code).toBe(1)
    expect(isAlive(report.target!.pid)).toBe(false)
  })

  test.each<[args: string[], code: number, says: RegExp]>([
    [[], 2, /there is nothing to check\n.+-- node server\.js/],
    [['--', 'npm', 'start'], 2, /npm would be measured instead of the program/],
    [['a', '--', 'node', 'fails.mjs'], 2, /'a' is neither an option nor behind --/],
    [['--pid', '1', '--', 'node'], 2, /--pid is for a program that runs already/],
    [['--load', 'x', '--script', 'y', '--', 'node'], 2, /--load and --script cannot both/],
    [
      ['--max-growth', 'much', '--', 'node'],
      2,
      /--max-growth takes 1KB\/iteration, 5% or 2MB, or the like, not 'much'/,
    ],
    [['--ready', '(', '--', 'node', 'fails.mjs'], 2, /--ready takes a port, a URL or a regular expression/],
    [
      ['--load', 'true', '--', 'node', 'fails.mjs'],
      3,
      /the program ended with exit code 4 before it was ready\n.+no database/,
    ],
    [['--load', 'true', '--', 'no-such-program'], 3, /the program could not be started: .*ENOENT/],
    [
      ['--load', 'true', '--ready-timeout', '1s', '--', 'sleep', '60'],
      3,
      /after 1\.0 s, nothing listens on port \d+ yet/,
    ],
    [
      ['--load', 'echo no answer; exit 3', '--', process.execPath, 'leaky-server.mjs'],
      3,
      /the load ended with exit code 3: .+\n.+no answer/,
    ],
    [['--script', 'throws.cjs'], 3, /throws\.cjs: iteration 4 failed: Error: out of order/],
    [['--script', 'nothing.mjs'], 3, /nothing\.mjs: setup failed: .*it exports no function called iteration/],
    [['--script', 'missing.mjs'], 3, /missing\.mjs: no such file/],
    [['--script', 'leaky.mjs', '-o', 'none/x'], 3, /the folder .*none does not exist/],
  ])('%j ends with %i', async (args, code, says) => {
    const result = await check(...args)
    expect(result.stderr).toMatch(says)
    expect(result.code).toBe(code)
    expect(result.stdout).toBe('')
  })
})

describe('leakscope check, seen from outside', () => {
  test('measures one that is running, and leaves it running', async () => {
    const source =
      'globalThis.kept = []; setInterval(() => kept.push({ at: Date.now(), text: "kept " + kept.length }), 0.2)'
    const target = await spawnTarget(source)
    const { code, stdout, stderr } = await check(
      '--pid',
      `${target.pid}`,
      '--max-growth',
      '100B/second',
      '--max-duration',
      '1s',
    )
    expect(stderr).toBe('')
    // Five rounds do not fit into a second: there is nothing to be told, and that is what it says.
    expect(stdout).toMatch(/^Undecided/)
    expect(stdout).toMatch(/budget: 100B\/second\./)
    expect(code).toBe(0)
    expect(await target.answers()).toBe(true)
    expect(portsOf(target.pid)).toEqual([])
  })

  test('ends it on Ctrl-C', async () => {
    const args = ['check', '--ready', 'pid (\\d+)', '--', process.execPath, 'leaky-server.mjs']
    const cli = startCli(args, { cwd, env: { ...env, PORT: '0' } })
    const children = () => readFileSync(`/proc/${cli.child.pid}/task/${cli.child.pid}/children`, 'utf8').trim()
    await until(() => children() !== '', 'the program to be started')
    const pid = Number(children().split(' ')[0])
    cli.child.kill('SIGINT')
    expect((await cli.done).code).toBe(130)
    expect(isAlive(pid)).toBe(false)
  })
})

describe('leakscope check on files', () => {
  test('fails on the leaks in them, unless told not to', async () => {
    const runs = [
      ['a', 'b', 'c'],
      ['a', 'b', 'c', '--fail-on', 'never'],
      ['a', 'a', 'a'],
    ].map((args) => check(...args))
    expect((await Promise.all(runs)).map(({ code }) => code)).toEqual([1, 0, 0])
  })
})
