// Variables of a block have no names in V8's snapshots, but the block does.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openSnapshot } from '../../src/analysis/open-snapshot.ts'
import { nodeName } from '../../src/graph/look.ts'
import { referenceWords } from '../../src/graph/path-words.ts'
import { retainingPath } from '../../src/graph/retaining-path.ts'
import { NodeType } from '../../src/snapshot/meta.ts'
import { TARGET_NODE, temporaryFolder } from '../support/target.ts'

/** What the path to each instance of a class, by the class's name, calls what holds it. */
async function holders(program: string): Promise<Record<string, string[]>> {
  const folder = temporaryFolder()
  const file = join(folder, 'a.heapsnapshot')
  writeFileSync(join(folder, 'blocks.cjs'), `${program}\nrequire('node:v8').writeHeapSnapshot(process.argv[2])`)
  execFileSync(TARGET_NODE, [join(folder, 'blocks.cjs'), file])
  const { graph, close } = await openSnapshot(file)
  const found: Record<string, string[]> = {}
  for (let node = 0; node < graph.snapshot.nodeCount; node++) {
    const name = nodeName(graph, node)
    if (!/^Held[A-Z]$/.test(name) || graph.sourceLocation(node) === undefined) continue
    if (graph.snapshot.nodeType[node] !== NodeType.object) continue
    found[name] = [...(found[name] ?? []), referenceWords(retainingPath(graph, node).at(-2)!.reference)]
  }
  await close()
  return found
}

test('a variable of a block has its name', async () => {
  expect(
    await holders(`
      class HeldA {} class HeldB {} class HeldC {}
      globalThis.keep = []
      {
        const first = [new HeldA()], second = [new HeldB()]
        let third
        keep.push(() => [first, second, third])
        third = [new HeldC()]
      }`),
  ).toEqual({
    HeldA: ["context variable 'first'"],
    HeldB: ["context variable 'second'"],
    HeldC: ["context variable 'third'"],
  })
})

test('a small number beside it has no edge, so the name is told only where others leave no doubt', async () => {
  expect(
    await holders(`
      class HeldA {} class HeldB {} class HeldC {}
      globalThis.keep = []
      {
        let count = 0
        const doubtful = [new HeldA()]
        function between() { return [count++, doubtful] }
        const sure = [new HeldB()], too = [new HeldC()]
        keep.push(() => [between, sure, too])
      }`),
  ).toEqual({
    HeldA: ['(hidden)'],
    HeldB: ["context variable 'sure'"],
    HeldC: ["context variable 'too'"],
  })
})
