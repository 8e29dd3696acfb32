// What is read of executables, and what is refused.

import { execFileSync } from 'node:child_process'
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { buildIdIn, isElf, parseNotes, readElf, readNotes, readV8Constants } from '../../src/outside/elf.ts'
import { layoutOf } from '../../src/outside/layout.ts'
import { captureFromOutside } from '../../src/outside/open.ts'
import { start, TARGET_NODE, temporaryFolder, until } from '../support/target.ts'

const commandExists = (command: string): boolean => {
  try {
    execFileSync('which', [command], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe.runIf(process.platform === 'linux')('an executable', () => {
  test('of Node has the constants of V8 that all else follows from', () => {
    const constants = readV8Constants(readElf(TARGET_NODE))
    expect(constants.get('SystemPointerSize')).toBe(8)
    const layout = layoutOf(constants, 'node')
    expect(layout.fields.properties).toBe(1)
    expect(layout.fields.elements).toBe(2)
    expect(layout.types.MAP).toBeGreaterThan(128)
  })

  test.runIf(commandExists('objcopy'))('whose symbols were stripped has no such constants', () => {
    const stripped = join(temporaryFolder(), 'node')
    copyFileSync(TARGET_NODE, stripped)
    // They are dynamic symbols, which stay unless their table is taken away.
    execFileSync('objcopy', ['--remove-section=.dynsym', '--strip-all', stripped], { stdio: 'ignore' })
    expect(readV8Constants(readElf(stripped)).size).toBe(0)
  })

  test('that has other constants is refused by the name of what is missing', () => {
    const constants = readV8Constants(readElf(TARGET_NODE))
    for (const name of ['prop_index_mask', 'FirstContextType', 'bit_field3_is_dictionary_map_shift']) {
      const without = new Map(constants)
      without.delete(name)
      expect(() => layoutOf(without, 'process 7')).toThrow(
        `the heap of process 7 cannot be read from outside: its binary lacks the constant v8dbg_${name}`,
      )
    }
  })

  test('with compressed pointers is refused with that reason', () => {
    const constants = new Map(readV8Constants(readElf(TARGET_NODE)))
    constants.set('TaggedSize', 4)
    expect(() => layoutOf(constants, 'process 7')).toThrow('compresses pointers')
  })

  test('of another size of word is refused', () => {
    const file = join(temporaryFolder(), 'arm')
    const header = Buffer.alloc(64)
    header.write('\x7fELF\x01\x01\x01', 0, 'latin1')
    writeFileSync(file, header)
    expect(isElf(file)).toBe(true)
    expect(() => readElf(file)).toThrow('is of a machine that leakscope cannot read')
  })

  test('that is none is refused', () => {
    const file = join(temporaryFolder(), 'text')
    writeFileSync(file, 'not at all')
    expect(isElf(file)).toBe(false)
    expect(() => readElf(file)).toThrow('is not an ELF file')
    writeFileSync(file, '')
    expect(() => readElf(file)).toThrow('is not an ELF file')
  })

  test('has a build id', () => {
    expect(buildIdIn(readNotes(readElf('/bin/sh'))) ?? 'none').toMatch(/^([0-9a-f]{16,}|none)$/)
  })

  test('that is a copy of Node, with another name, is read all the same', async () => {
    const copy = join(temporaryFolder(), 'server')
    copyFileSync(TARGET_NODE, copy)
    const child = start(copy, ['-e', 'setInterval(() => {}, 1e6); console.log(1)'])
    let output = ''
    child.stdout.on('data', (part) => {
      output += part
    })
    await until(() => output !== '', 'the program')
    expect((await captureFromOutside(child.pid!)).heaps).toHaveLength(1)
  })
})

test('Notes of any bytes are no reason to crash', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void parseNotes(Buffer.from(bytes))))
})
