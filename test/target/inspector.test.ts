// Opening an inspector, on a platform made of paper: what is asked before the signal, and what is made of silence after.

import { expect, test } from 'vitest'
import { openInspector } from '../../src/target/inspector.ts'
import type { Platform } from '../../src/target/platform.ts'
import { direct } from '../../src/target/route.ts'

function paperPlatform(parts: Partial<Platform>): Platform & { readonly requests: number[] } {
  const requests: number[] = []
  return {
    requests,
    listPids: async () => [],
    describe: async (pid) => ({
      pid,
      birth: '',
      parentPid: 1,
      tracerPid: undefined,
      ownPid: pid,
      state: 'running',
      uid: 0,
      rssBytes: 0,
      ageMs: 60_000,
      cpuMs: 0,
      command: ['node'],
    }),
    nodeBinary: async () => ({ version: undefined, inspector: true }),
    listeners: async () => [],
    connections: async () => 0,
    agentSocket: async () => undefined,
    portHolder: async () => undefined,
    nodeArguments: async () => undefined,
    inspectorPort: async () => undefined,
    acceptsInspectorRequest: async () => 'yes',
    hasOwnNetwork: async () => 'no',
    enterNetwork: async () => direct,
    requestInspector: (pid) => void requests.push(pid),
    ...parts,
  }
}

const never = new AbortController().signal

test('a process without a handler for the signal gets none', async () => {
  const platform = paperPlatform({ acceptsInspectorRequest: async () => 'no' })
  await expect(openInspector(platform, 1, direct, never)).rejects.toMatchObject({ code: 'target-refuses-signal' })
  expect(platform.requests).toEqual([])
})

test('a process that has just begun gets the time to set up its handler', async () => {
  const answers = ['no', 'no', 'yes'] as const
  let asked = 0
  const platform = paperPlatform({
    acceptsInspectorRequest: async () => answers[Math.min(asked++, 2)]!,
    describe: async () => undefined,
  })
  const young = { ...(await paperPlatform({}).describe(1))!, ageMs: 10 }
  let described = 0
  await expect(
    openInspector({ ...platform, describe: async () => (described++ < 2 ? young : undefined) }, 1, direct, never),
  ).rejects.toMatchObject({ code: 'target-died' })
  expect(platform.requests).toEqual([1])
})

test('a port that is known to be taken is told before any signal', async () => {
  const platform = paperPlatform({ inspectorPort: async () => 9229, portHolder: async () => ({ pid: 77 }) })
  expect(await openInspector(platform, 1, direct, never)).toEqual({ taken: { pid: 77, port: 9229 } })
  expect(platform.requests).toEqual([])
})

test('a port that turns out to be taken is told after a second', async () => {
  const platform = paperPlatform({ portHolder: async () => ({ pid: undefined }) })
  expect(await openInspector(platform, 1, direct, never)).toEqual({ taken: { pid: undefined, port: 9229 } })
  expect(platform.requests).toEqual([1])
})

test('after Ctrl-C it waits a little for an inspector that is about to open, then gives up', async () => {
  const abort = new AbortController()
  const platform = paperPlatform({ requestInspector: () => abort.abort(new Error('stopped')) })
  const started = performance.now()
  await expect(openInspector(platform, 1, direct, abort.signal)).rejects.toThrow('stopped')
  expect(performance.now() - started).toBeGreaterThan(1000)
})

test('a process that ended before the signal is named so', async () => {
  const gone = Object.assign(new Error('kill ESRCH'), { code: 'ESRCH' })
  const platform = paperPlatform({
    requestInspector: () => {
      throw gone
    },
  })
  await expect(openInspector(platform, 1, direct, never)).rejects.toMatchObject({
    code: 'target-not-found',
    cause: gone,
  })
})
