// Gives a command what the config file says of its options, where the command line says nothing.

import { statSync } from 'node:fs'
import { basename, extname, resolve } from 'node:path'
import type { Command } from 'commander'
import { type FoundConfig, findConfig } from '../../config/find.ts'
import type { Section } from '../../config/schema.ts'
import { LeakscopeError } from '../../errors.ts'
import type { Context } from './context.ts'
import { type FormatWish, FROM_CONFIG } from './options.ts'

/** Runs before the action of a command that takes `--config`. */
export async function configure(context: Context, command: Command): Promise<void> {
  const { config: named } = command.opts<{ config?: string | false }>()
  if (named === false) return
  const cwd = process.cwd()
  const found = named === undefined ? findConfig(cwd) : namedConfig(named)
  if (!found) return
  const section = command.name() as Section
  const runsTheProject = section === 'check' && command.getOptionValueSource('pid') === undefined
  if (named === undefined && !runsTheProject) requireOurs(found)
  if (extname(found.file) !== '.json') context.endAtOnce()
  const { readConfig } = await import('../../config/read.ts')
  const { file, folder, config } = await readConfig(found, cwd, context.signal)
  for (const [key, value] of Object.entries(config[section] ?? {})) {
    if (isGiven(command, key)) continue
    command.setOptionValueWithSource(key, parse(command, key, value, `${file}: ${section}.${key}`), FROM_CONFIG)
  }
  command.setOptionValueWithSource('configFolder', folder, FROM_CONFIG)
}

const namedConfig = (name: string): FoundConfig => ({
  file: resolve(name),
  inPackage: basename(name) === 'package.json',
})

/**
 * `check` runs what is in the folder anyway. The others may be run anywhere, by root above all: a config that somebody
 * has left there could run their code, or have reports written over any file.
 */
function requireOurs({ file }: FoundConfig): void {
  const uid = process.getuid?.()
  const owner = statSync(file).uid
  if (uid === undefined || owner === uid || owner === 0) return
  throw new LeakscopeError('usage-config', `${file} is another user's, so we do not go by it`, {
    hint: `--config ${file} goes by it all the same; --no-config does without.`,
  })
}

/** One of these on the command line stands for all of them. */
const EITHER = ['load', 'script']

function isGiven(command: Command, key: string): boolean {
  const given = (name: string) => command.getOptionValueSource(name) === 'cli'
  if (key === 'format') return false
  return given(key) || (EITHER.includes(key) && EITHER.some(given))
}

/** As if it had been said on the command line. */
function parse(command: Command, key: string, value: unknown, where: string): unknown {
  const option = command.options.find((it) => it.attributeName() === key && !it.negate)
  if (!option?.parseArg || option.isBoolean()) return value
  try {
    if (key !== 'format') return option.parseArg(`${value}`, undefined)
    const wishes = (value as string[]).reduce<unknown>((all, text) => option.parseArg!(text, all), [])
    return besideGiven(command, wishes as FormatWish[])
  } catch (cause) {
    if (!(cause instanceof LeakscopeError)) throw cause
    throw new LeakscopeError('usage-config', `${where}: ${cause.message}`, { cause })
  }
}

/** The formats of the file go where it says, unless the command line wants one of them elsewhere, or another one there. */
function besideGiven(command: Command, wishes: readonly FormatWish[]): FormatWish[] {
  const { format, json = false } = command.opts<{ format: FormatWish[]; json?: true }>()
  const toStdout = json || format.some(({ file }) => file === undefined)
  const kept = wishes.filter(
    (wish) => !format.some((it) => it.format === wish.format) && !(toStdout && wish.file === undefined),
  )
  return [...kept, ...format]
}
