// A copy in which words are not what they were is refused or read; it never crashes, hangs, or gives a broken graph.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LeakscopeError } from '../../src/errors.ts'
import { readElf, readV8Constants } from '../../src/outside/elf.ts'
import { copyHeap, type HeapImage, planCopy } from '../../src/outside/heap-image.ts'
import { snapshotIsolate } from '../../src/outside/isolate-snapshot.ts'
import { type Layout, layoutOf } from '../../src/outside/layout.ts'
import { openLiveMemory } from '../../src/outside/live-memory.ts'
import type { MemorySource } from '../../src/outside/memory-source.ts'
import { edgeTarget } from '../../src/snapshot/snapshot.ts'
import { start, TARGET_NODE, until } from '../support/target.ts'

const ROUNDS = Number(process.env.LEAKSCOPE_MUTATIONS ?? 25)

/** Numbers that look random, the same each time (Marsaglia, Xorshift RNGs, 2003). */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

describe.runIf(process.platform === 'linux')('a copy of a heap', () => {
  let source: MemorySource
  let image: HeapImage
  let layout: Layout
  let original: Uint8Array

  beforeAll(async () => {
    const child = start(TARGET_NODE, ['-e', 'setInterval(() => {}, 1e6); setTimeout(() => console.log(1), 300)'])
    let output = ''
    child.stdout.on('data', (part) => {
      output += part
    })
    await until(() => output !== '', 'the program')
    source = openLiveMemory(child.pid!)
    layout = layoutOf(readV8Constants(readElf(source.executable)), source.name)
    image = copyHeap(source, planCopy(source))
    original = image.bytes.slice()
  })
  afterAll(() => source?.close())

  test.each(Array.from({ length: ROUNDS }, (_, i) => i))('with words changed, round %i', (round) => {
    image.bytes.set(original)
    const random = randomNumbers(round + 1)
    const words = new BigUint64Array(image.bytes.buffer, image.bytes.byteOffset, image.bytes.length >> 3)
    // From a single word up to every hundredth.
    const count = round === 0 ? 0 : 2 ** (round % 15)
    for (let i = 0; i < count; i++) {
      const page = image.pages[random(image.pages.length)]!
      const at = (page.at >> 3) + random(page.bytes >> 3)
      const kind = random(4)
      if (kind === 0) words[at] = BigInt(random(2 ** 31)) << 32n
      else if (kind === 1) words[at] = 0n
      else if (kind === 2) words[at] = words[(page.at >> 3) + random(page.bytes >> 3)]!
      else words[at]! ^= 1n << BigInt(random(64))
    }
    try {
      const { snapshot } = snapshotIsolate(image, layout, image.isolates[0]!, source)
      const { nodeCount, edgeCount, firstEdge, edges, nodeName, strings } = snapshot
      expect(firstEdge[nodeCount]).toBe(edgeCount)
      expect(edges.every((edge) => edgeTarget(edge) < nodeCount)).toBe(true)
      expect(nodeName.every((name) => name < strings.count)).toBe(true)
    } catch (error) {
      expect(error).toBeInstanceOf(LeakscopeError)
      expect(round).not.toBe(0)
      expect((error as LeakscopeError).message).toMatch(/cannot be read from outside: /)
    }
  })
})
