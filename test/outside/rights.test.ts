// Who may not read a process is told which right is missing, and the ways to give it.

import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { missingRight, type RightsFacts } from '../../src/outside/rights.ts'
import { spawnTarget } from '../support/target.ts'

const CAPTURE = resolve(import.meta.dirname, '../support/capture-outside.mjs')
const NOBODY = 65534
const FACTS: RightsFacts = {
  ...{ ourUser: 1000, itsUser: 1000, hasCapability: false },
  ...{ isSameUserNamespace: true, yama: 0, isDumpable: true },
}

describe('The right that is missing', () => {
  test.each([
    [
      'another user',
      { itsUser: 1001 },
      'it belongs to user 1001, we are user 1000',
      'Run it as the user of the process',
    ],
    ['Yama 1', { yama: 1 }, 'ptrace_scope is 1, with which only who started a process', 'ptrace_scope to 0'],
    ['Yama 2', { yama: 2 }, 'ptrace_scope is 2, with which only who has CAP_SYS_PTRACE', '--cap-add=SYS_PTRACE'],
    ['Yama 3', { yama: 3, hasCapability: true }, 'ptrace_scope is 3, with which nobody', '--via inspector'],
    ['a process that is not dumpable', { isDumpable: false }, 'not “dumpable”', 'Run leakscope as root'],
    ['a user namespace', { hasCapability: true, isSameUserNamespace: false }, 'another user namespace', 'outside'],
    ['a security module', { hasCapability: true }, 'a security module', 'seccomp=unconfined'],
    ['what cannot be told', {}, 'no CAP_SYS_PTRACE', 'kubectl debug'],
  ])('because of %s is named', (_, facts, problem, hint) => {
    const found = missingRight({ ...FACTS, ...facts })
    expect(found.problem).toContain(problem)
    expect(found.hint).toContain(hint)
  })

  test('Yama 2 is not said to be helped by a setting that would have to be weaker for all', () => {
    expect(missingRight({ ...FACTS, yama: 2 }).hint).not.toContain('ptrace_scope')
  })

  test.runIf(process.getuid?.() === 0)('is named when somebody else reads a process of root’s', async () => {
    const target = await spawnTarget('')
    const { stdout } = await promisify(execFile)(process.execPath, [CAPTURE, String(target.pid), '0'], {
      uid: NOBODY,
      gid: NOBODY,
    })
    expect(JSON.parse(stdout)).toMatchObject({
      code: 'target-not-permitted',
      message: expect.stringContaining(`it belongs to user 0, we are user ${NOBODY}`),
    })
    expect(await target.answers()).toBe(true)
  })
})
