import { describe, expect, it } from 'vitest'
import { judgeByBaseline, NO_BASELINE, updatedBaseline } from '../../src/findings/baseline.ts'
import { type Baseline, BaselineSchema } from '../../src/findings/baseline-schema.ts'
import { FINDING, NOWHERE } from '../report/reports.ts'

const known = (fingerprint: string, since = '2026-01-01') => ({ fingerprint, pattern: 'p', title: 't', since })
const baseline = (more: Partial<Baseline>): Baseline => ({ ...NO_BASELINE, ...more })
const GONE = 'aaaaaaaaaaaaaaaa'

describe('a baseline', () => {
  it('tells new findings from known ones, and what is fixed', () => {
    const { findings, outcome } = judgeByBaseline(
      [FINDING, NOWHERE],
      baseline({ findings: [known(FINDING.fingerprint), known(GONE)] }),
      'b.json',
      '2026-06-01',
    )
    expect(findings.map(({ status }) => status)).toEqual(['known', 'new'])
    expect(outcome).toMatchObject({ file: 'b.json', new: 1, known: 1, suppressed: 0, fixed: [{ fingerprint: GONE }] })
  })

  it('suppresses with a reason up to a day, and not a day longer', () => {
    const suppressions = [{ fingerprint: FINDING.fingerprint, reason: 'library', until: '2026-06-01' }]
    const on = (today: string) => judgeByBaseline([FINDING], baseline({ suppressions }), 'b', today)
    expect(on('2026-06-01').findings[0]!.status).toBe('suppressed')
    expect(on('2026-06-01').outcome.stale).toEqual([])
    expect(on('2026-06-02').findings[0]!.status).toBe('new')
    expect(on('2026-06-02').outcome.stale).toMatchObject([{ why: 'expired' }])
  })

  it('reports suppressions that nothing matches', () => {
    const suppressions = [{ fingerprint: GONE, reason: 'once', until: '2099-01-01' }]
    const { outcome } = judgeByBaseline([FINDING], baseline({ suppressions }), 'b', '2026-06-01')
    expect(outcome.stale).toMatchObject([{ fingerprint: GONE, why: 'unmatched' }])
  })

  it('keeps, when updated, since when a leak is known, and the suppressions', () => {
    const before = baseline({
      findings: [known(FINDING.fingerprint), known(GONE)],
      suppressions: [{ fingerprint: NOWHERE.fingerprint, reason: 'library', until: '2020-01-01' }],
    })
    const after = updatedBaseline([FINDING, NOWHERE], before, '2026-06-01')
    expect(after.findings).toEqual([
      { fingerprint: FINDING.fingerprint, pattern: FINDING.pattern, title: FINDING.title, since: '2026-01-01' },
    ])
    expect(after.suppressions).toEqual(before.suppressions)
    expect(BaselineSchema.parse(after)).toEqual(after)
  })

  it.each([
    [{ fingerprint: GONE, reason: ' ', until: '2026-01-01' }],
    [{ fingerprint: GONE, reason: 'x', until: 'soon' }],
    [{ fingerprint: GONE, reason: 'x' }],
    [{ fingerprint: 'a leak', reason: 'x', until: '2026-01-01' }],
  ])('takes no suppression such as %j', (suppression) => {
    expect(BaselineSchema.safeParse({ schemaVersion: 1, findings: [], suppressions: [suppression] }).success).toBe(
      false,
    )
  })
})
