// The whole way on a real process: attach by pid, two snapshots, and the leaks named with their lines; and silence on the
// same program repaired.

import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Growth } from '../../src/analysis/growth.ts'
import { compareSnapshots } from '../../src/analysis/growth.ts'
import { captureHeapSnapshot } from '../../src/capture/heap-snapshot.ts'
import { type Report, ReportSchema } from '../../src/findings/report.ts'
import { withWords } from '../../src/graph/path-words.ts'
import { readLocalSource } from '../../src/support/sources.ts'
import { withInspector } from '../../src/target/attach.ts'
import { runCli, start, TARGET_NODE, temporaryFolder, until } from '../support/target.ts'

const chatServer = resolve(import.meta.dirname, '../../fixtures/programs/chat-server')

/** Starts the server and clients that talk to it for longer than any test lasts. */
async function serve(program: 'leaky.mjs' | 'fixed.mjs'): Promise<number> {
  const server = start(TARGET_NODE, ['--inspect-port=0', join(chatServer, program)], {
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  let text = ''
  server.stdout.on('data', (part) => {
    text += part
  })
  await until(() => text.includes('\n'), 'the server to say its port')
  const { port } = JSON.parse(text.slice(0, text.indexOf('\n'))) as { port: number }
  start(process.execPath, [join(chatServer, 'clients.mjs'), String(port), '6', '20', '60'])
  await sleep(1500)
  return server.pid!
}

/** Lines of the program that end in `// leak: <pattern>`, 1-based. */
function markedLines(program: string, pattern: string): number[] {
  const lines = readFileSync(join(chatServer, program), 'utf8').split('\n')
  return lines.flatMap((line, i) => (line.endsWith(`// leak: ${pattern}`) ? [i + 1] : []))
}

async function growthOf(program: 'leaky.mjs' | 'fixed.mjs', snapshots: number): Promise<Growth> {
  const pid = await serve(program)
  const folder = temporaryFolder()
  const files = Array.from({ length: snapshots }, (_, i) => join(folder, `${i}.heapsnapshot`))
  await withInspector(pid, { signal: new AbortController().signal }, async (session) => {
    for (const [i, file] of files.entries()) {
      if (i > 0) await sleep(1500)
      await captureHeapSnapshot(session, file)
    }
  })
  return compareSnapshots(files, { readSource: readLocalSource })
}

/** Growth that the program has to answer for: not code that V8 compiles, nor what Node loads late. */
const ofTheProgram = ({ clusters }: Growth) =>
  clusters.filter(({ culprit, className }) => culprit?.url.includes('chat-server') && !/^[(]|^system/.test(className))

describe('a chat server with a timer for each write and logs without end', () => {
  test('has its leaks named, each with its line, when snapshots are of one visit', async () => {
    const growth = await growthOf('leaky.mjs', 3)
    expect(growth.matching).toBe('id')
    const lines = (name: string) =>
      growth.clusters.filter(({ className }) => className === name).map(({ culprit }) => culprit?.line)
    const marked = [...markedLines('leaky.mjs', 'unbounded-timers'), ...markedLines('leaky.mjs', 'growing-log-array')]
    expect(marked).toHaveLength(5)
    expect(growth.clusters.slice(0, 6).map(({ culprit }) => culprit?.line)).toEqual(expect.arrayContaining(marked))
    expect(lines('Timeout').sort()).toEqual(markedLines('leaky.mjs', 'unbounded-timers').sort())
    const logs = growth.clusters.find(({ path }) => path.some(({ reference }) => reference.name === 'sendLogs'))!
    expect(
      logs.path
        .map(withWords)
        .map(({ edge, node }) => `${edge} ${node.replace(/\[.*/, '')}`.trim())
        .slice(0, 3),
    ).toEqual([
      expect.stringMatching(/^module file:.+leaky\.mjs$/),
      "context variable 'Logging' Object",
      '.sendLogs Array',
    ])
    expect(logs.countPerStep).toHaveLength(2)
    expect(logs.count).toBeGreaterThan(100)
  })

  test('has them named too when each snapshot was a visit of its own, as a user takes them', async () => {
    const pid = await serve('leaky.mjs')
    const cwd = temporaryFolder()
    for (const name of ['before', 'after']) {
      expect(await runCli(['snapshot', pid, '-q', '-o', name], { cwd })).toMatchObject({ code: 0, stderr: '' })
      await sleep(1500)
    }
    const { code, stdout, stderr } = await runCli(['diff', 'before', 'after', '--json'], { cwd })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const report = ReportSchema.parse(JSON.parse(stdout)) as Report
    expect(report.growth!.matching).toBe('place')
    expect(report.snapshots.map(({ file }) => file)).toEqual(['before', 'after'])
    const marked = [...markedLines('leaky.mjs', 'unbounded-timers'), ...markedLines('leaky.mjs', 'growing-log-array')]
    const named = report.growth!.clusters.slice(0, 10).map(({ culprit }) => culprit?.line)
    expect(named).toEqual(expect.arrayContaining(marked))

    const text = (await runCli(['diff', 'before', 'after', '--limit', '5'], { cwd })).stdout.replace(/\s+/g, ' ')
    expect(text).toMatch(/new Timeout \(GC root\) → .+timerListMap.+ calls .+leaky\.mjs:\d+:\d+/)
    expect(text).toMatch(/leaky\.mjs → context variable 'Logging' → \.(logs|sendLogs) → Array\[[\d,]+\]/)
  })
})

test('the repaired chat server holds nothing new that is its own', async () => {
  const growth = await growthOf('fixed.mjs', 3)
  const bytes = ofTheProgram(growth).reduce((sum, cluster) => sum + cluster.bytes, 0)
  expect(bytes).toBeLessThan(10_000)
  expect(growth.clusters.some(({ className }) => className === 'Timeout')).toBe(false)
})
