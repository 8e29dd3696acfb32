// How often `leakscope check` is wrong: healthy programs that it fails, and leaking ones that it passes, each check the
// whole command, with every other core kept busy: node test/bench/flakes.mjs [checks of each sort]

import { spawn } from 'node:child_process'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { table } from './table.mjs'

const file = (name) => fileURLToPath(new URL(`./flakes/${name}`, import.meta.url))
const CLI = fileURLToPath(new URL('../../bin/leakscope.js', import.meta.url))
const REQUESTS = 1000
/** Works until whoever started it is gone. */
const BUSY = 'const { ppid } = process; while (process.ppid === ppid) for (let i = 0; i < 1e7; i++);'

const scenario = (name) => ({ name: name.replace(/.*\/|\.mjs$/g, ''), args: ['--script', file(name)], env: {} })
const server = (name, env) => {
  const load = `"${process.execPath}" "${file('load.mjs')}" ${REQUESTS}`
  const args = ['--load', load, '--iterations-per-load', String(REQUESTS), '--', process.execPath, file('server.mjs')]
  return { name, args, env }
}

const HEALTHY = [
  ...['console-log', 'caches', 'lazy-imports', 'json', 'worker-pool'].map((name) => scenario(`healthy/${name}.mjs`)),
  server('http-server', {}),
]
const LEAKING = [
  ...['records', 'map', 'closures', 'promises', 'buffers', 'noisy', 'worker'].map((name) =>
    scenario(`leaking/${name}.mjs`),
  ),
  server('http-server', { LEAKS: '1' }),
]

/**
 * Runs so many checks of each sort, in turn. Gives a row for each program, and one for each sort.
 * @param onCheck told of each one as it ends
 */
export async function flakeStudy(checks, onCheck = () => {}) {
  const busy = cpus()
    .slice(1)
    .map(() => spawn(process.execPath, ['-e', BUSY], { stdio: 'ignore' }))
  try {
    const done = []
    for (let i = 0; i < checks; i++) {
      for (const [sort, programs] of [
        ['healthy', HEALTHY],
        ['leaking', LEAKING],
      ]) {
        const program = programs[i % programs.length]
        const result = { sort, program: program.name, seed: i + 1, ...(await check(program, i + 1)) }
        done.push(result)
        onCheck(result)
      }
    }
    const bySort = ['healthy', 'leaking'].map((sort) => done.filter((it) => it.sort === sort))
    const rows = bySort.flatMap((all) => [
      ...[...new Set(all.map(({ program }) => program))].map((name) => row(all.filter((it) => it.program === name))),
      { ...row(all), program: 'all' },
    ])
    const wrong = done.filter(({ sort, verdict }) => verdict !== (sort === 'healthy' ? 'steady' : 'growing'))
    return { checks, rows, wrong, fine: isFine(bySort) }
  } finally {
    for (const each of busy) each.kill('SIGKILL')
  }
}

/** Not one false alarm, and no more than one leak in a hundred passed over. */
function isFine([healthy, leaking]) {
  const of = (all, wanted) => all.filter(({ verdict }) => verdict === wanted).length
  const failed = [...healthy, ...leaking].filter(({ verdict }) => verdict === 'error').length
  return failed === 0 && of(healthy, 'growing') === 0 && of(leaking, 'growing') >= 0.99 * leaking.length
}

function row(all) {
  const of = (wanted) => all.filter(({ verdict }) => verdict === wanted).length
  const seconds = all.map((it) => it.seconds).sort((a, b) => a - b)
  return {
    ...{ sort: all[0].sort, program: all[0].program, checks: all.length },
    ...{ steady: of('steady'), undecided: of('undecided'), growing: of('growing'), errors: of('error') },
    ...{ median: seconds[seconds.length >> 1], longest: seconds.at(-1) },
  }
}

/** A snapshot is the diagnosis, which is none of this: no pause is short enough for it. */
function check({ args, env }, seed) {
  const startedMs = performance.now()
  const child = spawn(process.execPath, [CLI, 'check', '-q', '--json', '--max-pause', '1ms', ...args], {
    env: { ...process.env, ...env, SEED: String(seed), GITHUB_ACTIONS: '', PORT: '', NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (part) => {
    stdout += part
  })
  child.stderr.setEncoding('utf8').on('data', (part) => {
    stderr += part
  })
  return new Promise((resolve) => {
    child.on('close', (code) => {
      const seconds = (performance.now() - startedMs) / 1000
      try {
        const { check } = JSON.parse(stdout)
        resolve({ verdict: check.verdict, seconds, check })
      } catch {
        resolve({ verdict: 'error', seconds, error: `exit code ${code}: ${stderr.trim()}` })
      }
    })
  })
}

export function flakesTable(rows) {
  const heads = ['programs', '', 'checks', 'steady', 'undecided', 'growing', 'errors', 'median s', 'longest s']
  const cells = rows.map((it) => [
    ...[it.sort, it.program],
    ...[it.checks, it.steady, it.undecided, it.growing, it.errors].map(String),
    ...[it.median, it.longest].map((seconds) => seconds.toFixed(1)),
  ])
  return table(heads, cells, [0, 1])
}

/** What was measured where the verdict was another than it should have been. */
export function wrongText({ sort, program, seed, verdict, check, error }) {
  const series = check?.rounds
    .map((it) => `${it.workSoFar}:${it.heapUsedBytes}+${it.externalBytes}+${it.workersBytes}`)
    .join(' ')
  const reasons = check?.measures.map(({ measure, reason }) => `${measure}: ${reason}`).join('; ')
  return `  ${sort} ${program}, seed ${seed}: ${verdict}\n    ${error ?? `${reasons}\n    ${series}`}`
}

if (process.argv[1] === import.meta.filename) {
  const { rows, wrong, fine } = await flakeStudy(Number(process.argv[2] ?? 200), (result) => {
    const right = result.verdict === (result.sort === 'healthy' ? 'steady' : 'growing')
    console.error(`${result.seed} ${result.sort} ${result.program} ${result.verdict} ${result.seconds.toFixed(1)} s`)
    if (!right) console.error(wrongText(result))
  })
  console.log(flakesTable(rows))
  for (const each of wrong) console.log(wrongText(each))
  process.exitCode = fine ? 0 : 1
}
