// What a newcomer reads first: the help of the program and of its commands.

import { describe, expect, it, test } from 'vitest'
import { COMMANDS } from '../../src/commands/catalogue.ts'
import { parseCommandLine } from '../support/command-line.ts'
import { runCli } from '../support/target.ts'

const WITH_EXAMPLES = ['', 'diagnose', 'snapshot', 'diff', 'check', 'watch', 'profile', 'memory']

const helpOf = async (name: string): Promise<string> =>
  (await runCli([...(name ? [name] : []), '--help'], { env: { ...process.env, COLUMNS: '80' } })).stdout

test('lists the commands in groups, each command once', async () => {
  const help = await helpOf('')
  const groups = [...new Set(Object.values(COMMANDS).map(({ group }) => group))]
  const places = groups.map((group) => help.indexOf(`\n${group}\n`))
  expect(groups).toHaveLength(6)
  expect(places).toEqual(places.toSorted((a, b) => a - b))
  expect(places[0]).toBeGreaterThan(0)
  for (const name of Object.keys(COMMANDS)) expect(help.match(new RegExp(`^ {2}${name}\\b`, 'gm'))).toHaveLength(1)
  expect(help).not.toMatch(/^Commands:/m)
})

describe.each(WITH_EXAMPLES)('the help of leakscope %s', (name) => {
  it('ends with examples that the commands accept', async () => {
    const help = await helpOf(name)
    const examples = [...help.slice(help.indexOf('\nExamples:\n')).matchAll(/^ {2}leakscope (.+)$/gm)]
    expect(examples.length).toBeGreaterThanOrEqual(2)
    for (const [, words] of examples) await parseCommandLine(words!)
  })
})
