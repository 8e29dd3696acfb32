import { describe, expect, it } from 'vitest'
import type { Report } from '../../src/findings/report.ts'
import { reportSarif } from '../../src/report/sarif.ts'
import { sarifErrors } from '../support/sarif.ts'
import { CHECK, EVIL_FINDING, FINDING, NOWHERE, OPTIONS, reportWith } from './reports.ts'

function sarif(report: Report) {
  const log = JSON.parse(reportSarif(report, OPTIONS))
  expect(sarifErrors(log)).toEqual([])
  return log.runs[0]
}

describe('SARIF', () => {
  it('is refused by its schema when something is wrong with it, so that the check can fail', () => {
    expect(sarifErrors({ version: '2.1.0', runs: [{ tool: {} }] })).not.toEqual([])
  })

  it('names the rule, the line and the fingerprint of each finding', () => {
    const { tool, results, originalUriBaseIds } = sarif(reportWith({ findings: [FINDING] }))
    expect(tool.driver.rules).toMatchObject([
      { id: 'growing-collection', help: { text: expect.stringContaining('It gains') } },
    ])
    expect(originalUriBaseIds).toEqual({ '%SRCROOT%': { uri: 'file:///srv/app/' } })
    expect(results).toMatchObject([
      {
        ...{ ruleId: 'growing-collection', ruleIndex: 0, level: 'error' },
        partialFingerprints: { 'leakscope/v1': '0123456789abcdef' },
        locations: [
          {
            physicalLocation: {
              artifactLocation: { uri: 'src/a%20b/chat.mjs', uriBaseId: '%SRCROOT%' },
              region: { startLine: 42, startColumn: 7 },
              contextRegion: { startLine: 41, endLine: 42 },
            },
          },
        ],
      },
    ])
    expect(results[0].baselineState).toBeUndefined()
  })

  it('is valid whatever a heap calls its things, and has a rule for every pattern', () => {
    const { tool, results } = sarif(reportWith({ findings: [EVIL_FINDING, FINDING] }))
    expect(tool.driver.rules[results[0].ruleIndex].id).toBe('unheard-of')
    expect(results[0].level).toBe('note')
  })

  it('gives a place also to what has no line: the module that holds it', () => {
    const [result] = sarif(reportWith({ findings: [NOWHERE] })).results
    expect(result.locations[0].physicalLocation.artifactLocation.uri).toBe('src/a%20b/chat.mjs')
    const bare = { ...NOWHERE, retainingPath: [] }
    const [other] = sarif(reportWith({ findings: [bare] })).results
    expect(other.locations[0].physicalLocation.artifactLocation.uri).toMatch(/c\.heapsnapshot$/)
  })

  it('tells new from known and suppressed', () => {
    const findings = [
      FINDING,
      { ...NOWHERE, status: 'known' as const },
      { ...EVIL_FINDING, status: 'suppressed' as const },
    ]
    const { results } = sarif(
      reportWith({ findings: [{ ...findings[0]!, status: 'new' }, findings[1]!, findings[2]!] }),
    )
    expect(results.map((it: { baselineState: string }) => it.baselineState)).toEqual(['new', 'unchanged', 'unchanged'])
    expect(results[2].suppressions).toHaveLength(1)
  })

  it('tells what a check measured beside the findings', () => {
    const [{ toolExecutionNotifications: told }] = sarif(reportWith({ check: CHECK })).invocations
    expect(told).toMatchObject([
      { level: 'error', message: { text: expect.stringContaining('memory grows with the work') } },
    ])
  })
})
