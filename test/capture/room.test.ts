// What room there is for a snapshot on machines that are made up, and when it is too little.

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { foretell } from '../../src/capture/price.ts'
import { findRoom, objections, type Room } from '../../src/capture/room.ts'
import { temporaryFolder } from '../support/target.ts'

const POD = {
  'proc/self/mountinfo': '35 31 0:32 / /cg rw - cgroup2 cgroup2 rw\n',
  'proc/meminfo': 'MemAvailable: 9000 kB\n',
  'proc/7/status': 'VmRSS:\t      100 kB\n',
  'proc/7/cgroup': '0::/pod/app\n',
  'cg/pod/app/memory.max': '4000\n',
  'cg/pod/app/memory.current': '1000\n',
  'cg/pod/app/memory.stat': 'inactive_file 300\n',
  'cg/pod/memory.max': '10000\n',
  'cg/pod/memory.current': '9000\n',
}

function roomOn(files: Record<string, string>, options: object = {}): Room {
  const root = temporaryFolder()
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return findRoom({ pid: 7, folder: root, memoryLimitBytes: undefined, rssBytes: 50, root, ...options })
}

test('the cgroup with the least left counts, whatever its limit', () => {
  expect(roomOn(POD).memory).toEqual([
    { kind: 'cgroup', limitBytes: 10_000, freeBytes: 1000 },
    { kind: 'machine', limitBytes: null, freeBytes: 9_216_000 },
  ])
})

test('page cache that may go is room', () => {
  expect(roomOn({ ...POD, 'cg/pod/memory.max': 'max\n' }).memory[0]).toMatchObject({
    limitBytes: 4000,
    freeBytes: 3300,
  })
})

test('a limit that is given takes the place of the cgroup, and the process is in it by itself', () => {
  expect(roomOn(POD, { memoryLimitBytes: 500_000 }).memory[0]).toEqual({
    kind: 'limit',
    limitBytes: 500_000,
    freeBytes: 500_000 - 102_400,
  })
})

test('of a process elsewhere only a given limit is known, and its own word', () => {
  expect(roomOn(POD, { pid: undefined }).memory).toEqual([])
  const limited = roomOn(POD, { pid: undefined, memoryLimitBytes: 80 })
  expect(limited.memory).toEqual([{ kind: 'limit', limitBytes: 80, freeBytes: 30 }])
  expect(roomOn(POD, { pid: undefined, memoryLimitBytes: 80, rssBytes: null }).memory).toEqual([])
})

test('the disk is that of the folder, and unknown where there is none', () => {
  expect(roomOn({}).diskBytes).toBeGreaterThan(0)
  expect(roomOn({}, { folder: '/nowhere/at/all' }).diskBytes).toBe(null)
})

test('where nothing can be known nothing speaks against it', () => {
  const room = roomOn({}, { folder: '/nowhere/at/all' })
  expect(room).toEqual({ memory: [], diskBytes: null })
  const price = foretell({ smallBytes: 1e9, largeBytes: 1e9, major: 18, objects: null })
  const bounds = { room, maxPauseMs: Number.POSITIVE_INFINITY, longestPauseMs: price.pauseMs }
  expect(objections(price, bounds, 'high')).toEqual([])
})

test('each thing that is too little is said with its numbers', () => {
  const price = foretell({ smallBytes: 60e6, largeBytes: 0, major: 20, objects: 1_000_000 })
  const room: Room = {
    memory: [
      { kind: 'cgroup', limitBytes: 512e6, freeBytes: 100e6 },
      { kind: 'machine', limitBytes: null, freeBytes: 200e6 },
    ],
    diskBytes: 50e6,
  }
  const said = objections(price, { room, maxPauseMs: 1000, longestPauseMs: price.pauseMs }, 'high')
  expect(said.map(({ about }) => about)).toEqual(['memory', 'memory', 'disk', 'pause'])
  expect(said.map(({ reason }) => reason)).toEqual([
    'it may need 740 MB more memory, and its cgroup has 100 MB left of 512 MB',
    'it may need 740 MB more memory, and the machine has 200 MB left',
    'it may need 190 MB on the disk, which has 50.0 MB left',
    'its thread may stand still for 6.3 s, longer than the 1.0 s of --max-pause',
  ])
})
