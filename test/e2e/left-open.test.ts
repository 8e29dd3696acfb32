// An inspector that could not be shut by who had it opened: before there is a session, only a note tells whose it is.

import { join } from 'node:path'
import { expect, test } from 'vitest'
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
  const cli = startCli(['snapshot', target.pid, '-o', join(temporaryFolder(), 'a')], options)
  await until(() => notes().some((it) => it.endsWith('.json')), 'the note')
  await new Promise((resolve) => setTimeout(resolve, 500))
  cli.child.kill('SIGKILL')
  await cli.done
  await until(() => portsOf(target.pid).length === 1, 'the inspector to open all the same')

  const { code, stderr } = await runCli(['snapshot', target.pid, '-o', join(temporaryFolder(), 'b')], options)
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
  const cli = startCli(['snapshot', target.pid, '-o', join(temporaryFolder(), 'a')])
  await new Promise((resolve) => setTimeout(resolve, 1500))
  target.child.kill('SIGSTOP')
  const { code, stderr } = await cli.done
  expect(code).toBe(3)
  expect(stderr).toMatch(/was stopped before it opened its inspector\n.*kill -CONT .* next visit by leakscope shuts it/)
  target.child.kill('SIGCONT')
  await until(() => portsOf(target.pid).length === 1, 'the inspector to open')
  expect((await runCli(['snapshot', target.pid, '-o', join(temporaryFolder(), 'b')])).code).toBe(0)
  expect(portsOf(target.pid)).toEqual([])
})

test('without a place for notes everything works', async () => {
  const target = await spawnTarget()
  const env = { ...process.env, XDG_RUNTIME_DIR: '/dev/null' }
  const { code, stderr } = await runCli(['snapshot', target.pid, '-q', '-o', join(temporaryFolder(), 'a')], { env })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(portsOf(target.pid)).toEqual([])
})
