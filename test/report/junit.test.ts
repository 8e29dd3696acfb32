import { describe, expect, it } from 'vitest'
import type { Report } from '../../src/findings/report.ts'
import { reportJunit } from '../../src/report/junit.ts'
import { parseXml } from '../support/xml.ts'
import { CHECK, EVIL_FINDING, FINDING, NOWHERE, OPTIONS, reportWith } from './reports.ts'

function junit(report: Report) {
  const suites = parseXml(reportJunit(report, OPTIONS))
  const suite = suites.children[0]!
  expect([suites.name, suite.name]).toEqual(['testsuites', 'testsuite'])
  const outcomes = suite.children.map(({ children }) => children.map(({ name }) => name))
  const count = (name: string) => `${outcomes.filter((names) => names.includes(name)).length}`
  expect(suite.attributes).toMatchObject({
    ...{ tests: `${suite.children.length}`, failures: count('failure'), skipped: count('skipped'), errors: '0' },
  })
  return suite.children
}

describe('JUnit XML', () => {
  it('has a failed test for each finding that is a reason to fail, and a skipped one for the others', () => {
    const [first, second] = junit(reportWith({ findings: [FINDING, { ...NOWHERE, status: 'known' }] }))
    expect(first!.attributes).toMatchObject({
      classname: 'leakscope.growing-collection',
      name: '0123456789abcdef sessions gained # Session, # more each second',
      file: 'src/a b/chat.mjs',
    })
    expect(first!.children[0]!.attributes.message).toBe(FINDING.title)
    expect(first!.children[0]!.text).toContain('at src/a b/chat.mjs:42:7')
    expect(second!.children.map(({ name }) => name)).toEqual(['skipped', 'system-out'])
  })

  it('is well-formed whatever a heap calls its things', () => {
    const [test] = junit(reportWith({ findings: [EVIL_FINDING] }))
    expect(test!.children[0]!.attributes.message).toContain('<b a="x">&amp; | `**@you**')
    expect(test!.children[0]!.attributes.message).toContain('🙂')
  })

  it('has a test that passes where no leak is found', () => {
    expect(junit(reportWith({})).map(({ attributes, children }) => [attributes.name, children])).toEqual([
      ['no leak pattern is found', []],
    ])
  })

  it('has a test for what a check measured: failed, skipped when undecided', () => {
    const [failed] = junit(reportWith({ check: CHECK }))
    expect(failed!.children[0]!.name).toBe('failure')
    expect(failed!.children[0]!.text).toContain('The heap grew in each of 2 rounds.')
    const [undecided] = junit(reportWith({ check: { ...CHECK, verdict: 'undecided', outcome: 'undecided' } }))
    expect(undecided!.children[0]!.name).toBe('skipped')
  })
})
