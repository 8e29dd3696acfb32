import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, test } from 'vitest'
import { openSeries } from '../../src/analysis/compare.ts'
import { readLocalSource } from '../../src/analysis/culprit.ts'
import { candidateOf } from '../../src/detectors/candidates.ts'
import type { Diagnosis } from '../../src/detectors/detector.ts'
import { lookForSuspects } from '../../src/detectors/find-leaks.ts'
import { firstDiagnosis, HEAP_DETECTORS } from '../../src/detectors/index.ts'
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

type Told = Diagnosis & { readonly pattern: string }

/** What is said of each suspect, however little it is, where these places are filled. */
async function tellOf(places: readonly string[]): Promise<Told[]> {
  const folder = temporaryFolder()
  const env = { ...process.env, NODE_NO_WARNINGS: '1' }
  execFileSync(TARGET_NODE, [join(import.meta.dirname, 'provoke.mjs'), folder, ...places], { stdio: 'ignore', env })
  const files = [0, 1, 2].map((round) => join(folder, `${round}.heapsnapshot`))
  const heap = await openSeries(files, { index: false })
  try {
    const isolate = await lookForSuspects('main', heap, [0, 5, 10])
    const captures = { isolates: [isolate], readSource: rememberingSources(readLocalSource) }
    return isolate.suspects.flatMap((suspect) => {
      const candidate = candidateOf(isolate, suspect, captures.readSource)
      const first = firstDiagnosis(candidate, captures)
      return first ? [{ ...first.diagnosis, pattern: first.pattern }] : []
    })
  } finally {
    await heap.opened.close()
  }
}

describe.each(GROUPS.map((ids) => ({ ids, name: ids.join(', ') })))('what Node keeps: $name', ({ ids }) => {
  let told: Told[]
  beforeAll(async () => {
    told = await tellOf(ids)
  })

  it.each(ids)('%s', (id) => {
    const row = NODE_INTERNALS.find((each) => each.id === id)!
    // These are told with their writer and their reader.
    const isStream = /^(web-stream-queue|child-messages)$/.test(id)
    if (isStream) {
      expect(told.some(({ pattern, title }) => pattern === row.pattern && / more wait in /.test(title))).toBe(true)
      return
    }
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
    expect(told.length).toBeGreaterThan(0)
    for (const { advice } of told) expect(advice).not.toMatch(takesOut)
  })
})

const OPEN = ['HTTP/2 sessions', 'HTTP/2 streams', 'servers', 'broadcast channels', 'file watchers']
/** What the program may call, though it is Node that it is in. */
const INSIDE = /take it out of|Delete from|Take out of/

test.each(OPEN)('%s that are open are told as such, with the line that opens them', async (what) => {
  const [first] = await tellOf([what])
  expect(first).toMatchObject({ pattern: 'handle-leak' })
  expect(first!.title).toContain(`more ${what} opened and not closed`)
  expect(first!.culprit?.url).toContain('provoke.mjs')
  expect(first!.advice).not.toMatch(INSIDE)
})

describe('the table', () => {
  it('has patterns for each of which there is a detector', () => {
    const known = new Set(HEAP_DETECTORS.flatMap(({ patterns }) => patterns))
    expect(NODE_INTERNALS.filter(({ pattern }) => !known.has(pattern))).toEqual([])
  })

  it('has each row once', () => {
    expect(new Set(NODE_INTERNALS.map(({ id }) => id)).size).toBe(NODE_INTERNALS.length)
  })
})
