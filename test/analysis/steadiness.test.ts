import { describe, expect, it } from 'vitest'
import { judgeSeries } from '../../src/analysis/steadiness.ts'

const judge = (counts: number[], survivors: number[] = [], seconds = counts.map((_, i) => 10 * i), isExact = false) =>
  judgeSeries({ counts, survivors, seconds, isExact })

describe('the trend of a count', () => {
  it('is steady where all that came is still there', () => {
    expect(judge([100, 200, 300], [100, 100])).toBe('steady')
    expect(judge([0, 90, 200, 310], [90, 110, 110])).toBe('steady')
  })
  it('counts by time, however far apart the snapshots are', () => {
    expect(judge([0, 10, 100], [10, 90], [0, 1, 10])).toBe('steady')
  })
  it('is turning where more comes than goes', () => {
    expect(judge([1000, 2000, 3000], [600, 2000])).toBe('turning')
  })
  it('is steady where there are as many more as came, however unevenly', () => {
    expect(judge([1904, 2064, 2384], [160, 320], [0, 2, 4], true)).toBe('steady')
    expect(judge([1904, 2064, 2384], [160, 320], [0, 2, 4])).toBe('turning')
  })
  it('is turning where as much as came is more than there is more of', () => {
    expect(judge([1565, 1977, 2209], [1091, 932], [0, 13, 26], true)).toBe('turning')
  })
  it('goes by what came and went, where that is known: those that have long been there are no chance', () => {
    // Of 916, fourteen went, and 45 came that are still there.
    expect(judge([916, 931, 947], [15, 30], [0, 6.5, 13], true)).toBe('turning')
    // All of them are others than before.
    expect(judge([900, 930, 960], [400, 560], [0, 6.5, 13], true)).toBe('level')
    expect(judge([100, 110, 120], [50, 70], [0, 6.5, 13], true)).toBe('swinging')
  })
  it('is slowing where all stays, and less and less comes', () => {
    expect(judge([1290, 1956, 2267], [666, 311], [0, 13, 26], true)).toBe('slowing')
    expect(judge([1000, 1660, 2140], [660, 480], [0, 13, 26], true)).toBe('steady')
    // It came no faster before.
    expect(judge([300, 966, 1277], [666, 311], [0, 13, 26], true)).toBe('steady')
  })
  it('is slowing where something fills up', () => {
    expect(judge([1000, 4000, 4100], [3000, 100])).toBe('slowing')
    expect(judge([1000, 5000, 5000], [4000, 0])).toBe('slowing')
  })
  it('is swinging where it went down in between, or nothing of an earlier step is left', () => {
    expect(judge([1000, 200, 1500], [0, 1500])).toBe('swinging')
    expect(judge([1000, 2000, 3000], [0, 3000])).toBe('swinging')
    expect(judge([33_466, 40_833, 48_200], [9, 11_313])).toBe('swinging')
  })
  it('is swinging where nearly all came at once, whatever else there is of its class', () => {
    expect(judge([144_143, 225_301, 321_215], [5646, 1])).toBe('swinging')
  })
  it('is level where as many went as came, but for a few', () => {
    expect(judge([5000, 5000, 5000], [2000, 2500])).toBe('level')
    expect(judge([5000, 5100, 5200], [2000, 2500])).toBe('level')
    expect(judge([5000, 4000, 3000])).toBe('level')
  })
  it('is no leak’s where it gained but once, and single objects are not known', () => {
    expect(judge([0, 1, 1])).toBe('slowing')
    expect(judge([3, 3, 4])).toBe('swinging')
    expect(judge([3, 4, 5])).toBe('steady')
  })
  it('is not told from two snapshots', () => {
    expect(judge([100, 200], [100])).toBe('unknown')
  })
  it('is swinging where a few more of many that come and go are chance', () => {
    expect(judge([8549, 8620, 8710], [40, 109])).toBe('swinging')
  })
})
