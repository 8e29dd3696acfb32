import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { findKnownLeak, type Seen } from '../../src/known-leaks/match.ts'
import { NODE_LEAKS } from '../../src/known-leaks/node.ts'
import { PACKAGE_LEAKS } from '../../src/known-leaks/packages.ts'

/** How a published leak looked in the heap of a process that ran the version. */
interface Look {
  readonly id: string
  readonly package: string
  readonly version: string
  readonly pattern: string
  readonly path: readonly string[]
  readonly classes: readonly string[]
  readonly files: readonly string[]
  readonly functions: readonly string[]
}

const LOOKS: readonly Look[] = JSON.parse(readFileSync(new URL('seen.json', import.meta.url), 'utf8'))
const ALL = [...PACKAGE_LEAKS, ...NODE_LEAKS]
const entryOf = (look: Look) => ALL.find((leak) => leak.id === look.id && leak.package === look.package)!

const seen = ({ package: name, version, pattern, path, classes, files, functions }: Look): Seen => ({
  pattern,
  path,
  classes: new Set(classes),
  packages: [{ name, version, files, functions }],
})

describe.each(LOOKS.map((look) => [`${look.id} of ${look.package}`, look] as const))('%s', (_, look) => {
  it('is known where it was seen', () => {
    expect(findKnownLeak(seen(look))?.id).toBe(look.id)
  })

  it('is not said of a version without it that looks the same', () => {
    const without = entryOf(look).fixedIn.map((version) => findKnownLeak(seen({ ...look, version }))?.id)
    expect(without.filter((id) => id === look.id)).toEqual([])
  })

  it('is not said of something else in the same version', () => {
    const other = { ...look, path: ['server', 'Server', 'sessions', 'Map'], classes: ['Session'], functions: ['open'] }
    expect(findKnownLeak(seen(other))).toBeUndefined()
  })
})

it('has the look of each leak that was seen', () => {
  const looked = new Set(LOOKS.map(entryOf))
  expect(ALL.filter((leak) => leak.verified && !looked.has(leak)).map(({ id }) => id)).toEqual([])
})
