// A command line that a text shows, read by the command itself.

import { Command } from 'commander'
import { COMMANDS } from '../../src/commands/catalogue.ts'
import { createContext } from '../../src/commands/common/context.ts'

const context = createContext(new AbortController().signal)

/** The command with its arguments and options, without what it does. */
export async function commandCalled(name: string): Promise<Command> {
  const command = (await COMMANDS[name]!.load())(context)
  for (const each of [command, ...command.commands]) each.exitOverride().action(() => {})
  return command
}

/** Throws where `words`, which stand behind `leakscope`, are not what the command takes. */
export async function parseCommandLine(words: string): Promise<void> {
  const [name, ...args] = words.match(/'[^']*'|\S+/g)!.map((word) => word.replace(/^'|'$/g, ''))
  if (!COMMANDS[name!]) throw new Error(`there is no command ${name}`)
  // Only a file that exists is taken for a core file.
  const there = args.map((arg) => (arg.startsWith('core.') ? 'package.json' : arg))
  await new Command().addCommand(await commandCalled(name!)).parseAsync([name!, ...there], { from: 'user' })
}
