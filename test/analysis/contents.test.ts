import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { referenceCounts, referencesOf } from '../../src/analysis/contents.ts'
import { openSnapshot } from '../../src/analysis/open-snapshot.ts'
import { goldenCases } from '../golden/load.ts'

const folder = mkdtempSync(join(tmpdir(), 'leakscope-contents-'))
afterAll(() => rmSync(folder, { recursive: true }))

it.each(goldenCases().filter(({ name }) => /^app-node(18|22|24|26)$/.test(name)))(
  '$name: references of one node are counted as those of all nodes',
  async ({ name, readSnapshot }) => {
    const file = join(folder, `${name}.heapsnapshot`)
    writeFileSync(file, readSnapshot())
    const { graph, close } = await openSnapshot(file, { index: false })
    const { snapshot, ownership } = graph
    const counts = referenceCounts(snapshot, ownership.owner)
    const owners = Array.from(counts.keys()).filter((node) => ownership.owner[node] === node)
    const wrong = owners.filter((node) => referencesOf(snapshot, ownership.owner, node) !== counts[node])
    expect([owners.length > 1000, wrong]).toEqual([true, []])
    await close()
  },
)
