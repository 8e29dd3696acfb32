// How things are held and by which statement they are added, in the heap of a real process that leaks in several ways at once.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { openSeries } from '../../src/analysis/compare.ts'
import { readLocalSource } from '../../src/analysis/culprit.ts'
import { findLeaks, type Leaks, lookForSuspects } from '../../src/detectors/find-leaks.ts'
import { TARGET_NODE, temporaryFolder } from '../support/target.ts'

const PROGRAM = `
const v8 = require('node:v8')
const { Writable } = require('node:stream')
const folder = process.argv[2]

module.exports.lines = []
const cover = (n) => ({ n, text: 'number ' + n + ' of all '.repeat(8) })

function note(v) {
  module.exports.lines = [...module.exports.lines, v]
}

function follow(kept) {
  for (let k = 0; k < 200; k++) kept.unshift(cover(k))
}
const timer = setInterval(follow, 3_600_000, [])

class Shop {
  bus = new Writable({ write() {} })
  put(v) {
    const into = this.bus
    into.write(v.text)
  }
}
const shop = new Shop()
function send(v) {
  shop.put(v)
}

const rows = []
function toRows(round) {
  for (let k = 0; k < 3; k++) rows.push(Array.from({ length: 60 }, (_, i) => cover(round + i)))
}

const held = new Map()
let walk
function hold(round) {
  for (let k = 0; k < 400; k++) held.set(round + ' ' + k, cover(k))
  for (let k = 0; k < 400 && round > 0; k++) held.delete(round - 1 + ' ' + k)
  // The next snapshot meets somebody who goes over all of it.
  walk = round === 0 ? held.values() : undefined
  walk?.next()
}

const ids = new Set()
const swept = new Set()
for (let id = 0; id < 5000; id++) {
  ids.add(id)
  swept.add(id)
}
function mark(id) {
  ids.add(id)
  swept.add(id)
  swept.delete(id - 1)
}

for (let round = 0; round < 3; round++) {
  for (let k = 0; k < 200; k++) {
    note(cover(k))
    send(cover(k))
  }
  timer._onTimeout(...timer._timerArgs)
  toRows(round)
  hold(round)
  mark(6000 + round)
  v8.writeHeapSnapshot(folder + '/' + round + '.heapsnapshot')
}
process.exit()
`

const lineOf = (text: string): number => PROGRAM.slice(0, PROGRAM.indexOf(text)).split('\n').length

let leaks: Leaks
beforeAll(async () => {
  const folder = temporaryFolder()
  const script = join(folder, 'main.cjs')
  writeFileSync(script, PROGRAM)
  execFileSync(TARGET_NODE, [script, folder], { stdio: 'ignore' })
  const heap = await openSeries(
    [0, 1, 2].map((round) => join(folder, `${round}.heapsnapshot`)),
    { index: false },
  )
  try {
    leaks = findLeaks({ isolates: [await lookForSuspects('main', heap, [0, 5, 10])], readSource: readLocalSource })
  } finally {
    await heap.opened.close()
  }
})

const found = (title: RegExp) => leaks.findings.find((finding) => title.test(finding.title))

describe('what leaks goes by the program’s names, and by the line that adds it', () => {
  it('on an object of Node’s that the program has given a property', () => {
    expect(found(/^exports\.lines gained/)?.culprit?.line).toBe(lineOf('module.exports.lines = [...'))
  })
  it('in what a timer hands to its function', () => {
    expect(found(/^kept gained/)?.culprit?.line).toBe(lineOf('kept.unshift'))
  })
  it('in a stream, under another name', () => {
    const finding = found(/wait to be sent in shop\.bus \(a Writable\)/)
    expect(finding).toMatchObject({ pattern: 'outbound-buffer-pileup', culprit: { line: lineOf('into.write(') } })
  })
  it('in a few rows with much in them', () => {
    expect(found(/^rows gained 6 Array/)?.culprit?.line).toBe(lineOf('rows.push'))
  })
})

it('a Map that is full, and is gone over meanwhile, gains nothing', () => {
  expect(found(/held/)).toBeUndefined()
})

it('small numbers in the room that a collection has are left to a look at it alive, if nothing takes them out', () => {
  expect(leaks.undecided.map(({ title }) => title)).toEqual(['ids'])
})
