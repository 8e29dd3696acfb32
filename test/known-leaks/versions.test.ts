import { describe, expect, it } from 'vitest'
import { isInRange, parseRange } from '../../src/known-leaks/versions.ts'

describe('ranges of versions', () => {
  it.each([
    ['9.0.0', '<9.0.1', true],
    ['9.0.1', '<9.0.1', false],
    ['v22.9.0', '>=18.17 <24.16', true],
    ['24.16.0', '>=18.17 <24.16 || >=25 <26.1', false],
    ['25.2.0', '>=18.17 <24.16 || >=25 <26.1', true],
    ['10.0.0', '>=9.9.9', true],
    ['1.2.3', '=1.2.3', true],
    ['1.2.4', '<=1.2.3', false],
    ['1.2.3+build.5', '=1.2.3', true],
  ])('%s in %s: %s', (version, range, expected) => {
    expect(isInRange(version, range)).toBe(expected)
  })

  it('a release that is not finished comes before the one that is', () => {
    expect(isInRange('9.0.1-rc.1', '<9.0.1')).toBe(true)
    expect(isInRange('9.0.0-rc.1', '>=9.0.0')).toBe(false)
  })

  it('a version that cannot be read is in no range', () => {
    expect(isInRange('latest', '>=0')).toBe(false)
    expect(isInRange('', '<9')).toBe(false)
  })

  it.each(['', '^1.2.3', '1.x', '>=1.2.3 <', '<1 ||', '*'])('%j is no range', (text) => {
    expect(parseRange(text)).toBeUndefined()
  })
})
