// The fixture programs keep their promises: they start by themselves, the leaky ones grow, the others don't, and what is to blame is marked.

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, test } from 'vitest'
import { start, TARGET_NODE, temporaryFolder } from './support/target.ts'

const folder = fileURLToPath(new URL('../fixtures/programs/', import.meta.url))
const posix = process.platform !== 'win32'

interface Program {
  readonly file: string
  readonly shows?: string
  readonly holder?: string | null
  /** Null where no line of the program's is to blame. */
  readonly line?: null
}

const programs: Program[] = JSON.parse(readFileSync(join(folder, 'programs.json'), 'utf8'))
const files = programs.map(({ file }) => file)
const leaky = programs.filter(({ file }) => /\/leaky[-.]/.test(file))
const healthy = programs.filter((program) => !leaky.includes(program))

const source = (file: string) => readFileSync(join(folder, file), 'utf8')
const marks = (file: string, kind: string) => source(file).match(new RegExp(`// ${kind}: .*$`, 'gm')) ?? []

describe('the list of fixture programs', () => {
  it('has all programs that lie in the folders, but for the chat server, which has tests of its own', () => {
    const onDisk = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== 'chat-server')
      .flatMap(({ name }) => readdirSync(join(folder, name)).map((file) => `${name}/${file}`))
      .filter((file) => /\/(leaky|fixed|lookalike)[-.]/.test(file))
    expect(files.toSorted()).toEqual(onDisk.toSorted())
  })

  it('has a cure for each leak, and something healthy that looks like it', () => {
    for (const { file } of leaky) expect(files).toContain(file.replace('/leaky', '/fixed'))
    for (const pattern of new Set(files.map((file) => file.split('/')[0])))
      expect(
        files.some((file) => file.startsWith(`${pattern}/lookalike-`)),
        pattern,
      ).toBe(true)
  })

  it('is told of in the README', () => {
    const words = new Set(source('README.md').match(/`[^`\s]+`/g))
    // What fixed-… is, is said once for all.
    const told = files.filter((file) => !file.includes('/fixed')).flatMap((file) => file.split('/'))
    expect(told.filter((word) => !words.has(`\`${word}\``))).toEqual([])
  })
})

describe('the lines to blame', () => {
  test.each(leaky)('$file marks one, and what holds the leak', ({ file, holder, line }) => {
    expect(marks(file, 'LEAK')).toEqual(line === null ? [] : [`// LEAK: ${file.split('/')[0]}`])
    expect(marks(file, 'HOLDER')).toEqual(holder === null ? [] : [`// HOLDER: ${holder}`])
    const code = source(file).split('\n')
    const declaration = code.find((line) => line.endsWith(`// HOLDER: ${holder}`))
    if (holder !== null) expect(declaration).toMatch(new RegExp(`(^|\\W)${holder}\\W.*//`))
  })

  test.each(healthy)('$file marks none', ({ file }) => {
    expect([...marks(file, 'LEAK'), ...marks(file, 'HOLDER')]).toEqual([])
  })
})

// They use pipes, helpers and signals that are not had elsewhere.
describe.runIf(posix)('measured from within', () => {
  // All of them take minutes: node fixtures/programs/verify.mjs.
  it('of each pattern the first leaky one grows, steadily, and its cure does not', { timeout: 300_000 }, async () => {
    const first = [...new Map(leaky.toReversed().map(({ file }) => [file.split('/')[0], file])).values()]
    const some = first.flatMap((file) => [file, file.replace('/leaky', '/fixed')])
    const results = await verify('--seconds', '5', '--jobs', '20', ...some)
    expect(results.filter(({ problems }) => problems.length > 0).map(brief)).toEqual([])
    expect(results.map(({ file }) => file).toSorted()).toEqual(some.toSorted())
  })

  it('a program that does other than it should is noticed', async () => {
    const impostors = temporaryFolder()
    mkdirSync(join(impostors, 'pattern'))
    const idle = "console.log('ready ' + process.pid); setInterval(() => {}, 1000)"
    writeFileSync(join(impostors, 'pattern/leaky.mjs'), idle)
    cpSync(join(folder, 'string-retention/leaky.mjs'), join(impostors, 'pattern/fixed.mjs'))
    writeFileSync(join(impostors, 'pattern/lookalike-dead.mjs'), "console.error('out of luck'); process.exitCode = 3")
    const rows = [
      { file: 'pattern/leaky.mjs', shows: 'heapUsed' },
      { file: 'pattern/fixed.mjs' },
      { file: 'pattern/lookalike-dead.mjs' },
    ]
    writeFileSync(join(impostors, 'programs.json'), JSON.stringify(rows))
    const results = await verify('--seconds', '4', '--jobs', '3', '--folder', impostors)
    const problems = Object.fromEntries(results.map(({ file, problems }) => [file, problems.join('\n')]))
    expect(problems).toEqual({
      'pattern/leaky.mjs': expect.stringMatching(/^heapUsed gained only/),
      'pattern/fixed.mjs': expect.stringMatching(/^heapUsed gained \d+ in the last third$/),
      'pattern/lookalike-dead.mjs': expect.stringMatching(/^it ended by itself \(exit code 3\)\nout of luck/),
    })
  })

  it.each(['outbound-buffer-pileup/leaky.mjs', 'listener-leak/fixed.mjs', 'handle-leak/leaky-children.mjs'])(
    '%s takes its helpers along, even when it is killed',
    async (file) => {
      const program = start(TARGET_NODE, [join(folder, file)], { env: { ...process.env, NODE_OPTIONS: '' } })
      await once(program.stdout, 'data')
      program.kill('SIGKILL')
      // Its helpers have the same pipes, which close when the last of them has ended.
      await once(program, 'close')
    },
  )
})

interface Result {
  readonly file: string
  readonly problems: readonly string[]
}

const brief = ({ file, problems }: Result) => `${file}: ${problems.join('; ')}`

/** What verify.mjs has to say of each program; that it did not go well is for the caller to see in the results. */
function verify(...args: string[]): Promise<Result[]> {
  const all = [join(folder, 'verify.mjs'), '--json', '--node', TARGET_NODE, ...args]
  return new Promise((resolve, reject) => {
    execFile(process.execPath, all, { maxBuffer: 1e8 }, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') return reject(error)
      if (stderr !== '') return reject(new Error(stderr))
      resolve(
        stdout
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line)),
      )
    })
  })
}
