// The agent where the inspector may not be used, and profiles with and without the compiled profiler.

import { existsSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { nodeBinary } from '../matrix/nodes.mjs'
import { AGENT, type AgentTarget, spawnAgent } from '../support/agent.ts'
import { readSnapshotFile, runCli, temporaryFolder } from '../support/target.ts'

const root = join(AGENT, '../../..')

/** Speaks to the agent as leakscope does, but says what it likes. */
function talk({ socket: path }: AgentTarget) {
  const socket = connect(path)
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>()
  createInterface(socket).on('line', (line) => {
    const { id, result, error } = JSON.parse(line)
    if (error) waiting.get(id)?.reject(new Error(error.message))
    else waiting.get(id)?.resolve(result)
  })
  let lastId = 0
  return {
    send<T>(method: string, params: object = {}): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        waiting.set(++lastId, { resolve: resolve as (result: unknown) => void, reject })
        socket.write(`${JSON.stringify({ id: lastId, method, params })}\n`)
      })
    },
    end: () => void socket.destroy(),
  }
}

interface CpuProfile {
  readonly profile: {
    readonly nodes: { readonly id: number; readonly callFrame: Frame; readonly hitCount: number }[]
    readonly samples: number[]
    readonly timeDeltas: number[]
    readonly startTime: number
    readonly endTime: number
  }
}
interface Frame {
  readonly functionName: string
  readonly scriptId: string
  readonly url: string
  readonly lineNumber: number
}
interface HeapNode {
  readonly callFrame: Frame
  readonly selfSize: number
  readonly id: number
  readonly children: HeapNode[]
}

// The first line of the program is the 0th of the protocol.
const BUSY = `function spin() { for (let i = 0, x = 0; i < 3e6; i++) x += Math.sqrt(i) }
function hoard() { for (let i = 0; i < 2000; i++) kept.push({ i, text: 'text ' + i }) }
const kept = []
setInterval(() => { spin(); hoard() }, 10)`

const wait = (ms: number) => new Promise((done) => setTimeout(done, ms))

/** Both profiles of a busy program, with the places of its functions as the protocol counts lines. */
async function profiles(target: AgentTarget) {
  const { send, end } = talk(target)
  await send('Profiler.enable')
  await send('Profiler.setSamplingInterval', { interval: 500 })
  await send('Profiler.start')
  await wait(700)
  const { profile } = await send<CpuProfile>('Profiler.stop')
  await send('HeapProfiler.startSampling', { samplingInterval: 4096 })
  await wait(700)
  const heap = await send<{ profile: { head: HeapNode } }>('HeapProfiler.stopSampling')
  const hasAddon = await send<{ result: { value: boolean } }>('Runtime.evaluate', {
    expression: `Object.keys(require.cache).some((it) => it.endsWith('profiler.node'))`,
    includeCommandLineAPI: true,
    returnByValue: true,
  }).catch(() => undefined)
  end()
  expect(profile.samples.length).toBe(profile.timeDeltas.length)
  expect(profile.samples.length).toBeGreaterThan(50)
  expect(profile.endTime).toBeGreaterThan(profile.startTime)
  const nodes: HeapNode[] = [heap.profile.head]
  for (const node of nodes) nodes.push(...node.children)
  expect(new Set(nodes.map((it) => it.id)).size).toBe(nodes.length)
  const hoard = nodes.filter((it) => it.callFrame.functionName === 'hoard')
  expect(hoard.reduce((sum, it) => sum + it.selfSize, 0)).toBeGreaterThan(10_000)
  const spin = profile.nodes.find((it) => it.callFrame.functionName === 'spin')!
  for (const { callFrame } of [spin, hoard[0]!]) expect(callFrame.scriptId).toMatch(/^\d+$/)
  return {
    spinLine: spin.callFrame.lineNumber,
    hoardLine: hoard[0]!.callFrame.lineNumber,
    hasAddon: hasAddon?.result.value,
  }
}

test('profiles by the compiled profiler and by the inspector are of one shape, and count lines alike', async () => {
  // The addon is compiled for the Node that runs the tests, if for any; elsewhere the inspector takes over.
  const own = await profiles(await spawnAgent(BUSY, { executable: process.execPath }))
  const other = await profiles(await spawnAgent(BUSY, { executable: await nodeBinary(18) }))
  const compiled = join(root, 'node_modules/v8-profiler-next/build/binding/Release')
  const hasAddon =
    existsSync(compiled) && readdirSync(compiled).some((it) => it.includes(`v${process.versions.modules}-`))
  expect(own).toMatchObject({ spinLine: 0, hoardLine: 1, hasAddon })
  expect(other).toMatchObject({ spinLine: 0, hoardLine: 1, hasAddon: false })
})

test('whoever leaves in the middle of a profile leaves none behind', async () => {
  const target = await spawnAgent(BUSY, { executable: process.execPath })
  for (let round = 0; round < 3; round++) {
    const { send, end } = talk(target)
    await send('Profiler.enable')
    await send('Profiler.start')
    await send('HeapProfiler.startSampling')
    end()
    await wait(100)
  }
  expect(await target.answers()).toBe(true)
})

test('what would stop the process for good is refused', async () => {
  const { send, end } = talk(await spawnAgent())
  await expect(send('Debugger.pause')).rejects.toThrow(/for good/)
  await expect(send('Nonsense.at.all')).rejects.toThrow()
  end()
})

const major = Number(process.versions.node.split('.')[0])

test.each([20, 24])(
  'where --permission forbids the inspector, Node %i gives a snapshot all the same',
  async (version) => {
    const runtime = temporaryFolder()
    const target = await spawnAgent('globalThis.leak = { name: "only here", count: 918273645 }', {
      executable: version === major ? process.execPath : await nodeBinary(version),
      args: [
        version === 20 ? '--experimental-permission' : '--permission',
        `--allow-fs-read=${root}/*`,
        `--allow-fs-read=${runtime}/*`,
        `--allow-fs-write=${runtime}/*`,
      ],
      env: { XDG_RUNTIME_DIR: runtime },
    })
    const path = join(temporaryFolder(), 'a')
    const { code, stderr } = await runCli(['snapshot', target.pid, '--via', 'agent', '-o', path])
    expect(code, stderr).toBe(0)
    const { nodes, nodeCount, strings } = readSnapshotFile(path)
    expect(nodes).toBe(nodeCount)
    expect(strings).toEqual(expect.arrayContaining(['only here', '918273645']))

    const { send, end } = talk(target)
    expect(await send('LeakscopeAgent.describe')).toMatchObject({ inspector: false, pid: target.pid })
    await expect(send('NodeWorker.enable')).rejects.toThrow(/needs the inspector/)
    end()
    expect(await target.answers()).toBe(true)
  },
)
