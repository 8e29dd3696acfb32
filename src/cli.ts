// Builds the program, runs it, and turns its outcome into an exit code: the only place that sets one.

import { Command, CommanderError, Help } from 'commander'
import { analyzeCommand } from './commands/analyze.ts'
import { checkCommand } from './commands/check.ts'
import { type Context, createContext } from './commands/context.ts'
import { diagnoseCommand } from './commands/diagnose.ts'
import { diffCommand } from './commands/diff.ts'
import { explainCommand } from './commands/explain.ts'
import { indexCommand } from './commands/index.ts'
import { memoryCommand } from './commands/memory.ts'
import { profileCommand } from './commands/profile.ts'
import { psCommand } from './commands/ps.ts'
import { redactCommand } from './commands/redact.ts'
import { snapshotCommand } from './commands/snapshot.ts'
import { topCommand } from './commands/top.ts'
import { trendCommand } from './commands/trend.ts'
import { watchCommand } from './commands/watch.ts'
import { LeakscopeError } from './errors.ts'
import { printable } from './support/format.ts'
import { toolVersion } from './support/version.ts'

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

  try {
    const context = createContext(abort.signal)
    await buildProgram(context).parseAsync([...argv])
    if (context.failed) process.exitCode = 1
  } catch (error) {
    process.exitCode = nobodyReads ? 0 : report(error)
  }
}

function buildProgram(context: Context): Command {
  const program = new Command('leakscope')
    .description('Tells what is leaking in a running Node.js process: what grows, who holds it, and from which line.')
    .version(toolVersion())
    .helpCommand(false)
    .showHelpAfterError('(leakscope --help shows what there is)')
  const commands = [
    psCommand,
    diagnoseCommand,
    snapshotCommand,
    profileCommand,
    diffCommand,
    analyzeCommand,
    topCommand,
    checkCommand,
    memoryCommand,
    watchCommand,
    trendCommand,
    explainCommand,
    redactCommand,
    indexCommand,
  ]
  for (const create of commands) program.addCommand(create(context))
  // commander exits by itself on a usage error unless each command is told to throw instead.
  for (const command of [program, ...program.commands, ...program.commands.flatMap((each) => each.commands)]) {
    command.exitOverride()
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
