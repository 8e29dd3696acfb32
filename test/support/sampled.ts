// Programs whose isolates say whether their allocations are being sampled, and work that profiles should find.

import { type SpawnedTarget, until } from './target.ts'

/** Prints whether V8 samples the heap of the thread that runs it. */
const TELL = (name: string) => `{
  const { Session } = require('node:inspector')
  const session = new Session()
  session.connect()
  session.post('HeapProfiler.getSamplingProfile', {}, (error) => {
    console.log('${name} is ' + (error ? 'left alone' : 'sampled'))
  })
  session.disconnect()
}`

/** For the main thread, after its workers: passes the question on, which SIGHUP asks. */
export const TELLS = `process.on('SIGHUP', () => {
  ${TELL('main')}
  for (const each of globalThis.workers ?? []) each.postMessage('tell')
});`

/** For a worker; keeps it alive as well. */
export const WORKER_TELLS = `require('node:worker_threads').parentPort.on('message', () => ${TELL('a worker')});`

/** Waits until as many isolates have answered, and returns what they said. */
export async function sampledIn(target: SpawnedTarget, isolates: number): Promise<string[]> {
  const before = target.output().length
  const said = () =>
    target
      .output()
      .slice(before)
      .match(/(?:main|a worker) is (?:left alone|sampled)/g) ?? []
  target.child.kill('SIGHUP')
  await until(() => said().length >= isolates, 'each isolate to say whether it is sampled', 60_000)
  return said().sort()
}

/**
 * Keeps arrays that `hoard` makes (few and large, so that snapshots stay quick), lets go of objects that `waste` makes,
 * takes time in `spin`, and counts its rounds.
 */
export const WORK = `
  const kept = []
  function hoard() { for (let i = 0; i < 8; i++) kept.push(Array.from({ length: 500 }, () => 0.5)) }
  function waste() { for (let i = 0; i < 20; i++) globalThis.last = Array.from({ length: 1000 }, (_, i) => ({ i })) }
  // Not a loop: what V8 optimized for one before a CPU profile began is put down to the caller, as is what it inlined.
  function spin(n = 25) { return n < 2 ? n : spin(n - 1) + spin(n - 2) }
  let rounds = 0
  const works = [hoard, waste, () => spin(), () => 1, () => 2, () => 3]
  setInterval(() => { for (const each of works) each(); if (++rounds % 10 === 0) console.log('worked') }, 10);`

/** Waits until that much more work is done: a busy machine may take its time. */
export async function worked(target: SpawnedTarget, tens = 4): Promise<void> {
  const count = () => target.output().split('worked').length
  const before = count()
  await until(() => count() >= before + tens, 'the target to work', 60_000)
}

interface HeapNode {
  readonly callFrame: { readonly functionName: string }
  readonly selfSize: number
  readonly children: readonly HeapNode[]
}

/** Bytes by the function that allocated them, itself or by what it calls. */
export function bytesUnder(name: string, profile: { readonly head: HeapNode }): number {
  const sum = (node: HeapNode): number => node.selfSize + node.children.reduce((bytes, each) => bytes + sum(each), 0)
  const find = (node: HeapNode): number =>
    node.callFrame.functionName === name ? sum(node) : node.children.reduce((bytes, each) => bytes + find(each), 0)
  return find(profile.head)
}

/** How many samples have hit the function itself. */
export function hits(name: string, profile: CpuProfile): number {
  return profile.nodes
    .filter((node) => node.callFrame.functionName === name)
    .reduce((count, node) => count + (node.hitCount ?? 0), 0)
}

export interface CpuProfile {
  readonly nodes: readonly { readonly callFrame: { readonly functionName: string }; readonly hitCount?: number }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}
