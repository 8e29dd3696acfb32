// The loops in WebAssembly and those in TypeScript come to the same.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { openSeries } from '../../src/analysis/compare.ts'
import { tellGrowth } from '../../src/analysis/growth.ts'
import { openSnapshot } from '../../src/analysis/open-snapshot.ts'
import { findHolders } from '../../src/analysis/places.ts'
import { arenaOf } from '../../src/support/arena.ts'
import { goldenCases } from '../golden/load.ts'
import { serviceHeap } from '../support/service.ts'

const folder = mkdtempSync(join(tmpdir(), 'leakscope-loops-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** The same snapshot as a file that is read into WebAssembly's memory, and as a packed one, which is not. */
function inBothWays(name: string, bytes: string | Uint8Array): [fast: string, plain: string] {
  const file = join(folder, name)
  writeFileSync(file, bytes)
  writeFileSync(`${file}.gz`, gzipSync(bytes))
  return [file, `${file}.gz`]
}

describe('loops in WebAssembly', () => {
  it.each(goldenCases().filter(({ name }) => /-node(18|22|26)$/.test(name)))(
    '$name',
    async ({ name, readSnapshot }) => {
      const [fast, plain] = await Promise.all(
        inBothWays(name, readSnapshot()).map(async (file) => {
          const { graph, classes, classRows, close } = await openSnapshot(file, { index: false })
          const { dominators, ownership, snapshot } = graph
          const heap = {
            ...{ order: dominators.order, above: dominators.above, immediate: dominators.immediate },
            ...{ owner: ownership.owner, sizes: ownership.shallowSize, retained: graph.retainedSizes },
            ...{ classes: classes.of, holders: findHolders(graph), via: graph.paths.via, modules: graph.moduleScopes },
            rows: classRows,
          }
          await close()
          return { heap, arena: arenaOf(snapshot.firstEdge, snapshot.edges) }
        }),
      )
      expect([fast!.arena === undefined, plain!.arena]).toEqual([false, undefined])
      expect(fast!.heap).toEqual(plain!.heap)
    },
  )

  it('tell of a series what those in TypeScript tell', async () => {
    const files = [10, 60, 110].map((logs, i) =>
      inBothWays(`${i}.heapsnapshot`, serviceHeap({ logs, list: logs, sessions: [logs, logs + 1] })),
    )
    const [fast, plain] = await Promise.all(
      [0, 1].map(async (way) => {
        const series = await openSeries(files.map((each) => each[way]!))
        const { opened, lineage, newBytes, growths, placed, matching } = series
        const { clusters } = tellGrowth(series, {})
        await opened.close()
        return { matching, lineage, newBytes, growths, of: placed.of, clusters }
      }),
    )
    expect(fast!.matching).toBe('id')
    expect([arenaOf(fast!.lineage!.born) === undefined, arenaOf(plain!.lineage!.born)]).toEqual([false, undefined])
    expect(fast).toEqual(plain)
  })
})
