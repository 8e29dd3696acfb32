// README.md and docs/ say what is so, as far as that can be seen without running anything long.

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { COMMANDS } from '../../src/commands/catalogue.ts'
import { listPatterns } from '../../src/detectors/texts.ts'
import { type ErrorCode, LeakscopeError } from '../../src/errors.ts'
import { commandCalled, parseCommandLine } from '../support/command-line.ts'
import { runCli } from '../support/target.ts'
import { pages, readPage, renewed, shownIn } from './markers.mjs'

const texts = new Map(pages().map((page) => [page, readPage(page)]))
const readme = texts.get('README.md')!
const shown = [...texts].flatMap(([page, text]) => shownIn(text).map((each) => ({ page, ...each })))
/** The page without what `npm run docs` writes. */
const written = (text: string): string => renewed(text, () => '')

/** Options of other programs that the pages name. */
const OTHERS = ['abort-on-uncaught-exception', 'disable-sigusr1', 'permission', 'require', 'import', 'inspect']
  .concat(['max-old-space-size', 'ulimit', 'inspect-port', 'allow-inspector', 'allow-fs-write', 'allow-net'])
  .concat(['rivals', 'profiles', 'flakes', 'generated', 'healthy', 'seed'])

test('the pages have outputs to show', () => {
  expect(texts.size).toBeGreaterThan(6)
  expect(shown.length).toBeGreaterThan(20)
})

test.each(shown)('what $page shows of $name is an output, from nowhere in particular', ({ name, output }) => {
  expect(output).toMatch(name.startsWith('help') ? /^Usage: / : name === 'vitest' ? /^Error: / : /^\$ /)
  expect(output).not.toMatch(/\/tmp\/|\/home\/(?!you\/app)|\/root\//)
})

const alwaysTheSame = shown.filter(({ name }) => /^help|^explain/.test(name))
test.each(alwaysTheSame)('$name is on $page as the program prints it now (npm run docs)', async ({ name, output }) => {
  const { stdout } = await runCli(name === 'explain' ? ['explain'] : [name.slice('help '.length), '--help'])
  expect(output.replace(/^\$ .*\n/, '')).toBe(stdout.trimEnd())
})

test('every command has its help on a page, and its name in the README', () => {
  const simple = ['ps', 'explain', 'index']
  const told = shown.map(({ name }) => name)
  for (const name of Object.keys(COMMANDS)) {
    expect(readme).toMatch(new RegExp(`\\*\\*\`leakscope ${name}\\b`))
    if (!simple.includes(name)) expect(told).toContain(`help ${name}`)
  }
})

test('the table of patterns has each pattern once, and their number is right', () => {
  const rows = [...readme.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, pattern]) => pattern)
  expect(rows.toSorted()).toEqual(
    listPatterns()
      .map(({ id }) => id)
      .toSorted(),
  )
  expect(readme).toContain(`[${rows.length} patterns]`)
})

test('the exit codes are those of the program', async () => {
  const codes: ErrorCode[] = ['usage-invalid', 'usage-config', 'target-not-found', 'price-too-high', 'cancelled']
  const ofErrors = codes.map((code) => new LeakscopeError(code, '').exitCode)
  const paragraph = /^\*\*Exit codes\.\*\* (.*)$/m.exec(readme)![1]!
  const told = [...paragraph.matchAll(/\b(\d+):/g)].map(([, code]) => Number(code))
  const inHelp = /Exit codes: ([\s\S]*?)\.\n/.exec((await runCli(['--help'])).stdout)![1]!
  expect(told).toEqual([...new Set([0, 1, ...ofErrors])].toSorted((a, b) => a - b))
  expect([...` ${inHelp}`.matchAll(/(?:^|[;\s])(\d+) /g)].map(([, code]) => Number(code))).toEqual(told)
})

test('every option that a page names exists', async () => {
  const commands = await Promise.all(Object.keys(COMMANDS).map(commandCalled))
  const known = new Set([
    ...commands.flatMap(({ options }) => options.map(({ long }) => long!.slice(2))),
    ...['help', 'version'],
  ])
  const wrong = [...texts].flatMap(([page, text]) =>
    [...written(text).matchAll(/(?<![\w-])--([a-z][a-z0-9-]*)/g)]
      .map(([, option]) => option!)
      .filter((option) => !known.has(option) && !OTHERS.includes(option))
      .map((option) => `${page}: --${option}`),
  )
  expect(wrong).toEqual([])
})

test('every command line in a code block is one that the command takes', async () => {
  const blocks = (text: string) =>
    [...written(text).matchAll(/^```\n([\s\S]*?)^```$/gm)].map(([, block]) => block).join('')
  const lines = [...texts].flatMap(([page, text]) =>
    [...blocks(text).matchAll(/^(?:\$ )?(?:npx )?leakscope (.+)$/gm)].flatMap(([, words]) =>
      // What stands behind is a comment.
      words!
        .replace(/ {3,}.*$| +# .*$/, '')
        .split(' && leakscope ')
        .map((line) => ({ page, line })),
    ),
  )
  expect(lines.length).toBeGreaterThan(12)
  for (const { page, line } of lines) {
    await parseCommandLine(line).catch((error: Error) => expect.fail(`${page}: ${line}: ${error.message}`))
  }
})

test('links lead to files, and to headings that are there', () => {
  const anchors = (page: string) =>
    [...(texts.get(page) ?? '').matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replace(/[^\w\s-]/g, '')
        .replaceAll(' ', '-'),
    )
  const wrong = [...texts].flatMap(([page, text]) =>
    [...written(text).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)]+))?\)/g)]
      .filter(([, file, anchor]) => {
        const path = file === '' ? page : join(dirname(page), file!)
        return !existsSync(path) || (anchor !== undefined && !anchors(path).includes(anchor))
      })
      .map(([link]) => `${page}: ${link}`),
  )
  expect(wrong).toEqual([])
})
