// Whether detectors that recognise the same candidate say which of them goes first.

import { growingCandidates } from '../../src/detectors/candidates.ts'
import type { Captures } from '../../src/detectors/detector.ts'
import { HEAP_DETECTORS } from '../../src/detectors/index.ts'

/** By name, the detectors that must be asked after one: those that it names, those that these name, …, and general ones. */
const after = new Map<string, ReadonlySet<string>>()
for (const { name, before = [], isGeneral } of HEAP_DETECTORS.toReversed()) {
  const general = isGeneral ? [] : HEAP_DETECTORS.flatMap((each) => (each.isGeneral ? [each.name] : []))
  after.set(name, new Set([...before, ...general].flatMap((each) => [each, ...(after.get(each) ?? [])])))
}

export const goesBefore = (name: string, other: string): boolean => after.get(name)?.has(other) === true

/** @throws where two detectors recognise a candidate, and only their names decide which of them is asked first */
export function checkOrder(captures: Captures): void {
  for (const candidate of captures.isolates.flatMap((of) => growingCandidates(of, captures.readSource))) {
    const names = HEAP_DETECTORS.filter(({ diagnose }) => diagnose(candidate, captures)).map(({ name }) => name)
    for (const [i, other] of names.entries()) {
      if (i === 0 || goesBefore(names[0]!, other)) continue
      throw new Error(`${candidate.name}: ${names[0]} and ${other} recognise it, and neither goes before the other`)
    }
  }
}
