// Why a process cannot be asked, on a platform made of paper, for what is hard to have for real.

import { expect, test } from 'vitest'
import type { Platform, ProcessFacts } from '../../src/target/platform.ts'
import { requireNodeProcess } from '../../src/target/refusals.ts'

/** This process, for the signal that asks whether we may send signals has to find one. */
const pid = process.ppid

function paper(facts: Partial<ProcessFacts>, binary: Awaited<ReturnType<Platform['nodeBinary']>>): Platform {
  const all = {
    pid,
    birth: '1',
    parentPid: 7,
    tracerPid: undefined,
    state: 'running',
    uid: 0,
    command: ['x'],
    ...facts,
  }
  return { describe: async () => all, nodeBinary: async () => binary } as Partial<Platform> as Platform
}
const node = { version: 'v24.0.0', inspector: true }

test.each([
  [
    'a zombie',
    { state: 'zombie' },
    node,
    'target-not-found',
    /has ended; its parent, process 7, has not taken notice/,
    /ps/,
  ],
  ['a stopped process', { state: 'stopped' }, node, 'target-timeout', /is stopped and cannot answer/, /kill -CONT/],
  [
    'one held by a debugger',
    { state: 'stopped', tracerPid: 9 },
    node,
    'target-timeout',
    /by a debugger, process 9/,
    /there/,
  ],
  ['something else', {}, undefined, 'target-not-node', /is not Node.js \(x\)/, /ps/],
  [
    'no inspector',
    {},
    { ...node, inspector: false },
    'target-refuses-signal',
    /built without the inspector/,
    /official/,
  ],
  ['privileges', { uid: process.geteuid!() }, 'unreadable', 'target-not-permitted', /does not let us/, /capabilities/],
  [
    'another user',
    { uid: 4242 },
    'unreadable',
    'target-not-permitted',
    /belongs to user 4242/,
    /same user, or as root/,
  ],
] as const)('%s is named', async (_, facts, binary, code, message, hint) => {
  const refused = requireNodeProcess(paper(facts, binary), pid)
  await expect(refused).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  })
})
