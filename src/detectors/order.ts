// The order in which detectors are asked: each in front of those that it names, general ones last, else by name.

import type { HeapDetector } from './detector.ts'

type Placed = Pick<HeapDetector, 'name' | 'before' | 'isGeneral'>

/** @throws where the names form a circle, which no order can keep */
export function inOrder<T extends Placed>(detectors: readonly T[]): T[] {
  const left = detectors.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
  const ordered: T[] = []
  while (left.length > 0) {
    const next = left.find(({ name }) => !left.some(({ before }) => before?.includes(name)))
    if (!next) throw new Error(`These detectors go before each other: ${left.map(({ name }) => name).join(', ')}`)
    ordered.push(next)
    left.splice(left.indexOf(next), 1)
  }
  return ordered
}

const rank = ({ isGeneral }: Placed): number => Number(isGeneral === true)
