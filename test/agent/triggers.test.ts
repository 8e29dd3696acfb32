// Captures that nobody comes for, as the environment asks for them.

import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { AGENT, spawnAgent } from '../support/agent.ts'
import { filesIn, readSnapshotFile, TARGET_NODE, temporaryFolder, until } from '../support/target.ts'

/** Fills the heap up to 113 of its 134 MB, has V8 collect, and ends a little later. */
const GROW = `const all = []
function grow() {
  for (let i = 0; i < 9000; i++) all.push({ i, s: [i, i + 1, i + 2] })
  if (require('v8').getHeapStatistics().used_heap_size < 113e6) return setTimeout(grow, 2)
  gc()
  setTimeout(() => { gc(); console.log('over', all.length > 1e5) }, 1000)
}
grow()`
const LIMITED = ['--max-old-space-size=128', '--expose-gc']

function run(triggers: string, source: string, args: readonly string[] = [], shell = '') {
  const env = { ...process.env, NODE_OPTIONS: '', XDG_RUNTIME_DIR: temporaryFolder(), LEAKSCOPE_AGENT: triggers }
  const command = [TARGET_NODE, ...args, '--require', AGENT, '-e', source]
  const all = shell === '' ? command : ['/bin/bash', '-c', `${shell}; exec "$0" "$@"`, ...command]
  const { status, stdout, stderr } = spawnSync(all[0]!, all.slice(1), { encoding: 'utf8', timeout: 100_000, env })
  return { status, stdout, stderr }
}

test('near the limit of the heap it writes a snapshot, once, and the program goes on', () => {
  const folder = temporaryFolder()
  const { status, stdout, stderr } = run(`near-limit=snapshot,folder=${folder}`, GROW, LIMITED)
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'over true\n', stderr: '' })
  expect(filesIn(folder)).toEqual([expect.stringMatching(/^leakscope-\d+-\d{8}T\d{6}Z-near-limit\.heapsnapshot$/)])
  const path = join(folder, filesIn(folder)[0]!)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  const { nodeCount, nodes } = readSnapshotFile(path)
  expect(nodes).toBe(nodeCount)
  expect(nodes).toBeGreaterThan(5e5)
})

test('or a profile of what was allocated since the start, which costs next to nothing', () => {
  const folder = temporaryFolder()
  // Whether the program makes it or runs out of memory after all, as it may on Node 18.
  run(`near-limit=profile, folder=${folder}`, GROW, LIMITED)
  expect(filesIn(folder)).toEqual([expect.stringMatching(/-near-limit\.heapprofile$/)])
  const text = readFileSync(join(folder, filesIn(folder)[0]!), 'utf8')
  expect(JSON.parse(text)).toHaveProperty('head.children')
  expect(text).toContain('"functionName":"grow"')
})

test('on a signal of the user’s choice, and on a schedule', async () => {
  const folder = temporaryFolder()
  const target = await spawnAgent('', { env: { LEAKSCOPE_AGENT: `signal=SIGHUP,every=3s,folder=${folder}` } })
  target.child.kill('SIGHUP')
  const whole = () => filesIn(folder).filter((it) => it.endsWith('.heapsnapshot'))
  await until(
    () => whole().some((it) => it.includes('SIGHUP')) && whole().some((it) => it.includes('scheduled')),
    'both',
    60_000,
  )
  for (const name of whole()) expect(readSnapshotFile(join(folder, name)).nodes).toBeGreaterThan(10_000)
  expect(target.output()).not.toContain('leakscope')
})

test('a disk that is full after all leaves no file, and is not tried again', () => {
  const folder = temporaryFolder()
  // So many blocks of 1024 bytes, of which statfs knows nothing.
  const { stderr, status } = run(
    `signal=SIGHUP,folder=${folder}`,
    `const again = () => process.kill(process.pid, 'SIGHUP'); again(); setTimeout(again, 1500); setTimeout(() => {}, 3000)`,
    [],
    'ulimit -f 1000; trap "" XFSZ',
  )
  expect(status).toBe(0)
  expect(stderr.match(/leakscope agent: no heapsnapshot \(SIGHUP\): EFBIG.*\n/g)).toHaveLength(1)
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  expect(filesIn(folder)).toEqual([])
})

test('where there is too little room it says so, and writes nothing', () => {
  const folder = temporaryFolder()
  const tight = `process.availableMemory = () => 20e6; process.constrainedMemory = () => process.memoryUsage.rss() + 20e6`
  const { stderr } = run(
    `signal=SIGHUP,folder=${folder}`,
    `${tight}; process.kill(process.pid, 'SIGHUP'); setTimeout(() => {}, 300)`,
  )
  expect(stderr).toMatch(
    /^leakscope agent: no snapshot \(SIGHUP\): it may take \d+ MB of memory, and there are (20|19)\n$/,
  )
  expect(filesIn(folder)).toEqual([])
  expect(
    run('signal=SIGHUP,folder=/nowhere', `process.kill(process.pid, 'SIGHUP'); setTimeout(() => {}, 300)`),
  ).toEqual({
    status: 0,
    stdout: '',
    stderr: expect.stringMatching(/^leakscope agent: no snapshot \(SIGHUP\): ENOENT.*\n$/),
  })
})

test.each([
  'near-limit',
  'near-limit=maybe',
  'signal=SIGKILL',
  'signal=SIGUSR1',
  'signal=2',
  'every=0s',
  'every=99999h',
  'x=1',
])('%s is not understood, which is said, and the program runs', (triggers) => {
  const { status, stdout, stderr } = run(triggers, 'console.log(7)')
  expect({ status, stdout }).toEqual({ status: 0, stdout: '7\n' })
  expect(stderr).toBe(`leakscope agent: LEAKSCOPE_AGENT: '${triggers}' makes no sense to it\n`)
})
