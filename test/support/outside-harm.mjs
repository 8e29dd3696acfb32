// What could harm a process that is read from outside, done to it again and again: used by the tests, a few times, and
// by test/matrix/outside-harm.mjs, as often as is wanted.

import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { captureFromOutside } from '../../dist/outside/open.js'
import { isStopped } from '../../dist/outside/stop.js'

const path = (name) => fileURLToPath(new URL(name, import.meta.url))
const SERVER = path('outside-server.cjs')
const LOAD = path('outside-load.mjs')
const CAPTURE = path('capture-outside.mjs')
const GO_ON_MS = 8000

/** A server that is at work, and who has it work. */
async function startServer(node = process.execPath) {
  const server = spawn(node, ['--expose-gc', SERVER], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [port] = await once(server.stdout, 'data')
  const load = fork(LOAD, [String(port).trim()])
  await once(load, 'message')
  const ask = async (what) => {
    const answer = once(load, 'message')
    load.send(what)
    return (await answer)[0]
  }
  return {
    pid: server.pid,
    /** Latencies in ms and failures since this was asked last. */
    report: () => ask('report'),
    /** What the server says of its memory, after a collection. */
    memory: async () => (await fetch(`http://127.0.0.1:${String(port).trim()}/memory`)).json(),
    isAlive: () => server.exitCode === null && server.signalCode === null,
    end() {
      load.kill('SIGKILL')
      server.kill('SIGKILL')
    },
  }
}

const peakOf = (pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) * 1024

async function goesOn(pid) {
  const end = performance.now() + GO_ON_MS
  while (isStopped(pid) && performance.now() < end) await sleep(20)
  return !isStopped(pid)
}

/** Takes pictures of a server under load. */
export async function takePictures(count, { node, beforeMs = 5000, mostMs = Infinity, onPicture = () => {} } = {}) {
  const server = await startServer(node)
  try {
    await sleep(beforeMs)
    await server.report()
    await sleep(beforeMs)
    const without = await server.report()
    const [memory, peak] = [await server.memory(), peakOf(server.pid)]
    await server.report()
    const pauses = []
    const refusals = {}
    const end = performance.now() + mostMs
    for (let i = 0; i < count && performance.now() < end; i++) {
      try {
        const { pausedMs, heaps } = await captureFromOutside(server.pid, { maxPauseMs: 5000 })
        if (heaps[0].snapshot.nodeCount < 10_000) throw new Error(`a picture of ${heaps[0].snapshot.nodeCount} nodes`)
        pauses.push(pausedMs)
      } catch (error) {
        if (error.name !== 'LeakscopeError') throw error
        const what = error.message.replace(/\d+/g, 'N')
        refusals[what] = (refusals[what] ?? 0) + 1
      }
      onPicture(i)
    }
    const during = await server.report()
    const [memoryAfter, peakAfter] = [await server.memory(), peakOf(server.pid)]
    pauses.sort((a, b) => a - b)
    return {
      ...{ pictures: pauses.length, refusals, isAlive: server.isAlive() && (await goesOn(server.pid)) },
      ...{ failed: without.failed + during.failed, without, during },
      pauseMs: {
        median: pauses[pauses.length >> 1],
        p99: pauses[Math.floor(pauses.length * 0.99)],
        most: pauses.at(-1),
      },
      idle: pauses.filter((ms) => ms === 0).length,
      heapGrowth: memoryAfter.heapUsed - memory.heapUsed,
      residentGrowth: memoryAfter.rss - memory.rss,
      peakGrowth: peakAfter - peak,
    }
  } finally {
    server.end()
  }
}

/** Kills leakscope at random moments, from its start to after it is done. */
export async function killAtRandom(count, { onKill = () => {} } = {}) {
  const server = await startServer()
  try {
    await sleep(1000)
    const capture = () =>
      spawn(process.execPath, [CAPTURE, String(server.pid), '5000'], { stdio: ['ignore', 'pipe', 'ignore'] })
    const begun = performance.now()
    await once(capture(), 'exit')
    const wholeMs = performance.now() - begun
    let [whileStopped, stayed, done] = [0, 0, 0]
    for (let i = 0; i < count; i++) {
      const child = capture()
      const ended = once(child, 'exit')
      // Every other one at the very moment when the server stands still, which is short.
      if (i % 2 === 0) await Promise.race([sleep(Math.random() * wholeMs), ended])
      else {
        const end = performance.now() + 2 * wholeMs
        while (!isStopped(server.pid) && child.exitCode === null && performance.now() < end) await sleep(0)
      }
      if (isStopped(server.pid)) whileStopped++
      if (child.exitCode !== null) done++
      child.kill('SIGKILL')
      await ended
      if (!(await goesOn(server.pid))) stayed++
      onKill(i)
    }
    const { failed } = await server.report()
    return { kills: count, whileStopped, done, stayed, failed, isAlive: server.isAlive() }
  } finally {
    server.end()
  }
}

const TICK = 'setInterval(() => { const end = Date.now() + 10; while (Date.now() < end); }, 0)'

/** Processes at moments that are no good ones. `starts` gives the process; `also` runs beside and is ended. */
const SITUATIONS = {
  'is traced': { source: TICK, also: ['strace', '-f', '-o', '/dev/null', '-p'] },
  // Which must not be interrupted: it would pass that on.
  'is held by a debugger': { source: TICK, also: ['gdb', '-batch', '-ex', 'shell sleep 1', '-p'], ends: true },
  'is profiled by the system': { source: TICK, also: ['perf', 'record', '-q', '-o', '/dev/null', '-p'] },
  'is profiled by V8': { source: TICK, flags: ['--cpu-prof', '--cpu-prof-dir=/dev/null'] },
  'waits for an inspector': { source: TICK, flags: ['--inspect-brk=0'] },
  forks: {
    source: `const { spawn } = require('node:child_process'); const next = () => spawn('true').on('exit', next); next(); ${TICK}`,
  },
  collects: {
    source: `let kept = []; setInterval(() => { kept = Array.from({ length: 5e4 }, (_, i) => ({ i })); gc() }, 0)`,
    flags: ['--expose-gc'],
  },
  'makes and ends threads': {
    source: `const { Worker } = require('node:worker_threads'); const next = () => new Worker('0', { eval: true }).on('exit', next); next(); ${TICK}`,
  },
}

/** @returns the process, once its program runs, or waits for somebody to let it run */
async function startProgram(source, flags = []) {
  const child = spawn(process.execPath, [...flags, '-e', `console.log('ready'); ${source}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data')])
  return child
}

/** @returns by situation: how many pictures, what was refused, and whether the process ran on each time */
export async function readInSituations(rounds, { only = Object.keys(SITUATIONS) } = {}) {
  const rows = []
  for (const name of only) {
    const { source, flags = [], also, ends } = SITUATIONS[name]
    const child = await startProgram(source, flags)
    const row = { name, pictures: 0, refusals: [], ranOn: 0, rounds }
    for (let i = 0; i < rounds; i++) {
      const beside = also && spawn(also[0], [...also.slice(1), String(child.pid)], { stdio: 'ignore' })
      beside?.on('error', () => {})
      if (beside) await sleep(300)
      await tryCapture(child.pid, row)
      if (!ends) beside?.kill('SIGINT')
      if (beside && beside.exitCode === null && beside.pid) await Promise.race([once(beside, 'exit'), sleep(5000)])
      if ((await goesOn(child.pid)) && child.exitCode === null && child.signalCode === null) row.ranOn++
    }
    child.kill('SIGKILL')
    rows.push(row)
  }
  return rows
}

/** Processes that have just begun, or end meanwhile. */
export async function readAtBothEnds(rounds) {
  const starting = { name: 'has just begun', pictures: 0, refusals: [], ranOn: 0, rounds }
  const ending = { name: 'ends meanwhile', pictures: 0, refusals: [], ranOn: 0, rounds }
  for (let i = 0; i < rounds; i++) {
    const child = spawn(process.execPath, ['-e', TICK], { stdio: 'ignore' })
    await sleep(Math.random() * 80)
    await tryCapture(child.pid, starting)
    if ((await goesOn(child.pid)) && child.exitCode === null && child.signalCode === null) starting.ranOn++
    child.kill('SIGKILL')
    const short = await startProgram(`setTimeout(() => process.exit(7), ${Math.random() * 700}); ${TICK}`)
    const ended = once(short, 'exit')
    await tryCapture(short.pid, ending)
    // It ends by itself, and not by us.
    if ((await ended)[0] === 7) ending.ranOn++
  }
  return [starting, ending]
}

async function tryCapture(pid, row) {
  try {
    const { heaps } = await captureFromOutside(pid, { maxPauseMs: 5000 })
    if (heaps[0].snapshot.nodeCount < 5000) throw new Error(`a picture of ${heaps[0].snapshot.nodeCount} nodes`)
    row.pictures++
  } catch (error) {
    if (error.name !== 'LeakscopeError') throw error
    row.refusals.push(error.message.replace(/\d+/g, 'N'))
  }
}
