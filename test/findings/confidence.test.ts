import { describe, expect, it } from 'vitest'
import { confidenceBy, judgedBy, reasonBy } from '../../src/findings/confidence.ts'
import { byNumber, ground, remark, WEIGHTS } from '../../src/findings/weights.ts'

describe('the confidence of a finding', () => {
  it('is made of its evidence, in order', () => {
    expect(confidenceBy([ground('steady'), ground('takenOut'), ground('little')])).toBe(0.41)
    expect(confidenceBy([ground('unknown'), ground('shownViews'), ground('cutNotAsked')])).toBe(0.86)
    expect(confidenceBy([ground('steady'), ground('emptied')])).toBe(0.4)
    expect(confidenceBy([ground('filling'), ground('emptied')])).toBe(0.2)
    expect(confidenceBy([ground('steady'), byNumber(20, 20)])).toBe(0.45)
    expect(confidenceBy([])).toBe(0)
  })
  it('is the less the less likely the evidence makes it, and is not changed by a remark', () => {
    const alone = confidenceBy([ground('steady')])
    for (const [name, { effect }] of Object.entries(WEIGHTS)) {
      if (effect !== 'times') continue
      expect(confidenceBy([ground('steady'), ground(name as keyof typeof WEIGHTS)]), name).toBeLessThan(alone)
    }
    expect(confidenceBy([ground('steady'), remark('seen')])).toBe(alone)
  })
  it('gives the severity, and its sentences are the reason', () => {
    const grounds = [ground('unknown', 'two snapshots'), byNumber(3, 3), remark('one reader took nothing')]
    expect(judgedBy(grounds)).toEqual({
      ...{ confidence: 0.28, severity: 'note', reason: 'two snapshots; one reader took nothing' },
      grounds,
    })
    expect(judgedBy([ground('unknown')]).severity).toBe('warning')
    expect(judgedBy([ground('steady')]).severity).toBe('error')
    expect(reasonBy([])).toBe('')
  })
})
