// Objects are known again from one picture to the next, although the garbage collector has moved them meanwhile.

import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { identify, idsAgree } from '../../src/analysis/identity.ts'
import { freeIdsBehind, type Picture, recognize } from '../../src/outside/identity.ts'
import { captureFromOutside } from '../../src/outside/open.ts'
import { findEphemerons } from '../../src/snapshot/ephemerons.ts'
import { EdgeType } from '../../src/snapshot/meta.ts'
import { edgeTarget, edgeType, type Snapshot } from '../../src/snapshot/snapshot.ts'
import { spawnTarget, until } from '../support/target.ts'

/** Sessions come, change and go; some stay forever. Each has a name that no other has. */
const PROGRAM = `
let made = 0
const sessions = new Map(), kept = [], weak = new WeakMap(), state = { ticks: 0, last: null }
const tagged = (object) => { object.uid = 'uid:' + ++made; return object }
setInterval(() => {
  state.ticks++
  for (let i = 0; i < 30; i++) {
    const id = Math.floor(Math.random() * 200)
    const session = sessions.get(id) ?? tagged({ count: 0, visits: [] })
    sessions.set(id, session)
    weak.set(session, tagged({ of: 'weak' }))
    session.count++
    session.visits.push(tagged({ at: made }))
    if (session.visits.length > 20) session.visits.shift()
    if (Math.random() < 0.02) sessions.delete(id)
    if (i % 10 === 0) kept.push(tagged(() => session))
    state.last = tagged({ session })
    for (let j = 0; j < 200; j++) globalThis.waste = [j, { j }]
  }
  if (state.ticks === 100) console.log('filled')
}, 5)`

/** By node: the name that the program gave it. */
function uidsIn({ firstEdge, nodeCount, edges, edgeNameOrIndex, strings, nodeName }: Snapshot): Map<number, string> {
  const uids = new Map<number, string>()
  const uid = strings.indexOf('uid')
  for (let node = 0; node < nodeCount; node++) {
    for (let edge = firstEdge[node]!; edge < firstEdge[node + 1]!; edge++) {
      if (edgeNameOrIndex[edge] !== uid || edgeType(edges[edge]!) !== EdgeType.property) continue
      const text = strings.get(nodeName[edgeTarget(edges[edge]!)]!)
      if (text.startsWith('uid:')) uids.set(node, text)
    }
  }
  return uids
}

async function pictureOf(pid: number): Promise<Picture> {
  const { snapshot, traces } = (await captureFromOutside(pid, { isRecognizable: true })).heaps[0]!
  return { snapshot, traces: traces! }
}

describe.runIf(process.platform === 'linux')('objects in a later picture', () => {
  test('have the ids that they had, and no other object has them', async () => {
    const { pid, output } = await spawnTarget(PROGRAM)
    await until(() => output().includes('filled'), 'the program to have filled its memory')
    const before = await pictureOf(pid)
    await sleep(3000)
    const after = await pictureOf(pid)
    const { nodes } = recognize(before, after, freeIdsBehind(before))
    expect(nodes).toBeGreaterThan(20_000)
    expect(new Set(after.snapshot.nodeId).size).toBe(after.snapshot.nodeCount)
    expect(idsAgree(identify(before.snapshot), after.snapshot)).toBe(true)
    const idOf = new Map(Array.from(uidsIn(before.snapshot), ([node, uid]) => [uid, before.snapshot.nodeId[node]!]))
    const oldIds = new Set(idOf.values())
    let [same, missed, wrong] = [0, 0, 0]
    for (const [node, uid] of uidsIn(after.snapshot)) {
      const [was, id] = [idOf.get(uid), after.snapshot.nodeId[node]!]
      if (was === id) same++
      else if (oldIds.has(id)) wrong++
      else if (was !== undefined) missed++
    }
    expect(same).toBeGreaterThan(500)
    expect(missed).toBeLessThan(0.02 * same)
    expect(wrong).toBeLessThanOrEqual(0.002 * same)
  })

  test('have those ids in the names of a WeakMap’s entries as well', async () => {
    const { pid, output } = await spawnTarget(PROGRAM)
    await until(() => output().includes('filled'), 'the program to have filled its memory')
    const before = await pictureOf(pid)
    const after = await pictureOf(pid)
    recognize(before, after, freeIdsBehind(before))
    const ids = new Set(after.snapshot.nodeId)
    const { tables } = findEphemerons(after.snapshot.strings)
    expect(tables.length).toBeGreaterThan(10)
    expect(Array.from(tables).filter((id) => !ids.has(id))).toEqual([])
  })
})
