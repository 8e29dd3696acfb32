// Every resident byte in one line, in processes that are made up, and in real ones that grow in one line each.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Report } from '../../src/findings/report.ts'
import { type IsolateSizes, type LedgerLineId, ledger, type MemoryFacts } from '../../src/process/ledger.ts'
import type { Mapping } from '../../src/target/memory-map.ts'
import { nodeBinary } from '../matrix/nodes.mjs'
import { runCli, start, TARGET_NODE, until } from '../support/target.ts'

const MB = 1e6

function mapping(start: number, mb: number, more: Partial<Mapping> & { flag?: string } = {}): Mapping {
  const { flag = '', ...rest } = more
  const bytes = mb * MB
  return {
    start,
    end: start + bytes,
    access: 'rw-p',
    name: '',
    rssBytes: bytes,
    swapBytes: 0,
    flags: new Set(flag.split(' ')),
    ...rest,
  }
}

const SIZES: IsolateSizes = {
  usedBytes: 0,
  committedBytes: 0,
  codeBytes: 0,
  arrayBufferBytes: 0,
  externalBytes: 0,
  mallocedBytes: 0,
}

function facts(more: Partial<MemoryFacts> = {}): MemoryFacts {
  return {
    isolates: [{ isolate: 'main', sizes: SIZES }],
    rssBytes: 0,
    mappings: [],
    malloc: [],
    externalHasWasm: true,
    ownSources: { mainBytes: 0, workerBytes: 0 },
    ...more,
  }
}

const main = (sizes: Partial<IsolateSizes>) => ({ isolate: 'main', sizes: { ...SIZES, ...sizes } })

/** The lines that are not empty, in MB. */
function linesOf(them: MemoryFacts): Partial<Record<LedgerLineId, number>> {
  const { lines } = ledger(them)
  return Object.fromEntries(lines.filter(({ bytes }) => bytes !== 0).map(({ id, bytes }) => [id, bytes / MB]))
}

describe('a process that is made up', () => {
  test('has what V8 mapped divided by what V8 says', () => {
    const isolates = [
      main({ usedBytes: 30 * MB, committedBytes: 45 * MB, codeBytes: 2 * MB }),
      { isolate: 'worker:1', sizes: { ...SIZES, usedBytes: 3 * MB, committedBytes: 7 * MB, codeBytes: 1 * MB } },
    ]
    const mappings = [mapping(1e12, 60, { flag: 'dc' })]
    expect(linesOf(facts({ isolates, mappings }))).toEqual({
      'js-heap-used': 30,
      'js-heap-unused': 20,
      code: 2,
      'worker-heaps': 8,
    })
  })

  test('has the heap of a worker that does not answer in what the others leave, and says so', () => {
    const isolates = [main({ usedBytes: 30 * MB, committedBytes: 30 * MB }), { isolate: 'worker:1', sizes: null }]
    const { lines, notes } = ledger(facts({ isolates, mappings: [mapping(1e12, 60, { flag: 'dc' })] }))
    expect(lines.find(({ id }) => id === 'worker-heaps')).toMatchObject({
      bytes: 30 * MB,
      parts: [{ label: 'worker:1 (no answer)', bytes: 30 * MB }],
    })
    expect(notes).toEqual([expect.stringContaining('1 of 2 isolates did not answer')])
  })

  test('has what malloc manages divided by what it has handed out, and that by what V8 knows', () => {
    const isolates = [main({ arrayBufferBytes: 20 * MB, externalBytes: 25 * MB, mallocedBytes: 1 * MB })]
    const mappings = [mapping(4096, 50, { name: '[heap]' })]
    const malloc = [{ start: 4096, end: 4096 + 50 * MB, inUseBytes: 40 * MB, isArena: true }]
    expect(linesOf(facts({ isolates, mappings, malloc }))).toEqual({
      'array-buffers': 20,
      'other-external': 5,
      'native-heap': 15,
      'allocator-slack': 10,
    })
    // Who may not look cannot tell the two apart.
    const blind = facts({ isolates, mappings, malloc: null })
    expect(linesOf(blind)).toEqual({ 'array-buffers': 20, 'other-external': 5, 'native-heap': 25 })
    expect(ledger(blind).notes).toEqual([expect.stringContaining('may not be read')])
  })

  test('does not count Buffers that were never written to', () => {
    const isolates = [main({ arrayBufferBytes: 500 * MB, externalBytes: 500 * MB })]
    const mappings = [mapping(0x10000, 500, { rssBytes: 4096 }), mapping(1e12, 10, { name: '[heap]' })]
    const malloc = [
      { start: 0x10000, end: 0x10000 + 500 * MB, inUseBytes: 500 * MB, isArena: false },
      { start: 1e12, end: 1e12 + 10 * MB, inUseBytes: 10 * MB, isArena: true },
    ]
    const lines = linesOf(facts({ isolates, mappings, malloc }))
    expect(lines['array-buffers']).toBeLessThan(0.01)
    expect(lines['native-heap']).toBe(10)
  })

  test('has its allocator named where it is not glibc’s', () => {
    const mappings = [
      mapping(1e12, 1, { name: '/usr/lib/x86_64-linux-gnu/libjemalloc.so.2', access: 'r-xp' }),
      mapping(2e12, 30),
    ]
    const { allocator, notes } = ledger(facts({ mappings }))
    expect(allocator).toEqual({ name: 'jemalloc', arenas: null })
    expect(notes).toEqual([expect.stringContaining('jemalloc')])
    expect(linesOf(facts({ mappings }))).toEqual({ 'native-heap': 30, 'shared-libraries': 1 })
  })

  test('is, over the protocol alone, told by V8 as far as V8 can, and the rest is said to be unexplained', () => {
    const isolates = [
      main({ usedBytes: 30 * MB, committedBytes: 40 * MB, arrayBufferBytes: 20 * MB, externalBytes: 20 * MB }),
    ]
    const alone = facts({ isolates, mappings: null, malloc: null, rssBytes: 100 * MB })
    expect(linesOf(alone)).toEqual({ 'js-heap-used': 30, 'js-heap-unused': 10, 'array-buffers': 20, unexplained: 40 })
    expect(ledger(alone).allocator).toBeNull()
  })

  test.each<[string, Mapping[], LedgerLineId]>([
    ['the stack of main', [mapping(1e12, 1, { name: '[stack]' })], 'thread-stacks'],
    [
      'the stack of another thread, above its guard',
      [mapping(1e12 - 4096, 0.004096, { access: '---p', rssBytes: 0 }), { ...mapping(1e12, 1), end: 1e12 + (8 << 20) }],
      'thread-stacks',
    ],
    ['a library', [mapping(1e12, 1, { name: '/lib/a.so', access: 'r-xp' })], 'shared-libraries'],
    [
      'data of an executable',
      [mapping(1e12, 1, { name: '/bin/a', access: 'rw-p' }), mapping(2e12, 0, { name: '/bin/a', access: 'r-xp' })],
      'shared-libraries',
    ],
    ['a file', [mapping(1e12, 1, { name: '/srv/rows.db', access: 'r--s' })], 'mapped-files'],
    ['shared memory', [mapping(1e12, 1, { name: '/dev/shm/it', access: 'rw-s' })], 'shared-memory'],
    ['memory without a name that is shared', [mapping(1e12, 1, { access: 'rw-s' })], 'shared-memory'],
    [
      'WebAssembly memory',
      [mapping(1e12, 1, { flag: 'dc nr' }), mapping(1e12 + MB, 8e3, { access: '---p', rssBytes: 0, flag: 'dc nr' })],
      'wasm-memory',
    ],
    [
      'an ArrayBuffer that can be resized',
      [mapping(1e12, 1, { flag: 'dc nr' }), mapping(1e12 + MB, 100, { access: '---p', rssBytes: 0, flag: 'dc nr' })],
      'array-buffers',
    ],
    [
      'a buffer of a few pages that can grow, beside another one',
      [
        mapping(1e12 - 4096, 0.004096, { access: '---p', rssBytes: 0, flag: 'dc nr' }),
        mapping(1e12, 1, { flag: 'dc nr' }),
        mapping(1e12 + MB, 0.004096, { access: '---p', rssBytes: 0, flag: 'dc nr' }),
      ],
      'array-buffers',
    ],
    [
      'a page of the heap, whatever lies behind it',
      [
        { ...mapping(2 ** 40, 1, { flag: 'dc nr' }), end: 2 ** 40 + 2 ** 18 },
        mapping(2 ** 40 + 2 ** 18, 1, { access: '---p', rssBytes: 0, flag: 'dc nr' }),
      ],
      'js-heap-unused',
    ],
    [
      'what stands before V8’s room for code',
      [
        mapping(1e12, 1, { flag: 'dc nr' }),
        mapping(1e12 + MB, 0.004096, { access: '---p', rssBytes: 0, flag: 'dc nr' }),
        mapping(1e12 + MB + 4096, 1, { access: 'rwxp', rssBytes: 0, flag: 'dc nr' }),
      ],
      'js-heap-unused',
    ],
    ['what nobody knows', [mapping(1e12, 1)], 'unexplained'],
  ])('shows %s for what it is', (_, mappings, line) => {
    expect(linesOf(facts({ mappings }))).toEqual({ [line]: 1 })
  })

  test('has lines that add up, whatever it consists of', () => {
    const amount = fc.integer({ min: 0, max: 1e9 })
    const sizes = fc.record({
      usedBytes: amount,
      committedBytes: amount,
      codeBytes: amount,
      arrayBufferBytes: amount,
      externalBytes: amount,
      mallocedBytes: amount,
    })
    const kind = fc.constantFrom(
      { name: '[heap]' },
      { flag: 'dc' },
      { flag: 'nr' },
      { name: '/a.so', access: 'r-xp' },
      { name: '/file' },
      { access: '---p', rssBytes: 0, flag: 'dc' },
      {},
    )
    const any = fc.record({
      isolates: fc.array(fc.option(sizes), { minLength: 1, maxLength: 4 }),
      kinds: fc.array(fc.tuple(kind, fc.integer({ min: 0, max: 300 })), { maxLength: 12 }),
      shares: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
      hasMappings: fc.boolean(),
    })
    fc.assert(
      fc.property(any, ({ isolates, kinds, shares, hasMappings }) => {
        let at = 0x10000
        const mappings = kinds.map(([more, mb]) => {
          const it = mapping(at, mb, more)
          at = it.end
          return it
        })
        const malloc = mappings.slice(0, shares.length).map(({ start, end }, i) => ({
          start,
          end,
          inUseBytes: Math.floor((end - start) * shares[i]!),
          isArena: i % 2 === 0,
        }))
        const { lines, rssBytes } = ledger(
          facts({
            isolates: isolates.map((sizes, i) => ({ isolate: i === 0 ? 'main' : `worker:${i}`, sizes })),
            mappings: hasMappings ? mappings : null,
            malloc: hasMappings ? malloc : null,
            rssBytes: 5e8,
          }),
        )
        expect(lines.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(rssBytes)
        expect(lines.filter(({ bytes }) => bytes < 0)).toEqual([])
      }),
    )
  })
})

// What the system tells of mappings, it tells on Linux.
describe.runIf(process.platform === 'linux')('a real process that grows', () => {
  const folder = join(import.meta.dirname, '../../fixtures/ledger')
  const programs = readdirSync(folder)
    .filter((file) => file.endsWith('.mjs') && file !== 'grow.mjs')
    .map((file) => file.replace('.mjs', '') as LedgerLineId)

  test.each(programs)('by %s is said to grow by that, and by nothing else', async (line) => {
    // SQLite, which maps files, is in newer Nodes only.
    const node = line === 'mapped-files' ? await nodeBinary(24) : TARGET_NODE
    await growsBy(line, node, line)
  })

  test('by a file in /dev/shm is said to grow by shared memory', async () => {
    await growsBy('mapped-files', await nodeBinary(24), 'shared-memory', ['/dev/shm'])
  })

  async function growsBy(program: string, node: string, line: LedgerLineId, args: string[] = []): Promise<void> {
    const child = start(node, ['--inspect-port=0', join(folder, `${program}.mjs`), ...args])
    let output = ''
    child.stdout.on('data', (text) => {
      output += text
    })
    const says = (word: string) =>
      until(() => output.includes(word) || child.exitCode !== null, `the program to be ${word}`, 60_000)
    await says('ready')
    // The first visit leaves traces of itself, such as the inspector's thread.
    await look(child.pid!)
    const before = await look(child.pid!)
    child.kill('SIGUSR2')
    await says('grown')
    const after = await look(child.pid!)
    child.kill('SIGKILL')

    const grown = after
      .map(({ id, bytes }, i) => ({ id, bytes: bytes - before[i]!.bytes }))
      // What the program touches of Node's executable for the first time is not of its making.
      .filter(({ id, bytes }) => bytes > 0 && id !== 'shared-libraries')
    const all = grown.reduce((sum, { bytes }) => sum + bytes, 0)
    const wanted = grown.find(({ id }) => id === line)?.bytes ?? 0
    expect({ grown, wanted }).toSatisfy(() => wanted > 70e6 && wanted >= 0.9 * all)
  }

  async function look(pid: number) {
    const { code, stdout, stderr } = await runCli(['memory', pid, '--json'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const { rssBytes, ledger } = (JSON.parse(stdout) as Report).process!
    expect(ledger.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(rssBytes)
    return ledger
  }
})
