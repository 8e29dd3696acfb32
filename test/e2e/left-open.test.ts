// An inspector that could not be shut by who had it opened: before there is a session, only a note tells whose it is.

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withInspector } from '../../src/target/attach.ts'
import { attachWorkers } from '../../src/target/workers.ts'
import {
  filesIn,
  portsOf,
  runCli,
  type SpawnedTarget,
  spawnTarget,
  startCli,
  temporaryFolder,
  until,
} from '../support/target.ts'

/** A process whose main thread is away for some seconds, each time that it gets SIGUSR2. */
const AWAY = `process.on('SIGUSR2', () => { console.log('away'); require('child_process').execSync('sleep 4') })`

async function sendAway(target: SpawnedTarget): Promise<void> {
  target.child.kill('SIGUSR2')
  await until(() => target.output().includes('away'))
}

test('a leakscope that is killed between the signal and the session is known by its note', async () => {
  const target = await spawnTarget(AWAY)
  const runtime = temporaryFolder()
  const options = { env: { ...process.env, XDG_RUNTIME_DIR: runtime } }
  const notes = () => filesIn(runtime).flatMap((it) => filesIn(join(runtime, it)))
  await sendAway(target)
  const cli = startCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(temporaryFolder(), 'a')], options)
  await until(() => notes().some((it) => it.endsWith('.json')), 'the note')
  await new Promise((resolve) => setTimeout(resolve, 500))
  cli.child.kill('SIGKILL')
  await cli.done
  await until(() => portsOf(target.pid).length === 1, 'the inspector to open all the same')

  const { code, stderr } = await runCli(
    ['snapshot', target.pid, '--via', 'inspector', '-o', join(temporaryFolder(), 'b')],
    options,
  )
  expect(code, stderr).toBe(0)
  expect(stderr).toMatch(
    new RegExp(`of process ${target.pid} was left open by a leakscope .*process ${cli.child.pid}, .*end of this visit`),
  )
  expect(portsOf(target.pid)).toEqual([])
  expect(notes()).toEqual([])
})

test('a process that is stopped before its inspector opens is named so, and tidied up after when it goes on', async () => {
  const target = await spawnTarget(AWAY)
  await sendAway(target)
  const cli = startCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(temporaryFolder(), 'a')])
  await new Promise((resolve) => setTimeout(resolve, 1500))
  target.child.kill('SIGSTOP')
  const { code, stderr } = await cli.done
  expect(code).toBe(3)
  expect(stderr).toMatch(/was stopped before it opened its inspector\n.*kill -CONT .* next visit by leakscope shuts it/)
  target.child.kill('SIGCONT')
  await until(() => portsOf(target.pid).length === 1, 'the inspector to open')
  expect((await runCli(['snapshot', target.pid, '--via', 'inspector', '-o', join(temporaryFolder(), 'b')])).code).toBe(
    0,
  )
  expect(portsOf(target.pid)).toEqual([])
})

test('without a place for notes everything works', async () => {
  const target = await spawnTarget()
  const env = { ...process.env, XDG_RUNTIME_DIR: '/dev/null' }
  const { code, stderr } = await runCli(
    ['snapshot', target.pid, '--via', 'inspector', '-q', '-o', join(temporaryFolder(), 'a')],
    { env },
  )
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(portsOf(target.pid)).toEqual([])
})

test('a worker that a killed leakscope left sampled is sampled no more after the next visit', async () => {
  const target = await spawnTarget(
    "new (require('node:worker_threads').Worker)('setInterval(() => {}, 100)', { eval: true })",
  )
  const folder = temporaryFolder()
  const cli = startCli([
    ...['profile', target.pid, '--heap', '--isolate', 'all', '--duration', '60s'],
    ...['-o', join(folder, 'a'), '--json'],
  ])
  await until(() => portsOf(target.pid).length === 1, 'the inspector to open')
  await new Promise((resolve) => setTimeout(resolve, 2000))
  cli.child.kill('SIGKILL')
  await cli.done
  const stopSampling = () =>
    withInspector(target.pid, { signal: new AbortController().signal }, async (session) => {
      const workers = await attachWorkers(session)
      const stopped = workers.list().map((worker) => worker.send('HeapProfiler.stopSampling'))
      const [answer] = await Promise.allSettled(stopped)
      await workers.leave()
      return answer!.status
    })
  // The visit itself has stopped what was left.
  expect(await stopSampling()).toBe('rejected')
  expect(portsOf(target.pid)).toEqual([])
})

test('a process that does something else before it shuts its inspector is waited for', async () => {
  // Longer than anything that is asked of it on the way out would take.
  const target = await spawnTarget(`
    const { defineProperty } = Reflect
    const block = () => { console.log('away'); require('child_process').execSync('sleep 8') }
    Reflect.defineProperty = (on, key, descriptor) => {
      if (key === Symbol.for('leakscope.visitors') && descriptor.value.length === 0) setImmediate(block)
      return defineProperty(on, key, descriptor)
    }`)
  const { code, stderr } = await runCli([
    'snapshot',
    target.pid,
    '--via',
    'inspector',
    '-o',
    join(temporaryFolder(), 'a'),
  ])
  expect(code, stderr).toBe(0)
  expect(target.output()).toContain('away')
  expect(stderr).toContain(`waiting for process ${target.pid} to finish`)
  expect(stderr).not.toContain('still open')
  expect(portsOf(target.pid)).toEqual([])
})
