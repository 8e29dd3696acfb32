// The mappings of a process, as /proc writes them and as a real one has them.

import { expect, test } from 'vitest'
import { parseMemoryMap, readMemoryMap } from '../../src/target/memory-map.ts'
import { readOsFacts } from '../../src/target/os-facts.ts'
import { spawnTarget } from '../support/target.ts'

test('of each mapping, where it is, what it is called, and how much of it is resident', () => {
  const [heap, file, ...rest] = parseMemoryMap(
    [
      '099af000-09d59000 rw-p 00000000 00:00 0                                  [heap]',
      'Size:               3752 kB',
      'Rss:                3636 kB',
      'Swap:                  8 kB',
      'THPeligible:           0',
      'VmFlags: rd wr mr mw me ac ',
      '7f06f97fe000-7f06f9824000 r--p 00000000 fe:00 339380                     /srv/a b: c.so (deleted)',
      'Rss:                 152 kB',
      'Swap:                  0 kB',
      'VmFlags: rd mr mw me dc ',
      '',
    ].join('\n'),
  )
  expect(heap).toEqual({
    start: 0x99af000,
    end: 0x9d59000,
    access: 'rw-p',
    name: '[heap]',
    rssBytes: 3636 * 1024,
    swapBytes: 8192,
    flags: new Set(['rd', 'wr', 'mr', 'mw', 'me', 'ac']),
  })
  expect(file).toMatchObject({ name: '/srv/a b: c.so (deleted)', rssBytes: 152 * 1024, swapBytes: 0 })
  expect(file!.flags.has('dc')).toBe(true)
  expect(rest).toEqual([])
})

test('of a real process they add up to what is resident', async () => {
  const { pid } = await spawnTarget('globalThis.filler = Buffer.alloc(50e6, 1)')
  const bytes = readMemoryMap(pid)!.reduce((sum, { rssBytes }) => sum + rssBytes, 0)
  // The kernel counts per processor and adds that up now and then only.
  expect(Math.abs(bytes - readOsFacts(pid)!.rssBytes!)).toBeLessThan(2e6)
})

test('of a process that is not there, nothing is known', () => {
  expect(readMemoryMap(4_000_000)).toBeUndefined()
})
