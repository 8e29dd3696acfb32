import { describe, expect, it } from 'vitest'
import {
  confirm,
  gainingNode,
  handlesLookSeconds,
  namePeer,
  stillGrows,
  stoodStill,
} from '../../src/findings/confirm.ts'
import { fingerprint } from '../../src/findings/fingerprint.ts'
import type { ReportFinding } from '../../src/findings/report.ts'
import { checkEvidence } from '../support/evidence.ts'

const finding = {
  severity: 'error',
  confidence: 0.9,
  reason: 'it gained',
  grounds: [{ kind: 'steady', effect: 'start', weight: 0.9, sentence: 'it gained' }],
  growth: { count: 1000, shallowBytes: 0, retainedBytes: 0, perSecond: 1, bytesPerSecond: 1, holders: 1 },
  evidence: {},
} as unknown as ReportFinding

describe('a look at what is alive', () => {
  it('confirms what went on growing', () => {
    const { reason, confidence } = confirm(finding, { first: 5000, second: 5100, seconds: 2 })
    expect(reason).toBe('it gained; looked at alive it went on growing (5,000 → 5,100 in 2.0 s)')
    expect(confidence).toBe(0.9)
  })
  it('makes a note of what was emptied meanwhile', () => {
    expect(confirm(finding, { first: 5000, second: 3, seconds: 2 })).toMatchObject({
      severity: 'note',
      confidence: 0.4,
    })
  })
  it('makes a note of what holds hardly more again than at first', () => {
    const evidence = { counts: [1565, 1977, 2209], countsOf: 'entries' }
    const sawtooth = { ...finding, evidence } as ReportFinding
    expect(confirm(sawtooth, { first: 1447, second: 1604, seconds: 2 }).severity).toBe('note')
    expect(confirm(sawtooth, { first: 2200, second: 2300, seconds: 2 }).severity).toBe('error')
    // As large again at the second look, and hardly anything in between.
    expect(confirm(sawtooth, { first: 2200, least: 1010, second: 2300, seconds: 2 }).severity).toBe('note')
    expect(confirm(sawtooth, { first: 2200, least: 2150, second: 2300, seconds: 2 }).severity).toBe('error')
  })
  it('knows that what came is spread over all that hold it', () => {
    const spread = { ...finding, growth: { ...finding.growth, holders: 10 } }
    expect(confirm(spread, { first: 110, second: 111, seconds: 2 }).severity).toBe('error')
  })
  it('names a reader that takes nothing', () => {
    const peer = { address: '::1', port: 7, bytesWritten: 10 }
    expect(namePeer(finding, { first: peer, second: peer, seconds: 2 })).toMatchObject({
      reason: 'it gained; one of the readers, [::1]:7, took nothing in 2.0 s',
      evidence: { peer: '[::1]:7', peerTookBytes: 0 },
    })
    expect(namePeer(finding, { first: peer, second: undefined, seconds: 2 })).toBe(finding)
  })
  it('adds evidence that the schemas have', () => {
    const evidence = {
      ...{ container: 'Map', things: 'Session', gained: 1000, perSecond: 1, bytesEach: 40 },
      ...{ counts: [1000, 2000], countsOf: 'entries', stayedPerStep: [1000] },
    }
    const whole = { ...finding, pattern: 'growing-collection', title: 'kept', evidence }
    const peer = { address: '::1', port: 7, bytesWritten: 10 }
    const sized = confirm(whole, { first: 5000, second: 5100, seconds: 2 })
    const named = namePeer(sized, { first: peer, second: peer, seconds: 2 })
    const went = stillGrows(whole, { first: 5000, second: 5100, seconds: 20 })
    const unseen = { container: 'Array', things: 'numbers', bytesEach: 8, isSeenAliveOnly: true }
    const seen = stillGrows({ ...whole, evidence: unseen }, { first: 10, half: 30, second: 50, seconds: 4 })
    const added = [named, went, seen].map((each) => each?.evidence.liveSize)
    expect(added).toEqual([5000, 5000, 10])
    expect(() => checkEvidence([named, went!, seen!])).not.toThrow()
    expect(() => checkEvidence([{ ...whole, evidence: { ...evidence, more: 1 } }])).toThrow('more')
  })
  it('tells of numbers that no snapshot shows, if they come in both halves of the look', () => {
    const quiet = {
      ...finding,
      title: 'seen',
      evidence: { things: 'numbers', bytesEach: 16, isSeenAliveOnly: true },
    } as ReportFinding
    expect(stillGrows(quiet, { first: 1000, half: 1040, second: 1080, seconds: 4 })).toMatchObject({
      title: 'seen gains 20.0 numbers each second, and loses none',
      growth: { count: 80, perSecond: 20, bytesPerSecond: 320 },
      evidence: { gained: 80, liveSize: 1000, liveSizeLater: 1080 },
    })
    expect(stillGrows(quiet, { first: 1000, half: 1080, second: 1080, seconds: 4 })).toBeUndefined()
    expect(stillGrows(quiet, { first: 1000, half: 1004, second: 1008, seconds: 4 })).toBeUndefined()
    expect(stillGrows(quiet, { first: undefined, half: 1, second: 2, seconds: 4 })).toBeUndefined()
  })
  it('asks no array that is smaller than what came: it is one of a list of them', () => {
    const held = (thing: object) =>
      ({ ...finding, retainingPath: [{ leaking: 'no', thing, nodeId: 7 }] }) as unknown as ReportFinding
    expect(gainingNode(held({ kind: 'array', name: 'Array', length: 2048, collection: null }))).toBe(7)
    expect(gainingNode(held({ kind: 'array', name: 'Array', length: 48, collection: null }))).toBeUndefined()
    expect(gainingNode(held({ kind: 'object', name: 'Registry', length: null, collection: 'Map' }))).toBe(7)
    expect(gainingNode(held({ kind: 'object', name: 'Map', length: null, collection: null }))).toBeUndefined()
  })
  it('says nothing where there is nothing to see', () => {
    expect(confirm(finding, { first: undefined, second: undefined, seconds: 2 })).toBe(finding)
  })
})

describe('a look at what Node has open', () => {
  const sockets = {
    ...finding,
    pattern: 'handle-leak',
    isolate: 'main',
    growth: { ...finding.growth, count: 70, perSecond: 4 },
    evidence: { handle: 'TCP' },
  }
  const look = (before: number, first: number, second: number, seconds = 3) =>
    stoodStill(sockets, {
      ...{ before: { TCPSocketWrap: before }, first: { TCPSocketWrap: first }, second: { TCPSocketWrap: second } },
      seconds,
    })

  it('tells what got to its size from what goes on becoming more', () => {
    expect(look(30, 100, 101)).toBe(true)
    expect(look(30, 100, 90)).toBe(true)
    expect(look(30, 100, 111)).toBe(false)
  })
  it('says nothing before more are due, or of handles that Node does not count', () => {
    expect(look(30, 100, 100, 1)).toBe(false)
    expect(look(80, 100, 100)).toBe(false)
    expect(stoodStill(sockets, { before: null, first: null, second: null, seconds: 3 })).toBe(false)
  })
  it('takes as long as it needs, and is for handles of the main thread', () => {
    expect(handlesLookSeconds(sockets)).toBe(4)
    expect(handlesLookSeconds({ ...sockets, growth: { ...sockets.growth, perSecond: 1 } })).toBe(10)
    expect(handlesLookSeconds({ ...sockets, evidence: {} })).toBe(0)
    expect(handlesLookSeconds({ ...sockets, isolate: 'worker:1' })).toBe(0)
  })
})

describe('a fingerprint', () => {
  it('is of 16 hex digits, and the same whatever the numbers are', () => {
    const one = fingerprint(['growing-collection', '.logs Array[48,211]', '[12] string'])
    expect(one).toMatch(/^[0-9a-f]{16}$/)
    expect(fingerprint(['growing-collection', '.logs Array[7]', '[3] string'])).toBe(one)
    expect(fingerprint(['growing-collection', '.users Array[7]', '[3] string'])).not.toBe(one)
  })
})
