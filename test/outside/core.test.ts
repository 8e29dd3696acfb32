// What a core file tells of the process that left it.

import { spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { openColumns } from '../../src/analysis/open-snapshot.ts'
import { isCore } from '../../src/outside/core-memory.ts'
import { openCore } from '../../src/outside/open.ts'
import { filesIn, TARGET_NODE, temporaryFolder } from '../support/target.ts'

const SOURCE = `class Account { constructor(i) { this.i = i; this.text = 'account ' + i } }
globalThis.accounts = Array.from({ length: 1234 }, (_, i) => new Account(i)); process.abort()`

/** The core of a Node that ran `source`; undefined where the system puts cores elsewhere, or nowhere. */
function coreOf(source: string): string | undefined {
  const folder = temporaryFolder()
  spawnSync('sh', ['-c', 'ulimit -c unlimited; exec "$0" -e "$1"', TARGET_NODE, source], { cwd: folder })
  const name = filesIn(folder).find((file) => file.startsWith('core'))
  return name === undefined ? undefined : join(folder, name)
}
const writesCores = process.platform === 'linux' && /^core/.test(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'))

describe.runIf(writesCores)('a core file', () => {
  let core: string

  beforeAll(() => {
    core = coreOf(SOURCE)!
  })

  test('has the heap of its process', async () => {
    expect(isCore(core)).toBe(true)
    const { heaps, endedBy, pausedMs } = openCore(core)
    expect(endedBy).toBe(6)
    expect(pausedMs).toBe(0)
    const { classRows, close } = await openColumns(heaps[0]!.snapshot)
    await close()
    expect(classRows.find(({ name }) => name === 'Account')?.count).toBe(1234)
  })

  test('of another executable is refused', () => {
    expect(() => openCore(core, '/bin/sh')).toThrow(
      /was not written by \/bin\/sh: its build id is|has no v8dbg_ constants/,
    )
    expect(() => openCore(core, '/nowhere/node')).toThrow('cannot read /nowhere/node')
  })

  test('that was cut off is refused', () => {
    const cut = join(temporaryFolder(), 'core.cut')
    copyFileSync(core, cut)
    truncateSync(cut, 1e6)
    expect(() => openCore(cut)).toThrow('was cut off: it has 1000000 of')
    truncateSync(cut, 0)
    expect(() => openCore(cut)).toThrow('is not an ELF file')
  })
})

test.runIf(process.platform === 'linux')('an executable is no core', () => {
  expect(isCore(process.execPath)).toBe(false)
  expect(() => openCore(process.execPath)).toThrow('is not a core file')
})
