// Zstandard, on the Node that LEAKSCOPE_TEST_NODE names: newer ones have it, older ones must say that they do not.

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import zlib from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { goldenCases } from '../golden/load.ts'
import { CLI, filesIn, spawnTarget, start, TARGET_NODE, temporaryFolder } from '../support/target.ts'

const real = goldenCases()
  .find(({ name }) => name === 'app-node24')!
  .readSnapshot()

async function runOn(node: string, args: readonly (string | number)[], cwd: string) {
  const child = start(node, args.map(String), { cwd })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (part) => {
    stdout += part
  })
  child.stderr.on('data', (part) => {
    stderr += part
  })
  const [code] = await once(child, 'close')
  return { code, stdout, stderr }
}

const ask = async (expression: string): Promise<string> =>
  (await runOn(TARGET_NODE, ['-p', expression], '/')).stdout.trim()
// leakscope itself runs on Node 20 and newer; on 18 only targets do.
const runsHere = Number(await ask('parseInt(process.versions.node)')) >= 20
const node = runsHere ? TARGET_NODE : process.execPath
const hasZstd = runsHere ? (await ask('typeof zlib.zstdCompressSync')) === 'function' : 'zstdCompressSync' in zlib

const leakscope = (args: readonly (string | number)[], cwd: string) => runOn(node, [CLI, ...args], cwd)

/** A Zstandard file's first bytes and nothing more. */
const MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0])

if (hasZstd) describe('on a Node with Zstandard', withZstandard)
else describe('on a Node without Zstandard', withoutZstandard)

function withZstandard() {
  test('a snapshot is written packed, in one piece or several, and read again', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'plain'), real)
    writeFileSync(join(cwd, 'key'), 'a key that is long enough\n')
    for (const [input, output] of [
      ['plain', 'redacted'],
      ['plain', 'redacted.zst'],
      ['redacted.zst', 'again.zst'],
      ['redacted', 'again'],
    ]) {
      expect(await leakscope(['redact', input!, output!, '--key-file', 'key'], cwd)).toMatchObject({
        code: 0,
        stderr: '',
      })
    }
    const heaps: unknown[] = []
    for (const file of ['redacted', 'redacted.zst', 'again.zst', 'again']) {
      const { code, stdout } = await leakscope(['analyze', file, '--json'], cwd)
      expect(code).toBe(0)
      heaps.push(JSON.parse(stdout).heap)
    }
    expect(heaps[1]).toEqual(heaps[0])
    expect(heaps[2]).toEqual(heaps[3])
  })

  test('a snapshot of a process can be packed as it is taken', async () => {
    const target = await spawnTarget('globalThis.leak = []')
    const cwd = temporaryFolder()
    const args = ['snapshot', target.pid, '--count', 2, '--every', '100ms', '-o', 'a.heapsnapshot.zst', '--redact']
    expect(await leakscope(args, cwd)).toMatchObject({ code: 0 })
    const names = ['a-1.heapsnapshot.zst', 'a-2.heapsnapshot.zst']
    expect(filesIn(cwd)).toEqual(names)
    const { code, stdout } = await leakscope(['diff', ...names, '--json'], cwd)
    expect(code).toBe(0)
    expect(JSON.parse(stdout).growth.matching).toBe('id')
  })

  test('a file that is cut off or damaged is refused', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'plain'), real)
    expect((await leakscope(['redact', 'plain', 'whole.zst'], cwd)).code).toBe(0)
    const damage = `const file = fs.readFileSync('whole.zst'); fs.writeFileSync('cut', file.subarray(0, file.length / 2));
      file[file.length >> 1] ^= 0x55; file[(file.length >> 1) + 1] ^= 0x55; fs.writeFileSync('damaged', file)`
    expect((await runOn(node, ['-e', damage], cwd)).code).toBe(0)
    writeFileSync(join(cwd, 'nothing'), MAGIC)
    for (const file of ['cut', 'damaged', 'nothing']) {
      const { code, stdout, stderr } = await leakscope(['analyze', file], cwd)
      expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
      expect(stderr).toMatch(new RegExp(`^leakscope: ${file}: `))
    }
  })
}

function withoutZstandard() {
  test('a packed file is not read, and the way out is named', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'a.zst'), MAGIC)
    for (const args of [
      ['analyze', 'a.zst'],
      ['redact', 'a.zst', 'b'],
      ['diff', 'a.zst', 'a.zst'],
    ]) {
      const { code, stderr } = await leakscope(args, cwd)
      expect(code).toBe(3)
      expect(stderr).toMatch(/cannot read a\.zst: this Node \(v\d+.*\) has no Zstandard\n.*zstd -d.*22\.15, 23\.8/)
    }
    expect(filesIn(cwd)).toEqual(['a.zst'])
  })

  test('none is written, and the target hears nothing of it', async () => {
    const target = await spawnTarget()
    const cwd = temporaryFolder()
    const { code, stderr } = await leakscope(['snapshot', target.pid, '-o', 'a.heapsnapshot.zst'], cwd)
    expect(code).toBe(3)
    expect(stderr).toMatch(/cannot write a\.heapsnapshot\.zst: this Node .* has no Zstandard\n.*\.gz/)
    expect(target.output()).not.toContain('Debugger')
    expect(filesIn(cwd)).toEqual([])
  })
}
