import { describe, expect, it } from 'vitest'
import { readAllocations } from '../../src/analysis/allocations.ts'

const APP = 'file:///app/main.mjs'
const frame = (functionName: string, lineNumber: number, url = APP) => ({
  ...{ functionName, scriptId: '7', url, lineNumber, columnNumber: 4 },
})

/** The root calls `serve`, which calls `keep` (node 3) and a library's `put` (node 4). */
const head = {
  callFrame: frame('(root)', -1, ''),
  ...{ selfSize: 0, id: 1 },
  children: [
    {
      callFrame: frame('serve', 9),
      ...{ selfSize: 0, id: 2 },
      children: [
        { callFrame: frame('keep', 19), selfSize: 0, id: 3, children: [] },
        { callFrame: frame('put', 3, 'file:///app/node_modules/q/index.js'), selfSize: 0, id: 4, children: [] },
      ],
    },
  ],
}
const sample = (ordinal: number, nodeId: number, size = 1000) => ({ ordinal, nodeId, size })

describe('allocations', () => {
  it('are those that came after the first snapshot and are still there, by stack and step', () => {
    const profiles = [
      { head, samples: [sample(1, 3), sample(2, 4)] },
      { head, samples: [sample(1, 3), sample(3, 3), sample(4, 3), sample(5, 4)] },
      { head, samples: [sample(1, 3), sample(3, 3), sample(5, 4, 700), sample(6, 3)] },
    ]
    const stacks = readAllocations(profiles)!
    expect(stacks.map(({ frames, ...rest }) => [frames.map((each) => each.function).join(' < '), rest])).toEqual([
      ['put < serve', { bytes: 700, bytesPerStep: [700, 0] }],
      ['keep < serve', { bytes: 1000, bytesPerStep: [1000, 1000] }],
    ])
    // V8 counts lines and columns of functions from 0.
    expect(stacks[1]!.frames[0]).toEqual({ function: 'keep', url: APP, line: 20, column: 5 })
  })

  it('of the only step there is count', () => {
    const stacks = readAllocations([
      { head, samples: [] },
      { head, samples: [sample(1, 3)] },
    ])
    expect(stacks).toMatchObject([{ bytes: 1000 }])
  })

  it('are unknown where profiles are broken, one too few, or without samples', () => {
    expect(readAllocations([{ head, samples: [] }])).toBeUndefined()
    expect(readAllocations([{ head }, { head }])).toBeUndefined()
    expect(readAllocations([null, { head, samples: [] }])).toBeUndefined()
    expect(readAllocations([{ samples: [] }, { head: 7, samples: [sample(1, 3), null, 'x', {}] }])).toEqual([])
    let deep: unknown = { callFrame: frame('deepest', 1), id: 9, children: [] }
    for (let i = 0; i < 100_000; i++) deep = { callFrame: frame('deep', 1), id: 10, children: [deep] }
    const deepest = readAllocations([
      { head, samples: [] },
      { head: deep, samples: [sample(1, 9)] },
    ])!
    expect(deepest[0]!.frames[0]!.function).toBe('deepest')
    expect(deepest[0]!.frames.length).toBeLessThan(300)
  })
})
