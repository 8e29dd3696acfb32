// The contract that all detectors keep, and the order in which those of the heap are asked.

import { describe, expect, it, test } from 'vitest'
import { z } from 'zod'
import { evidenceOf } from '../../src/detectors/evidence.ts'
import { DETECTORS, HEAP_DETECTORS, isGeneral } from '../../src/detectors/index.ts'
import { inOrder } from '../../src/detectors/order.ts'
import { listPatterns } from '../../src/detectors/texts.ts'
import { goesBefore } from '../support/rivals.ts'

const placeOf = (name: string): number => {
  const at = HEAP_DETECTORS.findIndex((each) => each.name === name)
  if (at < 0) throw new Error(`no detector is called ${name}`)
  return at
}

/** Detectors that would both recognise some candidate, seen on recorded programs: the first one is right. */
const RIVALS: readonly (readonly [right: string, wrong: string])[] = [
  ['buffer-slab-retention', 'off-heap-growth'],
  ['cross-thread-release', 'off-heap-growth'],
  ['duplicate-modules', 'unknown-node-internals'],
  ['growing-log-array', 'growing-collection'],
  ['handle-leak', 'listener-leak'],
  ['handle-leak', 'off-heap-growth'],
  ['handle-leak', 'unknown-node-internals'],
  ['listener-leak', 'unknown-node-internals'],
  ['node-internals', 'growing-log-array'],
  ['node-internals', 'unknown-node-internals'],
  ['outbound-buffer-pileup', 'growing-log-array'],
  ['outbound-buffer-pileup', 'node-internals'],
  ['outbound-buffer-pileup', 'unknown-node-internals'],
  ['thread-growth', 'handle-leak'],
  ['thread-growth', 'listener-leak'],
  ['thread-growth', 'unknown-node-internals'],
  ['unknown-node-internals', 'growing-log-array'],
  // The growth of the first explains that of the second.
  ['handle-leak', 'unbounded-timers'],
  ['unbounded-timers', 'node-internals'],
  ['unbounded-timers', 'node-listeners'],
  ['node-listeners', 'node-internals'],
]

describe('the registry', () => {
  it('has each name once', () => {
    const names = DETECTORS.map(({ name }) => name)
    expect(names).toEqual([...new Set(names)].sort())
  })

  it('has a text for each pattern, and a detector for each text', () => {
    const patterns = new Set(DETECTORS.flatMap((each) => each.patterns))
    expect([...patterns].sort()).toEqual(listPatterns().map(({ id }) => id))
  })

  it('has all detectors of the heap in their order', () => {
    const ofHeap = DETECTORS.filter(({ needs }) => needs === 'heap')
    expect(new Set(HEAP_DETECTORS)).toEqual(new Set(ofHeap))
    expect(HEAP_DETECTORS).toHaveLength(ofHeap.length)
  })

  it('asks each in front of those that it names', () => {
    const pairs = HEAP_DETECTORS.flatMap(({ name, before = [] }) => before.map((other) => [name, other] as const))
    expect(pairs.length).toBeGreaterThan(20)
    expect(pairs.filter(([name, other]) => placeOf(name) >= placeOf(other))).toEqual([])
  })

  it.each(RIVALS)('asks %s before %s, and not only by their names', (right, wrong) => {
    expect(placeOf(right)).toBeLessThan(placeOf(wrong))
    expect(goesBefore(right, wrong)).toBe(true)
    expect(goesBefore(wrong, right)).toBe(false)
  })

  it('asks duplicate-modules first, and what any collection is last', () => {
    expect(HEAP_DETECTORS[0]!.name).toBe('duplicate-modules')
    expect(HEAP_DETECTORS.at(-1)!.name).toBe('growing-collection')
  })

  it('calls the patterns general that any collection would be of', () => {
    expect(listPatterns().filter(({ id }) => isGeneral(id))).toMatchObject([
      { id: 'growing-collection' },
      { id: 'growing-log-array' },
    ])
  })
})

describe('the order', () => {
  test('is by name where nothing else is said, with general detectors last', () => {
    const names = inOrder([{ name: 'c' }, { name: 'a', isGeneral: true as const }, { name: 'b' }]).map(
      ({ name }) => name,
    )
    expect(names).toEqual(['b', 'c', 'a'])
  })

  test('puts a detector behind a general one that names it', () => {
    const order = inOrder([{ name: 'b' }, { name: 'c', isGeneral: true as const, before: ['a'] }, { name: 'a' }])
    expect(order.map(({ name }) => name)).toEqual(['b', 'c', 'a'])
  })

  test('cannot be in a circle', () => {
    const circle = [
      { name: 'a', before: ['b'] },
      { name: 'b', before: ['a'] },
    ]
    expect(() => inOrder(circle)).toThrow('These detectors go before each other: a, b')
  })
})

describe.each(listPatterns().map(({ id }) => id))('the evidence of %s', (pattern) => {
  const json = z.toJSONSchema(evidenceOf(pattern)) as { anyOf: Shape[] }

  it('has a description for each field', () => {
    const fields = json.anyOf.flatMap(({ properties }) => Object.entries(properties))
    expect(fields.length).toBeGreaterThan(2)
    expect(fields.filter(([, { description }]) => !description).map(([field]) => field)).toEqual([])
  })

  it('is nothing that is not in it', () => {
    expect(json.anyOf.every(({ additionalProperties }) => additionalProperties === false)).toBe(true)
    expect(evidenceOf(pattern).safeParse({ count: 1, retainedBytes: 2, more: 3 }).success).toBe(false)
    expect(evidenceOf(pattern).safeParse({ count: 1, retainedBytes: 2 }).success).toBe(true)
  })
})

interface Shape {
  readonly properties: Readonly<Record<string, { readonly description?: string }>>
  readonly additionalProperties?: boolean
}
