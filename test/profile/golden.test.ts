// A real profile of a server, held against what Chrome DevTools' own engine says of it.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { group } from '../../src/profile/group.ts'
import { readProfile } from '../../src/profile/read.ts'
import { tableOf } from '../../src/profile/table.ts'
import { weigh } from '../../src/profile/weigh.ts'
import { temporaryFolder } from '../support/target.ts'

type DevToolsRow = [name: string, url: string, line0: number, column0: number, selfMs: number, totalMs: number]

const golden = (name: string): Buffer =>
  brotliDecompressSync(readFileSync(new URL(`../golden/profiles/${name}.br`, import.meta.url)))

function fileOf(name: string): string {
  const file = join(temporaryFolder(), name)
  writeFileSync(file, golden(name))
  return file
}

describe('a real profile', () => {
  test('has the totals of Chrome DevTools for every function, for idle time and for the garbage collector', async () => {
    const { tree } = await readProfile(fileOf('chat-server.cpuprofile'))
    const { total, rows } = JSON.parse(golden('chat-server.cpuprofile.golden.json').toString()) as {
      total: number
      rows: DevToolsRow[]
    }
    const weighed = weigh(tree, tree.self.at(-1)!, {})
    const ours = new Map(
      tableOf(tree, weighed, group(tree, 'function'), false).map(({ name, url, line, column, flat, cum }) => [
        [name === '(anonymous)' ? '' : name, url ?? '', line ?? 0, column ?? 0].join('|'),
        [flat / 1000, cum / 1000],
      ]),
    )
    let compared = 0
    for (const [name, url, line, column, self, all] of rows) {
      if (/^\((root|idle|program|garbage collector)\)$/.test(name)) continue
      const [flat, cum] = ours.get([name, url, line + 1, column + 1].join('|'))!
      expect(flat).toBeCloseTo(self, 6)
      expect(cum).toBeCloseTo(all, 6)
      compared++
    }
    expect(compared).toBe(ours.size)
    expect(compared).toBeGreaterThan(80)
    const { idle, 'garbage collector': collector, program } = weighed.apart
    const apart = (wanted: string) => rows.find(([name]) => name === wanted)![4]
    expect(idle / 1000).toBeCloseTo(apart('(idle)'), 6)
    expect(collector / 1000).toBeCloseTo(apart('(garbage collector)'), 6)
    expect(program / 1000).toBeCloseTo(apart('(program)'), 6)
    expect((weighed.total + idle) / 1000).toBeCloseTo(total, 6)
  })

  test('of the heap adds up to what its nodes say, and names the sites of the chat server first', async () => {
    const file = fileOf('chat-server.heapprofile')
    const { tree } = await readProfile(file)
    interface Node {
      readonly selfSize: number
      readonly children: readonly Node[]
    }
    const sum = ({ selfSize, children }: Node): number => children.reduce((all, child) => all + sum(child), selfSize)
    const weighed = weigh(tree, tree.self[0]!, {})
    expect(weighed.total).toBe(sum(JSON.parse(readFileSync(file, 'utf8')).head))
    const own = tableOf(tree, weighed, group(tree, 'function'), false).filter(
      ({ url }) => url === 'file:///app/leaky.mjs',
    )
    expect(own.slice(0, 6).map(({ name }) => name)).toEqual(expect.arrayContaining(['beginWrite', 'postRecvTimeout']))
    expect(own[0]!.flat).toBeGreaterThan(weighed.total / 10)
  })
})
