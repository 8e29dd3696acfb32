// Whether anything secret gets out of a real process into a redacted snapshot, and whether that still tells of leaks.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { overview } from '../../src/analysis/overview.ts'
import { ReportSchema } from '../../src/findings/report.ts'
import { HeapGraph } from '../../src/graph/heap-graph.ts'
import { readSnapshot } from '../../src/snapshot/read.ts'
import { runCli, spawnTarget, temporaryFolder, until } from '../support/target.ts'

const PROGRAM = join(import.meta.dirname, '../support/secretive.cjs')

/** A text as it may stand in a file: as it is, and in JSON as others write it and as V8 does. */
function spellings(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1)
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  const ascii = json.replace(/[\u0080-\uffff]/g, escaped)
  const upper = json.replace(/[\u0080-\uffff]/g, (unit) => escaped(unit).toUpperCase().replace('U', 'u'))
  return [text, json, ascii, upper]
}

/** The ways by which secrets got into the file. */
function found(file: string, secrets: ReadonlyMap<string, string>): string[] {
  const raw = readFileSync(file, 'utf8')
  const contents = raw + (JSON.parse(raw) as { strings: string[] }).strings.join('\0')
  return [...secrets].filter(([, text]) => spellings(text).some((each) => contents.includes(each))).map(([way]) => way)
}

describe('of a program with secrets', () => {
  const folder = temporaryFolder()
  const plain = join(folder, 'plain.heapsnapshot')
  const captured = join(folder, 'captured.heapsnapshot')
  const rewritten = join(folder, 'rewritten.heapsnapshot')
  let secrets: Map<string, string>

  beforeAll(async () => {
    const target = await spawnTarget(`require(${JSON.stringify(PROGRAM)})`, {
      args: ['--inspect-port=0', '--title=target'],
      env: { MY_TOKEN: 'env-token-7h1515' },
      scriptArgs: ['--password=argv-pa55word'],
    })
    const listed = () =>
      target
        .output()
        .split('\n')
        .find((line) => line.startsWith('{'))
    await until(() => listed() !== undefined, 'the list of secrets')
    secrets = new Map(
      Object.entries(JSON.parse(listed()!) as Record<string, number[]>).map(([way, units]) => [
        way,
        String.fromCharCode(...units),
      ]),
    )
    for (const args of [
      ['snapshot', target.pid, '-q', '-o', plain],
      ['snapshot', target.pid, '-q', '-o', captured, '--redact'],
      ['redact', plain, rewritten],
    ]) {
      expect(await runCli(args)).toMatchObject({ code: 0, stderr: '' })
    }
  })

  test('the plain snapshot has nearly all of them, so they are there to be found', () => {
    const ways = found(plain, secrets)
    expect(secrets.size).toBeGreaterThan(50)
    // V8 writes no code points beyond 16 bits, and some versions no BigInts.
    const missing = [...secrets.keys()].filter((way) => !ways.includes(way) && way !== 'astral' && way !== 'BigInt')
    expect(missing).toEqual([])
  })

  test('none is in a snapshot that was redacted as it was taken', () => {
    expect(found(captured, secrets)).toEqual([])
  })

  test('none is in one that was redacted afterwards', () => {
    expect(found(rewritten, secrets)).toEqual([])
  })

  test('nodes, edges and everything that is worked out from them stay', async () => {
    const [before, after] = [new HeapGraph(await readSnapshot(plain)), new HeapGraph(await readSnapshot(rewritten))]
    expect(after.snapshot.nodeCount).toBe(before.snapshot.nodeCount)
    expect(after.snapshot.edgeCount).toBe(before.snapshot.edgeCount)
    expect(Buffer.from(after.retainedSizes.buffer).equals(Buffer.from(before.retainedSizes.buffer))).toBe(true)
    const withoutData = (urls: ReadonlyMap<number, string>) => [...urls].filter(([, url]) => !url.startsWith('data:'))
    expect(withoutData(after.scriptUrls)).toEqual(withoutData(before.scriptUrls))
    expect([...after.scriptUrls.values()]).toContain(PROGRAM)
    expect(withoutData(after.moduleScopes)).toEqual(withoutData(before.moduleScopes))
    const [was, is] = [overview(before, [], 50), overview(after, [], 50)]
    const groups = ({ duplicateStrings }: typeof was) =>
      duplicateStrings.map(({ text, ...sizes }) => ({ ...sizes, length: text.length }))
    expect(groups(is)).toEqual(groups(was))
    const classes = (of: typeof was) => of.classes.filter(({ name }) => !name.startsWith('tag') && name[0] !== '~')
    expect(classes(is)).toEqual(classes(was))
  })

  test('sizes and intervals can be read', () => {
    const { strings } = JSON.parse(readFileSync(rewritten, 'utf8')) as { strings: string[] }
    for (const number of ['98304', '12345678', '600000000', '0.5', '4100000000000000', '980000000']) {
      expect(strings).toContain(number)
    }
  })

  test('names that code uses stay', () => {
    const { strings } = JSON.parse(readFileSync(rewritten, 'utf8')) as { strings: string[] }
    const names = ['Account', 'password', '#pin', 'API_KEY', 'closure', 'keep', 'buffered', 'pid', 'process']
    for (const name of [...names, 'Object', 'Array', '_idleTimeout', '<symbol Symbol.toStringTag>']) {
      expect(strings).toContain(name)
    }
  })
})

test('what leaks is told as before, from snapshots of one visit that were redacted as they were taken', async () => {
  const target = await spawnTarget(`
    class Session { constructor(id) { this.id = id } }
    globalThis.registry = { sessions: new Map(), lines: [] }
    let n = 0
    setInterval(() => {
      const id = 'session-' + n++
      registry.sessions.set(id, new Session(id))
      registry.lines.push('somebody logged in as ' + id)
    }, 2)`)
  const cwd = temporaryFolder()
  const args = ['snapshot', target.pid, '--count', 3, '--every', '300ms', '-o', 'a.heapsnapshot.gz', '--redact', '-q']
  expect(await runCli(args, { cwd })).toMatchObject({ code: 0, stderr: '' })
  const files = ['a-1.heapsnapshot.gz', 'a-2.heapsnapshot.gz', 'a-3.heapsnapshot.gz']
  const { growth } = ReportSchema.parse(JSON.parse((await runCli(['diff', ...files, '--json'], { cwd })).stdout))
  expect(growth?.matching).toBe('id')
  const paths = growth?.clusters.map((cluster) => [
    cluster.constructor,
    cluster.retainingPath.map(({ edge }) => edge).join(' '),
  ])
  expect(paths).toContainEqual(['Session', expect.stringContaining('.registry .sessions')])
  expect(paths).toContainEqual([expect.stringContaining('string'), expect.stringContaining('.registry .lines')])
})
