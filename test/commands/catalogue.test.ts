import { expect, it } from 'vitest'
import { COMMANDS } from '../../src/commands/catalogue.ts'
import { createContext } from '../../src/commands/common/context.ts'

it.each(Object.keys(COMMANDS))('lists %s with what it takes', async (name) => {
  const { takes, load } = COMMANDS[name]!
  const command = (await load())(createContext(new AbortController().signal))
  const subcommands = command.commands.map((each) => each.name())
  const args = command.registeredArguments.map((each) => {
    const shown = `${each.name()}${each.variadic ? '...' : ''}`
    return each.required ? `<${shown}>` : `[${shown}]`
  })

  expect(command.name()).toBe(name)
  expect(subcommands.length > 0 ? `<${subcommands.join('|')}>` : args.join(' ')).toBe(takes)
})
