// `leakscope watch` in a real terminal: what is on the screen, what keys do, and that the terminal is given back.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import {
  filesIn,
  portsOf,
  readSnapshotFile,
  type SpawnedTarget,
  spawnTarget,
  TARGET_NODE,
  temporaryFolder,
  until,
} from '../../support/target.ts'
import { inTerminal, shows, type TerminalRun } from '../../support/terminal.ts'

const GROWS = 'globalThis.kept = []; setInterval(() => kept.push(Buffer.alloc(1e5, 1)), 50)'
const PROGRAMS = resolve(import.meta.dirname, '../../../fixtures/programs')

const fixtures = new Set<ReturnType<typeof spawn>>()
afterEach(() => {
  for (const child of fixtures) child.kill('SIGTERM')
  fixtures.clear()
})

async function startFixture(file: string): Promise<number> {
  const child = spawn(TARGET_NODE, ['--inspect-port=0', join(PROGRAMS, file)], { stdio: ['ignore', 'pipe', 'ignore'] })
  fixtures.add(child)
  await once(child.stdout!, 'data')
  return child.pid!
}

/** The number on the line of that name. */
const lineOf = (run: TerminalRun, label: string): string => run.screen().find((line) => line.startsWith(label)) ?? ''

async function isLeftAlone(target: SpawnedTarget): Promise<void> {
  expect(await target.answers()).toBe(true)
  await until(() => portsOf(target.pid).length === 0, 'the inspector to be shut')
}

function isGivenBack(run: TerminalRun): void {
  expect(run.isTakenOver()).toBe(false)
  expect(run.isCursorShown()).toBe(true)
}

describe('in a terminal', () => {
  test('shows all values of a leaking process, what grows, and its keys, within 80 by 24', async () => {
    const pid = await startFixture('off-heap-growth/leaky.mjs')
    const run = inTerminal(['watch', pid, '--every', '200ms'])
    // With the series, how much it is now, how much more each hour, and how sure that is.
    await shows(run, /^ArrayBuffers +▁[▁-█]{6,}█ +\d+(\.\d+)? MB +\+\d+(\.\d+)? [MG]B {2}leak \d+(\.\d)? %$/m)
    expect(run.isTakenOver()).toBe(true)
    expect(run.isCursorShown()).toBe(false)
    expect(run.screen()[0]).toMatch(new RegExp(`^process ${pid} {2}Node v\\d+\\S+, \\d+ looks in .* s, each 200 ms$`))
    expect(run.screen()[1]).toContain('off-heap-growth/leaky.mjs')
    expect(lineOf(run, 'resident memory')).toMatch(/ [▁-█]{8,} +\d+(\.\d+)? MB /)
    expect(lineOf(run, 'event loop, part busy')).toMatch(/\d+ %/)
    expect(lineOf(run, 'event loop, delay')).toMatch(/\d+ ms/)
    expect(lineOf(run, 'garbage collection')).toMatch(/\d+ %/)
    expect(lineOf(run, 'threads')).toMatch(/ \d+ /)
    expect(run.screen()[23]).toMatch(/^q quit {2}p pause {2}o order {2}s snapshot/)
    run.press('oo')
    await shows(run, 'per hour▾')
    // What grows by most is first now.
    await until(() => / \+\d/.test(run.screen()[3]!), 'what grows on top')
    run.press('q')
    expect(await run.done).toBe(0)
    isGivenBack(run)
    // The last picture stays.
    expect(run.text()).toContain('ArrayBuffers')
  })

  test('finds room in larger and smaller terminals', async () => {
    const target = await spawnTarget(GROWS)
    const run = inTerminal(['watch', target.pid, '--every', '200ms'], { columns: 120, rows: 40 })
    await shows(run, 'd diagnose  ↑↓ scroll')
    await shows(run, 'unexplained')
    expect(run.screen()).toHaveLength(40)
    run.resize(50, 10)
    await shows(run, /… \d+ more below/)
    expect(run.screen()[0]).toMatch(/^process \d+/)
    expect(run.screen()[9]).toMatch(/^q quit/)
    expect(run.screen()[3]).toMatch(/^resident memory +\d+(\.\d+)? MB /)
    run.press('\x1b[B\x1b[B')
    await until(() => !run.text().includes('resident memory'), 'it to be scrolled away')
    run.resize(12, 3)
    await until(() => run.screen().some((line) => line.startsWith('q quit')), 'the keys in a tiny one')
    run.resize(80, 24)
    await shows(run, 'event loop, delay')
    run.press('q')
    expect(await run.done).toBe(0)
    await isLeftAlone(target)
  })

  test('without colours where they are not wanted, and line by line where there is no cursor', async () => {
    const target = await spawnTarget()
    const colour = /\x1b\[[0-9;]+m/
    const painted = inTerminal(['watch', target.pid, '--every', '200ms'])
    // The first picture has no value yet, and so nothing to colour.
    await until(() => colour.test(painted.raw()), 'something in colour')
    painted.press('q')
    await painted.done
    const plain = inTerminal(['watch', target.pid, '--every', '200ms'], { env: { NO_COLOR: '1' } })
    await shows(plain, /[2-9] looks/)
    expect(plain.raw()).not.toMatch(colour)
    plain.press('q')
    await plain.done
    const lines = inTerminal(['watch', target.pid, '--every', '200ms', '--count', '3'], { env: { TERM: 'dumb' } })
    expect(await lines.done).toBe(0)
    expect(lines.raw()).not.toContain('\x1b')
    expect(lines.text()).toMatch(/^UTC .*RSS .*GC\n(\d\d:\d\d:\d\d .*MB.*(\n|$)){3}$/)
  })

  test('a process’s title is shown, and not obeyed', async () => {
    const target = await spawnTarget("process.title = 'a\\x1b[2Jb\\x1b]0;c\\x07\\u202ed'")
    const run = inTerminal(['watch', target.pid, '--every', '200ms'])
    await shows(run, 'resident memory')
    expect(run.text()).toContain('a\\u001b[2Jb')
    expect(run.raw()).not.toContain('\x1b]0')
    run.press('q')
    await run.done
  })

  test('survives the end of the process: says so, keeps the picture, and waits for whoever looks at it', async () => {
    const target = await spawnTarget(GROWS)
    const run = inTerminal(['watch', target.pid, '--every', '200ms'])
    await shows(run, /[5-9] looks/)
    target.child.kill('SIGKILL')
    await shows(run, `process ${target.pid} has ended`)
    expect(run.screen()[0]).toMatch(/ENDED$/)
    expect(run.text()).toContain('resident memory')
    expect(run.isTakenOver()).toBe(true)
    run.press('s')
    await shows(run, 'nobody left to ask')
    run.press('q')
    expect(await run.done).toBe(3)
    isGivenBack(run)
    expect(run.text()).toContain('ArrayBuffers')
  })
})

describe('gives the terminal back, and leaves the process as it was', () => {
  test.each<[string, (run: TerminalRun) => void, number]>([
    ['q', (run) => run.press('q'), 0],
    ['Ctrl-C', (run) => run.press('\x03'), 0],
    ['SIGTERM', (run) => process.kill(run.pid, 'SIGTERM'), 0],
    ['SIGHUP', (run) => process.kill(run.pid, 'SIGHUP'), 0],
    // As a terminal that is closed sends it: by the system, and by the shell.
    ['SIGHUP twice', (run) => ['SIGHUP', 'SIGHUP'].forEach((signal) => void process.kill(run.pid, signal)), 0],
  ])('after %s', async (_, end, code) => {
    const target = await spawnTarget()
    const run = inTerminal(['watch', target.pid, '--every', '200ms'])
    await shows(run, /[2-9] looks/)
    end(run)
    expect(await run.done).toBe(code)
    isGivenBack(run)
    await isLeftAlone(target)
  })

  test('after an error', async () => {
    const target = await spawnTarget()
    const shell = `ulimit -f 8; leakscope watch ${target.pid} --every 200ms --record a.jsonl`
    const run = inTerminal([], { shell, cwd: temporaryFolder() })
    await shows(run, 'no space left for a.jsonl')
    expect(run.screen()[0]).toMatch(/ENDED$/)
    run.press('q')
    expect(await run.done).toBe(3)
    isGivenBack(run)
    await isLeftAlone(target)
  })

  test('and takes it again, after Ctrl-Z and fg', async () => {
    const target = await spawnTarget()
    const run = inTerminal([], {
      shell: `set -m; leakscope watch ${target.pid} --every 200ms; echo stopped; fg; echo over`,
    })
    await shows(run, /[2-9] looks/)
    const before = run.raw().length
    run.press('\x1a')
    // The shell has it in between, and says what it does.
    await until(
      () => /\x1b\[\?1049l[\s\S]*stopped[\s\S]*\x1b\[\?1049h/.test(run.raw().slice(before)),
      'the shell in between',
    )
    await shows(run, /\d\d looks/)
    run.press('q')
    await shows(run, 'over')
    expect(await run.done).toBe(0)
    isGivenBack(run)
    await isLeftAlone(target)
  })
})

describe('keys', () => {
  test('pause, and go on', async () => {
    const target = await spawnTarget()
    const run = inTerminal(['watch', target.pid, '--every', '200ms'])
    await shows(run, /[2-9] looks/)
    run.press('p')
    await shows(run, 'PAUSED')
    await shows(run, 'p go on')
    run.press('p')
    await shows(run, /\d\d looks in .* each 200 ms/)
    run.press('q')
    expect(await run.done).toBe(0)
  })

  test('take a snapshot, once its price was read, and a profile from one key to the next', async () => {
    const target = await spawnTarget(GROWS)
    const cwd = temporaryFolder()
    const run = inTerminal(['watch', target.pid, '--every', '200ms'], { cwd })
    await shows(run, 'ArrayBuffers')
    run.press('s')
    await shows(run, 's again to take it')
    expect(run.text()).toContain('will stand still for about')
    expect(filesIn(cwd)).toEqual([])
    run.press('s')
    await shows(run, 'stood still for')
    const [snapshot] = filesIn(cwd)
    const { nodeCount, nodes } = readSnapshotFile(join(cwd, snapshot!))
    expect(nodes).toBe(nodeCount)
    run.press('h')
    await shows(run, /h stops it\): (9|\d\d)\./)
    run.press('h')
    await shows(run, 'h heap')
    expect(run.text()).toContain('.heapprofile')
    const profile = filesIn(cwd).find((name) => name.endsWith('.heapprofile'))
    expect(JSON.parse(readFileSync(join(cwd, profile!), 'utf8')).head).toBeDefined()
    // Beside another, a profile is not lost by going.
    run.press('c')
    await shows(run, /c stops it\): (9|\d\d)\./)
    run.press('q')
    expect(await run.done).toBe(0)
    expect(filesIn(cwd).map((name) => name.replace(/.*\./, ''))).toEqual(
      expect.arrayContaining(['cpuprofile', 'heapprofile', 'heapsnapshot']),
    )
    for (const name of filesIn(cwd)) expect(run.text()).toContain(name)
    isGivenBack(run)
    await isLeftAlone(target)
  })
})

describe('several processes', () => {
  test('have a line each, and one is shown in full', async () => {
    // All want the same port to be looked into by.
    const [a, b] = [await spawnTarget('', { args: [] }), await spawnTarget(GROWS, { args: [] })]
    const run = inTerminal(['watch', a.pid, b.pid, '--every', '200ms'])
    await shows(run, new RegExp(`^> process ${a.pid} .* MB`, 'm'))
    // To the last column.
    expect(run.screen()[0]).toMatch(/^ +RSS .* GC$/)
    await shows(run, new RegExp(`^  process ${b.pid} .* MB`, 'm'))
    run.press('\t')
    await shows(run, new RegExp(`^> process ${b.pid} `, 'm'))
    a.child.kill('SIGKILL')
    await shows(run, new RegExp(`^  process ${a.pid} .* ended`, 'm'))
    run.press('q')
    expect(await run.done).toBe(0)
    await isLeftAlone(b)
  })
})
