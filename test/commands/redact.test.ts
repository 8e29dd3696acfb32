// `leakscope redact` as a user runs it.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { beforeEach, describe, expect, test } from 'vitest'
import { goldenCases } from '../golden/load.ts'
import { heapText } from '../support/heaps.ts'
import { filesIn, runCli, startCli, temporaryFolder, until } from '../support/target.ts'

const isRoot = process.getuid?.() === 0
const real = goldenCases()
  .find(({ name }) => name === 'app-node24')!
  .readSnapshot()
const stringsOf = (file: string | Buffer): string[] => JSON.parse(file.toString()).strings

/** A snapshot that keeps redaction busy for seconds: real numbers, and many strings that nothing is called by. */
function bigSnapshot(): Buffer {
  const end = real.lastIndexOf(']')
  const strings = Array.from({ length: 400_000 }, (_, i) => `,"string number ${i} ${'x'.repeat(200)}"`).join('')
  return Buffer.concat([real.subarray(0, end), Buffer.from(strings), real.subarray(end)])
}

let cwd: string
beforeEach(() => {
  cwd = temporaryFolder()
  writeFileSync(join(cwd, 'in.heapsnapshot'), real)
})
const read = (name: string) => readFileSync(join(cwd, name))

describe('leakscope redact', () => {
  test('writes a private file, and says how much of it became tokens', async () => {
    const { code, stdout, stderr } = await runCli(['redact', 'in.heapsnapshot', 'out.heapsnapshot'], { cwd })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const line = /^out\.heapsnapshot {2}[\d.]+ MB {2}([\d,]+) of ([\d,]+) texts became tokens\n$/.exec(stdout)
    const [redacted, all] = line!.slice(1).map((count) => Number(count.replaceAll(',', '')))
    expect(statSync(join(cwd, 'out.heapsnapshot')).mode & 0o777).toBe(0o600)
    expect(filesIn(cwd)).toEqual(['in.heapsnapshot', 'out.heapsnapshot'])
    const [before, after] = [stringsOf(real), stringsOf(read('out.heapsnapshot'))]
    expect(all).toBe(before.length)
    const changed = after.filter((text, i) => text !== before[i]).length - 1
    expect(redacted).toBeGreaterThanOrEqual(changed)
    // A token of one character is the same as its text, once in 64 times.
    expect(redacted! - changed).toBeLessThan(before.filter((text) => text.length === 1).length / 4)
  })

  test('takes a new key each time, unless it is given one', async () => {
    writeFileSync(join(cwd, 'key'), 'a key that is long enough\n')
    for (const args of [['a'], ['b'], ['c', '--key-file', 'key'], ['d', '--key-file', 'key']]) {
      expect((await runCli(['redact', 'in.heapsnapshot', ...args], { cwd })).code).toBe(0)
    }
    expect(read('a').equals(read('b'))).toBe(false)
    expect(read('c').equals(read('d'))).toBe(true)
    expect(stringsOf(read('a'))[0]).not.toBe(stringsOf(read('c'))[0])
  })

  test('reads and writes gzip, which every tool can unpack', async () => {
    writeFileSync(join(cwd, 'key'), 'a key that is long enough\n')
    writeFileSync(join(cwd, 'in.heapsnapshot.gz'), gzipSync(real, { level: 1 }))
    for (const [input, output] of [
      ['in.heapsnapshot', 'plain'],
      ['in.heapsnapshot.gz', 'from-packed'],
      ['in.heapsnapshot', 'out.heapsnapshot.gz'],
      ['out.heapsnapshot.gz', 'again.gz'],
    ]) {
      expect((await runCli(['redact', input!, output!, '--key-file', 'key'], { cwd })).code).toBe(0)
    }
    expect(read('from-packed').equals(read('plain'))).toBe(true)
    expect(gunzipSync(read('out.heapsnapshot.gz')).equals(read('plain'))).toBe(true)
    expect(read('out.heapsnapshot.gz').length).toBeLessThan(read('plain').length / 3)
    const { stdout } = await runCli(['analyze', 'out.heapsnapshot.gz', '--json'], { cwd })
    const { stdout: plain } = await runCli(['analyze', 'plain', '--json'], { cwd })
    expect(JSON.parse(stdout).heap).toEqual(JSON.parse(plain).heap)
  })

  test('leaves no file behind when the snapshot is cut off, damaged or none', async () => {
    const packed = gzipSync(real)
    const inputs: Record<string, Buffer | string> = {
      cut: real.subarray(0, real.length / 2),
      'cut-strings': real.subarray(0, real.length - 1000),
      'cut.gz': packed.subarray(0, packed.length / 2),
      text: 'hello\n',
      empty: '',
    }
    for (const [name, contents] of Object.entries(inputs)) {
      writeFileSync(join(cwd, name), contents)
      const { code, stdout, stderr } = await runCli(['redact', name, 'out'], { cwd })
      expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
      expect(stderr).toMatch(new RegExp(`^leakscope: ${name}:? .*\n  .+\n$`))
    }
    expect(filesIn(cwd)).toEqual([...Object.keys(inputs), 'in.heapsnapshot'].sort())
  })

  test('does not replace a file without --force, nor a folder with it', async () => {
    writeFileSync(join(cwd, 'out'), 'precious')
    mkdirSync(join(cwd, 'folder'))
    const taken = await runCli(['redact', 'in.heapsnapshot', 'out'], { cwd })
    expect(taken).toMatchObject({ code: 3, stderr: expect.stringContaining('out exists already') })
    expect(read('out').toString()).toBe('precious')
    expect((await runCli(['redact', 'in.heapsnapshot', 'folder', '--force'], { cwd })).code).toBe(3)
    expect((await runCli(['redact', 'in.heapsnapshot', 'out', '--force'], { cwd })).code).toBe(0)
    expect((await runCli(['redact', 'in.heapsnapshot', 'in.heapsnapshot', '--force'], { cwd })).code).toBe(0)
    expect(stringsOf(read('in.heapsnapshot'))[0]).toMatch(/^<redacted by leakscope/)
    expect(filesIn(cwd)).toEqual(['folder', 'in.heapsnapshot', 'out'])
  })

  test('says what is wrong with a key', async () => {
    writeFileSync(join(cwd, 'short'), 'hunter2')
    const missing = await runCli(['redact', 'in.heapsnapshot', 'out', '--key-file', 'nowhere'], { cwd })
    expect(missing).toMatchObject({ code: 3, stderr: expect.stringMatching(/nowhere: no such file\n.*\/dev\/urandom/) })
    const short = await runCli(['redact', 'in.heapsnapshot', 'out', '--key-file', 'short'], { cwd })
    expect(short).toMatchObject({ code: 2, stderr: expect.stringContaining('has 7 bytes, fewer than 16') })
    const folder = await runCli(['redact', 'in.heapsnapshot', 'out', '--key-file', '.'], { cwd })
    expect(folder).toMatchObject({ code: 3, stderr: expect.stringContaining('cannot be read') })
    expect(filesIn(cwd)).toEqual(['in.heapsnapshot', 'short'])
  })

  test.each(['out', 'out.gz'])('leaves nothing of %s after Ctrl-C', async (name) => {
    writeFileSync(join(cwd, 'big'), bigSnapshot())
    const running = startCli(['redact', 'big', name], { cwd })
    await until(() => filesIn(cwd).length > 2, 'the file to be begun')
    running.child.kill('SIGINT')
    expect(await running.done).toMatchObject({ code: 130, stdout: '' })
    expect(filesIn(cwd)).toEqual(['big', 'in.heapsnapshot'])
  })

  test.runIf(isRoot)('leaves nothing on a full disk, packed or not', async () => {
    const disk = temporaryFolder()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=300k', 'tmpfs', disk])
    try {
      for (const name of ['out', 'out.gz']) {
        const { code, stderr } = await runCli(['redact', 'in.heapsnapshot', join(disk, name)], { cwd })
        expect(code).toBe(3)
        expect(stderr).toMatch(/no space left for/)
        expect(filesIn(disk)).toEqual([])
      }
    } finally {
      execFileSync('umount', [disk])
    }
  })

  test('tells in --help what stays, and how two files can be compared', async () => {
    const { stdout } = await runCli(['redact', '--help'])
    expect(stdout).toMatch(/To compare them, give each run the same --key-file/)
    expect((await runCli(['snapshot', '--help'])).stdout).toMatch(/give each run the same --redact-key-file/)
  })

  test('needs not much more memory than two pieces, however large the file', async () => {
    writeFileSync(join(cwd, 'big'), bigSnapshot())
    const peak = (input: string) => {
      const measure = `process.on('exit', () => console.error(process.resourceUsage().maxRSS))`
      const args = ['--import', `data:text/javascript,${encodeURIComponent(measure)}`]
      return runCli(['redact', input, `${input}.out`], { cwd, env: { ...process.env, NODE_OPTIONS: args.join('=') } })
    }
    writeFileSync(join(cwd, 'small'), heapText({ nodes: [{ type: 'synthetic' }], edges: [] }))
    const [small, big] = [await peak('small'), await peak('big')]
    expect(Number(big.stderr) - Number(small.stderr)).toBeLessThan(64_000)
  })
})
