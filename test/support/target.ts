// Real processes for tests to look into, the command line to do it with, and an end for all of them.

import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach } from 'vitest'
import { listeners } from '../../src/target/linux-sockets.ts'

/** The Node that targets run on. */
export const TARGET_NODE = process.env.LEAKSCOPE_TEST_NODE ?? process.execPath
export const CLI = resolve(import.meta.dirname, '../../bin/leakscope.js')

/** A user other than ours, for tests of what one may not do. */
export const NOBODY = { uid: 65534, gid: 65534 }
/** Whether that user can be had here: only root can be somebody else, and the checkout must not lie in a private folder. */
export const nobodyMayRun =
  process.getuid?.() === 0 && spawnSync(process.execPath, [CLI, '--version'], { ...NOBODY }).status === 0

/** The targets' Node where everybody may run it, however private the folder that it is in. */
export function nodeForEverybody(): string {
  if (spawnSync(TARGET_NODE, ['--version'], { ...NOBODY }).status === 0) return TARGET_NODE
  const folder = temporaryFolder()
  chmodSync(folder, 0o755)
  copyFileSync(TARGET_NODE, join(folder, 'node'))
  return join(folder, 'node')
}

type Child = ChildProcessByStdio<null, Readable, Readable>

export interface SpawnedTarget {
  readonly pid: number
  readonly child: Child
  /** What it wrote so far, to either stream. */
  output(): string
  /** Whether it is still there, and able to say so: it writes a line when told to by SIGUSR2. */
  answers(): Promise<boolean>
}

export interface TargetOptions {
  /** Another executable, perhaps a copy of Node under another name. */
  readonly executable?: string
  readonly args?: readonly string[]
  /** For the program. */
  readonly scriptArgs?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly uid?: number
  readonly argv0?: string
}

/** Something that a target answers, so that tests can see it was not harmed. */
const ANSWERS = `process.on('SIGUSR2', () => console.log('still here')); setInterval(() => {}, 1000); console.log('ready')`

const spawned = new Set<Child>()
afterEach(() => {
  for (const child of spawned) child.kill('SIGKILL')
  spawned.clear()
})

/** Starts a Node process that runs `source` and then waits; resolves when it does. */
export async function spawnTarget(source = '', options: TargetOptions = {}): Promise<SpawnedTarget> {
  const { executable = TARGET_NODE, args = ['--inspect-port=0'], scriptArgs = [], env, uid, argv0 } = options
  const child = start(executable, [...args, '-e', `${source}\n;${ANSWERS}`, '--', ...scriptArgs], {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    ...(uid === undefined ? {} : { uid, gid: uid }),
    ...(argv0 === undefined ? {} : { argv0 }),
  })
  let text = ''
  child.stdout.on('data', (part) => {
    text += part
  })
  child.stderr.on('data', (part) => {
    text += part
  })
  await until(() => text.includes('ready') || child.exitCode !== null, `the target to be ready: ${text}`)
  if (child.exitCode !== null) throw new Error(`the target ended at once: ${text}`)
  return {
    pid: child.pid!,
    child,
    output: () => text,
    async answers() {
      const before = text.split('still here').length
      if (!child.kill('SIGUSR2')) return false
      return until(() => text.split('still here').length > before, 'an answer', 60_000).then(
        () => true,
        () => false,
      )
    },
  }
}

/** Starts anything, and ends it after the test. */
export function start(command: string, args: readonly string[], options: object = {}): Child {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] }) as Child
  spawned.add(child)
  return child
}

export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningCli {
  readonly child: Child
  readonly done: Promise<CliResult>
}

/** Starts leakscope as a user would. */
export function startCli(args: readonly (string | number)[], options: object = {}): RunningCli {
  const child = start(process.execPath, [CLI, ...args.map(String)], options)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (part) => {
    stdout += part
  })
  child.stderr.on('data', (part) => {
    stderr += part
  })
  return { child, done: once(child, 'close').then(([code]) => ({ code, stdout, stderr })) }
}

export function runCli(args: readonly (string | number)[], options: object = {}): Promise<CliResult> {
  return startCli(args, options).done
}

/** The ports that `pid` listens on now. */
export function portsOf(pid: number): number[] {
  return (listeners(pid) ?? []).map((it) => it.port)
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean | Promise<boolean>, what = 'it', ms = 15_000): Promise<void> {
  const deadline = Date.now() + ms
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${ms} ms in vain for ${what}`)
    await sleep(20)
  }
}

const folders = new Set<string>()
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A new folder that goes away after the tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'leakscope-test-'))
  folders.add(folder)
  return folder
}

/** Every file in `folder`, hidden ones too. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder).sort()
}

/** How far apart the counts that a snapshot's head declares and its arrays are: undefined when it is no whole JSON. */
export function readSnapshotFile(path: string): { nodeCount: number; nodes: number; strings: readonly string[] } {
  const { snapshot, nodes, strings } = JSON.parse(readFileSync(path, 'utf8')) as {
    snapshot: { node_count: number; meta: { node_fields: unknown[] } }
    nodes: number[]
    strings: string[]
  }
  return { nodeCount: snapshot.node_count, nodes: nodes.length / snapshot.meta.node_fields.length, strings }
}

/** V8's ids of the objects of that name in a snapshot file. */
export function heapIds(path: string, name: string): Set<number> {
  const { snapshot, nodes, strings } = JSON.parse(readFileSync(path, 'utf8')) as {
    snapshot: { meta: { node_fields: string[]; node_types: [string[]] } }
    nodes: number[]
    strings: string[]
  }
  const { node_fields: fields, node_types } = snapshot.meta
  const ids = new Set<number>()
  for (let at = 0; at < nodes.length; at += fields.length) {
    const isObject = node_types[0][nodes[at + fields.indexOf('type')]!] === 'object'
    if (isObject && strings[nodes[at + fields.indexOf('name')]!] === name) ids.add(nodes[at + fields.indexOf('id')]!)
  }
  return ids
}

/** A heap that keeps a snapshot busy for a second or two. */
export const BIG_HEAP = 'globalThis.all = []; for (let i = 0; i < 4e5; i++) all.push({ i, next: all[i >> 1] })'
/** Of such a heap a slow machine is told that its pause may be longer than is allowed by itself. */
export const ANY_PAUSE = ['--max-pause', '10min']
