// Targets that have the agent in them, each with a runtime folder of its own.

import { resolve } from 'node:path'
import { filesIn, runCli, type SpawnedTarget, spawnTarget, type TargetOptions, temporaryFolder } from './target.ts'

export const AGENT = resolve(import.meta.dirname, '../../dist/agent/index.cjs')

export interface AgentTarget extends SpawnedTarget {
  /** Where its socket should be. */
  readonly folder: string
  readonly socket: string
}

/** Starts a process that runs `source`, as `spawnTarget` does, and has the agent in it. */
export async function spawnAgent(source = '', options: TargetOptions = {}): Promise<AgentTarget> {
  const { args = [], env, ...rest } = options
  const runtime = env?.XDG_RUNTIME_DIR ?? temporaryFolder()
  const target = await spawnTarget(source, {
    ...rest,
    args: ['--require', AGENT, ...args],
    env: { XDG_RUNTIME_DIR: runtime, ...env },
  })
  const folder = `${runtime}/leakscope`
  return { ...target, folder, socket: `${folder}/agent-${target.pid}.sock` }
}

/** Names of the sockets in a folder of agents. */
export const socketsIn = (folder: string): string[] => filesIn(folder).filter((it) => it.endsWith('.sock'))

export interface Listed {
  readonly pid: number
  readonly agent: string | null
}

export async function ps(): Promise<Listed[]> {
  return (JSON.parse((await runCli(['ps', '--json'])).stdout) as { processes: Listed[] }).processes
}
