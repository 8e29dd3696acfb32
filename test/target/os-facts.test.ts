// What Linux says of a process, of a real one and of those in folders made up to look like other machines.

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readAvailableMemory, readCpuLimit, readMemoryLevels, readOsFacts } from '../../src/target/os-facts.ts'
import { spawnTarget, temporaryFolder } from '../support/target.ts'

/** A machine of these files, in which process 7 is the one of interest. */
function machine(files: Record<string, string>): string {
  const root = temporaryFolder()
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

test('a real process has memory, threads with names, and open files of several kinds', async () => {
  const { pid } = await spawnTarget(
    `globalThis.kept = [require('fs').openSync(process.execPath), require('net').createServer().listen(0)]`,
  )
  const facts = readOsFacts(pid)!
  expect(facts.rssBytes).toBeGreaterThan(20e6)
  expect(facts.rssAnonBytes! + facts.rssFileBytes! + facts.rssShmemBytes!).toBe(facts.rssBytes)
  expect(facts.virtualBytes).toBeGreaterThan(facts.rssBytes!)
  expect(Object.keys(facts.threads!).length).toBeGreaterThan(0)
  expect(facts.files).toMatchObject({ file: 1, socket: expect.any(Number), epoll: expect.any(Number) })
})

test('of a process that is not there, nothing is known', () => {
  expect(readOsFacts(4_000_000)).toEqual({
    rssBytes: null,
    rssAnonBytes: null,
    rssFileBytes: null,
    rssShmemBytes: null,
    peakRssBytes: null,
    swapBytes: null,
    virtualBytes: null,
    threads: null,
    files: null,
    cgroup: null,
  })
})

describe('the cgroup', () => {
  const V1 = '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n'
  const V2 = '35 31 0:32 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n'

  test.each<[name: string, files: Record<string, string>, expected: unknown]>([
    [
      'version 2, with the tightest limit further up',
      {
        'proc/self/mountinfo': V2,
        'proc/7/cgroup': '0::/pod/app\n',
        'sys/fs/cgroup/pod/app/memory.max': 'max\n',
        'sys/fs/cgroup/pod/app/memory.current': '100\n',
        'sys/fs/cgroup/pod/memory.max': '5000\n',
        'sys/fs/cgroup/pod/memory.current': '700\n',
      },
      { version: 2, path: '/pod/app', limitBytes: 5000, usedBytes: 700 },
    ],
    [
      'version 2 without a limit',
      {
        'proc/self/mountinfo': V2,
        'proc/7/cgroup': '0::/app\n',
        'sys/fs/cgroup/app/memory.max': 'max\n',
        'sys/fs/cgroup/app/memory.current': '100\n',
      },
      { version: 2, path: '/app', limitBytes: null, usedBytes: 100 },
    ],
    [
      'version 1, beside an empty hierarchy of version 2',
      {
        'proc/self/mountinfo': V1,
        'proc/7/cgroup': '4:cpu,memory:/app\n1:name=systemd:/\n0::/\n',
        'sys/fs/cgroup/memory/app/memory.limit_in_bytes': '5000\n',
        'sys/fs/cgroup/memory/app/memory.usage_in_bytes': '700\n',
        'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
      },
      { version: 1, path: '/app', limitBytes: 5000, usedBytes: 700 },
    ],
    [
      'from inside a container, where the path is the host’s',
      {
        'proc/self/mountinfo': V1.replace(' / ', ' /docker/abc '),
        'proc/7/cgroup': '4:memory:/docker/abc\n',
        'sys/fs/cgroup/memory/memory.limit_in_bytes': '5000\n',
        'sys/fs/cgroup/memory/memory.usage_in_bytes': '700\n',
      },
      { version: 1, path: '/docker/abc', limitBytes: 5000, usedBytes: 700 },
    ],
    ['none', { 'proc/7/cgroup': '' }, null],
  ])('%s', (_, files, expected) => {
    expect(readOsFacts(7, machine(files))!.cgroup).toEqual(expected)
  })
})

describe('what bounds a process', () => {
  const V1 =
    '35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n36 31 0:33 / /c rw - cgroup cgroup rw,cpu\n'
  const V2 = '35 31 0:32 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n'

  test('is said of each cgroup by itself, with the page cache that may go', () => {
    const root = machine({
      'proc/self/mountinfo': V2,
      'proc/7/cgroup': '0::/pod/app\n',
      'sys/fs/cgroup/pod/app/memory.max': 'max\n',
      'sys/fs/cgroup/pod/app/memory.current': '100\n',
      'sys/fs/cgroup/pod/app/memory.stat': 'anon 60\ninactive_file 30\nactive_file 10\n',
      'sys/fs/cgroup/pod/memory.max': '5000\n',
      'sys/fs/cgroup/pod/memory.current': '700\n',
    })
    expect(readMemoryLevels(7, root)).toEqual([
      { limitBytes: null, usedBytes: 100, reclaimableBytes: 30 },
      { limitBytes: 5000, usedBytes: 700, reclaimableBytes: null },
      { limitBytes: null, usedBytes: null, reclaimableBytes: null },
    ])
  })

  test.each<[name: string, files: Record<string, string>, expected: number | null]>([
    [
      'version 2, with the tightest limit further up',
      {
        'proc/self/mountinfo': V2,
        'proc/7/cgroup': '0::/pod/app\n',
        'sys/fs/cgroup/pod/app/cpu.max': 'max 100000\n',
        'sys/fs/cgroup/pod/cpu.max': '50000 100000\n',
      },
      0.5,
    ],
    [
      'version 1',
      {
        'proc/self/mountinfo': V1,
        'proc/7/cgroup': '4:cpu:/app\n',
        'c/app/cpu.cfs_quota_us': '200000\n',
        'c/app/cpu.cfs_period_us': '100000\n',
        'c/cpu.cfs_quota_us': '-1\n',
        'c/cpu.cfs_period_us': '100000\n',
      },
      2,
    ],
    ['none', { 'proc/7/cgroup': '' }, null],
  ])('a share of the processors: %s', (_, files, expected) => {
    expect(readCpuLimit(7, machine(files))).toBe(expected)
  })

  test('the memory of the machine', () => {
    expect(readAvailableMemory(machine({ 'proc/meminfo': 'MemTotal: 9 kB\nMemAvailable:    2000 kB\n' }))).toBe(
      2_048_000,
    )
    expect(readAvailableMemory(machine({}))).toBe(null)
    expect(readAvailableMemory()).toBeGreaterThan(1e6)
  })
})
