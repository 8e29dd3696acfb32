import { describe, expect, it } from 'vitest'
import { HEAP_DETECTORS } from '../../src/detectors/index.ts'
import { KnownLeakSchema } from '../../src/known-leaks/known-leak.ts'
import { urlOf } from '../../src/known-leaks/match.ts'
import { NODE_LEAKS } from '../../src/known-leaks/node.ts'
import { PACKAGE_LEAKS } from '../../src/known-leaks/packages.ts'
import { isInRange } from '../../src/known-leaks/versions.ts'

const ALL = [...PACKAGE_LEAKS, ...NODE_LEAKS]
const PATTERNS = new Set(HEAP_DETECTORS.flatMap(({ patterns }) => patterns))

describe.each(ALL.map((leak) => [`${leak.id} of ${leak.package}`, leak] as const))('%s', (_, leak) => {
  it('has all that an entry needs', () => {
    expect(KnownLeakSchema.safeParse(leak).error).toBeUndefined()
  })

  it('is in none of the versions that are said to be without it', () => {
    expect(leak.fixedIn.filter((version) => isInRange(version, leak.affected))).toEqual([])
  })

  it('was seen in a version that has it, if it was seen', () => {
    if (leak.verified) expect(isInRange(leak.verified.version, leak.affected)).toBe(true)
  })

  it('looks like something that leakscope finds', () => {
    expect((leak.looks.patterns ?? []).filter((pattern) => !PATTERNS.has(pattern))).toEqual([])
  })
})

describe('published leaks', () => {
  it('are there once each', () => {
    const keys = ALL.map(({ id, package: name, affected }) => `${id} ${name} ${affected}`)
    expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual([])
  })

  it('have a page of their own', () => {
    for (const leak of ALL)
      expect(urlOf(leak)).toMatch(
        /^https:\/\/github\.com\/([\w.-]+\/[\w.-]+\/(issues\/\d+|commit\/[0-9a-f]+)|advisories\/GHSA-[\w-]+)$/,
      )
  })

  it('of packages are not Node, and those of Node are', () => {
    expect(PACKAGE_LEAKS.filter((leak) => leak.package === 'node')).toEqual([])
    expect(NODE_LEAKS.filter((leak) => leak.package !== 'node')).toEqual([])
  })

  it('are told by few words, without a stop at the end', () => {
    expect(ALL.filter(({ title }) => /[.!]$/.test(title)).map(({ id }) => id)).toEqual([])
  })
})
