import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSeries } from '../../src/analysis/compare.ts'
import { readLocalSource } from '../../src/analysis/culprit.ts'
import type { Diagnosis } from '../../src/detectors/detector.ts'
import { leadOf, lookForSuspects } from '../../src/detectors/find-leaks.ts'
import { DETECTORS } from '../../src/detectors/index.ts'
import { NODE_INTERNALS } from '../../src/node-internals/holders.ts'
import { rememberingSources } from '../../src/support/sources.ts'
import { TARGET_NODE, temporaryFolder } from '../support/target.ts'

const major = Number(/^v(\d+)/.exec(execFileSync(TARGET_NODE, ['--version'], { encoding: 'utf8' }))?.[1])
const here = NODE_INTERNALS.filter(({ majors }) => !majors || majors.includes(major))

/** What slows the others down, changes how they are kept, or is held as others are and hides them, comes by itself. */
const APART = [
  ...['async-hooks', 'promise-hooks', 'async-local-storages', 'module-hooks'],
  ...['inspector-sessions', 'child-messages', 'web-locks', 'registered-symbols', 'fetch-origins'],
]
const together = here.map(({ id }) => id).filter((id) => !APART.includes(id))
const half = Math.ceil(together.length / 2)
const GROUPS = [
  together.slice(0, half),
  together.slice(half),
  ...here.map(({ id }) => [id]).filter(([id]) => APART.includes(id!)),
]

describe.each(GROUPS.map((ids) => ({ ids, name: ids.join(', ') })))('what Node keeps: $name', ({ ids }) => {
  /** What is said of each suspect, however little it is. */
  let told: (Diagnosis & { readonly pattern: string })[]
  let close = async (): Promise<void> => {}

  beforeAll(async () => {
    const folder = temporaryFolder()
    const env = { ...process.env, NODE_NO_WARNINGS: '1' }
    execFileSync(TARGET_NODE, [join(import.meta.dirname, 'provoke.mjs'), folder, ...ids], { stdio: 'ignore', env })
    const files = [0, 1, 2].map((round) => join(folder, `${round}.heapsnapshot`))
    const heap = await openSeries(files, { index: false })
    close = async () => heap.opened.close()
    const isolate = await lookForSuspects('main', heap, [0, 5, 10])
    const captures = { isolates: [isolate], readSource: rememberingSources(readLocalSource) }
    told = isolate.suspects.flatMap((suspect) => {
      const lead = leadOf(isolate, suspect, captures.readSource)
      for (const { pattern, diagnose } of DETECTORS) {
        const diagnosis = diagnose(lead, captures)
        if (diagnosis) return [{ ...diagnosis, pattern }]
      }
      return []
    })
  })
  afterAll(async () => close())

  it.each(ids)('%s', (id) => {
    const row = NODE_INTERNALS.find((each) => each.id === id)!
    const found = told.find(({ evidence }) => (evidence.node as { id?: string } | undefined)?.id === id)
    expect(found, told.map(({ title }) => title).join('\n')).toMatchObject({ pattern: row.pattern })
    expect(found!.advice).toContain(row.cause)
    const isNamed = row.calls.some((call) => !call.startsWith('*.'))
    if (isNamed) expect(found!.culprit?.url).toContain('provoke.mjs')
  })

  it('nobody is told to take anything out of Node', () => {
    const variables = NODE_INTERNALS.flatMap(({ holders }) =>
      holders.flatMap((holder) => ('variable' in holder ? [holder.variable] : [])),
    )
    const takesOut = new RegExp(`(Delete from|Take out of|Give) (${[...variables, 'timerListMap'].join('|')})`)
    for (const { advice } of told) expect(advice).not.toMatch(takesOut)
  })
})

describe('the table', () => {
  it('has patterns for each of which there is a detector', () => {
    const known = new Set(DETECTORS.map(({ pattern }) => pattern))
    expect(NODE_INTERNALS.filter(({ pattern }) => !known.has(pattern))).toEqual([])
  })

  it('has each row once', () => {
    expect(new Set(NODE_INTERNALS.map(({ id }) => id)).size).toBe(NODE_INTERNALS.length)
  })
})
