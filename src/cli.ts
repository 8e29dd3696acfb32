// Builds the program, runs it, and turns its outcome into an exit code: the only place that sets one.

import { Command, CommanderError, Help } from 'commander'
import { COMMANDS } from './commands/catalogue.ts'
import { type Context, createContext } from './commands/common/context.ts'
import { examples } from './commands/common/help-text.ts'
import { LeakscopeError } from './errors.ts'
import { printable } from './support/format.ts'
import { toolVersion } from './support/version.ts'

const help = `${examples(
  ['leakscope ps', 'which Node.js processes are there?'],
  ['leakscope diagnose 4242', 'what leaks in process 4242? nothing has to be prepared, and it keeps running'],
  ['leakscope explain listener-leak', 'what is that, and how is it fixed?'],
)}

Exit codes: 0 fine; 1 there are findings (with --fail-on) or a check failed;
2 a mistake in the command line or the config; 3 a process or file could not be
read, or the price was too high; 130 after Ctrl-C.`

/** Runs the command line in `argv` (as `process.argv`) and sets `process.exitCode`. */
export async function main(argv: readonly string[]): Promise<void> {
  const abort = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // The first one lets the command clean up behind itself; whoever asks twice wants out now. Of a terminal that is
      // closed, the shell tells as well as the system.
      if (abort.signal.aborted && signal !== 'SIGHUP') process.exit(130)
      abort.abort(new LeakscopeError('cancelled', `stopped by ${signal}`))
    })
  }
  // A reader that has seen enough (`leakscope ps | head -1`) is no error, nor is a terminal that was closed. Nobody is
  // there to be told anything any more, but what was begun has to be put in order all the same.
  let nobodyReads = false
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
      nobodyReads = true
      abort.abort(new LeakscopeError('cancelled', 'nobody reads what is printed'))
    })
  }

  const context = createContext(abort.signal)
  try {
    const program = await buildProgram(
      context,
      argv.slice(2).find((argument) => !argument.startsWith('-')),
    )
    await program.parseAsync([...argv])
    if (context.failed) process.exitCode = 1
  } catch (error) {
    process.exitCode = nobodyReads ? 0 : report(error)
  }
  // What was written is still on its way.
  if (context.endsAtOnce) process.stdout.write('', () => process.stderr.write('', () => process.exit()))
}

/** The command called `wanted` is whole; of the others there is what a list of them needs, so that nothing more is loaded. */
async function buildProgram(context: Context, wanted: string | undefined): Promise<Command> {
  const program = new Command('leakscope')
    .description(
      'Says what is leaking in a running Node.js process: what grows, who holds it, and which line is behind it.',
    )
    .version(toolVersion(), '-V, --version', 'print the version')
    .addHelpText('after', help)
    .helpCommand(false)
    .showHelpAfterError('(leakscope --help shows what there is)')
    .hook('preAction', async (_, command) => {
      const { takesConfig } = await import('./commands/common/options.ts')
      if (takesConfig(command)) await (await import('./commands/common/configured.ts')).configure(context, command)
    })
  for (const [name, { group, summary, takes, load }] of Object.entries(COMMANDS)) {
    const command = name === wanted ? (await load())(context) : new Command(name)
    if (name !== wanted && takes) command.arguments(takes)
    program.addCommand(command.description(summary).helpGroup(group))
  }
  // commander exits by itself on a usage error unless each command is told to throw instead.
  for (const command of [program, ...program.commands, ...program.commands.flatMap((each) => each.commands)]) {
    command
      .exitOverride()
      .helpOption(
        '-h, --help',
        command === program ? 'print this help; `leakscope <command> --help` has the options' : 'print this help',
      )
    command.configureHelp({
      // commander adds the value that a default has in the program; where ours is told in words, that is enough.
      optionDescription: (option) =>
        option.description.includes('(default: ') ? option.description : Help.prototype.optionDescription(option),
    })
  }
  return program
}

/** Says what went wrong on standard error; returns the exit code for it. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof LeakscopeError) {
    process.stderr.write(`leakscope: ${printable(error.message)}\n`)
    if (error.hint) process.stderr.write(`  ${printable(error.hint)}\n`)
    return error.exitCode
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.stderr.write(`leakscope: this is a bug in leakscope, please report it\n${text}\n`)
  return 3
}
