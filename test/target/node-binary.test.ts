// Recognising Node by the bytes of its executable.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readNodeBinary } from '../../src/target/node-binary.ts'
import { TARGET_NODE, temporaryFolder } from '../support/target.ts'

const MARKER = 'Starting inspector on %s:%d failed: %s'
const BLOCK = 4 << 20

/** A file with texts at given places, and zeros in between. */
function binary(size: number, texts: Record<number, string>): string {
  const bytes = Buffer.alloc(size)
  for (const [at, text] of Object.entries(texts)) bytes.write(text, Number(at), 'latin1')
  const path = join(temporaryFolder(), 'binary')
  writeFileSync(path, bytes)
  return path
}

test('knows the version of a real Node', () => {
  const version = execFileSync(TARGET_NODE, ['--version'], { encoding: 'utf8' }).trim()
  expect(readNodeBinary(TARGET_NODE)).toEqual({ version, inspector: true })
})

test('finds its texts wherever they lie, also across two blocks', () => {
  for (const at of [0, 1000, BLOCK - 20, BLOCK - 1, BLOCK, 2 * BLOCK - 30]) {
    expect(readNodeBinary(binary(9e6, { [at]: `node.js/v24.1.0\0`, [at + 60]: MARKER }), 0)).toEqual({
      version: 'v24.1.0',
      inspector: true,
    })
  }
})

test('takes a nightly for what it is, and says nothing of a version that is cut off', () => {
  expect(readNodeBinary(binary(1000, { 0: `${MARKER}\0node.js/v25.0.0-nightly20250101abc\0` }), 0)).toEqual({
    version: 'v25.0.0-nightly20250101abc',
    inspector: true,
  })
  expect(readNodeBinary(binary(1000, { 0: `${MARKER}\0node.js/v25.0\0` }), 0)).toEqual({
    version: undefined,
    inspector: true,
  })
})

test('is not taken in by a version alone', () => {
  expect(readNodeBinary(binary(1000, { 0: 'node.js/v24.1.0\0' }), 0)).toBe(undefined)
})

test('knows a Node that was built without the inspector', () => {
  const config = (value: number) => `"variables":{"v8_enable_i18n_support": 1,"v8_enable_inspector": ${value},`
  expect(readNodeBinary(binary(9e6, { [BLOCK - 30]: config(0) }), 0)).toEqual({ version: undefined, inspector: false })
  expect(readNodeBinary(binary(9e6, { [BLOCK - 30]: config(1) }), 0)).toBe(undefined)
})

test('does not read what is too small to be Node', () => {
  expect(readNodeBinary(binary(1000, { 0: `${MARKER}\0` }))).toBe(undefined)
  expect(readNodeBinary('/bin/sh')).toBe(undefined)
})
