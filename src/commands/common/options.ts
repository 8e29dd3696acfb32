// Parsers of option values that several commands share; each refuses what it does not understand.

import { type Command, Option } from 'commander'
import { LeakscopeError } from '../../errors.ts'
import { FAIL_ON, type FailOn } from '../../findings/fail-on.ts'
import { FORMAT_NAMES, type FormatName } from '../../report/format-names.ts'
import { DURATION, SIZE } from '../../support/format.ts'
import { GROUP } from './help-text.ts'
import { WAYS } from './ways.ts'

/** A whole number from 1; commander passes the raw text. */
export function positiveInteger(name: string): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new LeakscopeError('usage-invalid', `${name} takes a whole number from 1, not '${text}'`)
    }
    return value
  }
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 }
const MAX_DURATION_MS = 24 * UNIT_MS.h!

/** A duration such as `500ms`, `10s` (or just `10`), `2min` or `1h`, up to a day; in milliseconds. */
export function duration(name: string): (text: string) => number {
  return (text) => {
    const [, number, unit = 's'] = DURATION.exec(text) ?? []
    const ms = Number(number) * UNIT_MS[unit]!
    if (ms > MAX_DURATION_MS)
      throw new LeakscopeError('usage-invalid', `${name} takes a day (24h) at most, not '${text}'`)
    if (!(ms > 0)) {
      throw new LeakscopeError(
        'usage-invalid',
        `${name} takes a duration such as 500ms, 10s, 2min or 1h, not '${text}'`,
      )
    }
    return ms
  }
}

const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
}

/** A size such as `512MB` or `1.5GiB`, in bytes; Kubernetes' `512Mi` is understood as well. */
export function size(name: string): (text: string) => number {
  return (text) => {
    const [, number, unit = ''] = SIZE.exec(text) ?? []
    const bytes = Number(number) * UNIT_BYTES[unit.toUpperCase().replace(/I$/, 'IB')]!
    if (!(bytes > 0)) {
      throw new LeakscopeError('usage-invalid', `${name} takes a size such as 512MB or 1.5GiB, not '${text}'`)
    }
    return Math.round(bytes)
  }
}

/** Whose heap: the main thread's, every one, or that of the worker with this thread id. */
export type IsolateChoice = 'main' | 'all' | number

export function isolateChoice(name: string): (text: string) => IsolateChoice {
  return (text) => {
    if (text === 'main' || text === 'all') return text
    const threadId = Number(/^worker:([1-9]\d*)$/.exec(text)?.[1])
    if (!Number.isSafeInteger(threadId)) {
      throw new LeakscopeError('usage-invalid', `${name} takes main, all, or worker:3 for thread 3, not '${text}'`)
    }
    return threadId
  }
}

/** What every `<target>` may be. */
export const TARGET =
  'a pid (see `leakscope ps`), host:port or ws:// URL of an open inspector, or unix:<socket> of leakscope/agent'

export const waitOption = (): Option =>
  new Option(
    '--wait [time]',
    'if another process uses the port of the inspector, wait until it is free (without a time: 10min)',
  ).argParser(duration('--wait'))

/**
 * @param preset which way is taken where none is asked for
 * @param more what may be asked for besides, with a sentence for each
 */
export const viaOption = (preset: string, when = '', more: Readonly<Record<string, string>> = {}): Option =>
  new Option(
    '--via <way>',
    `${when}inspector: V8 writes the heap; outside: leakscope reads it from the memory of the process, which does nothing for it; agent: V8 writes it, asked by leakscope's agent in the process;${Object.entries(
      more,
    )
      .map(([name, sentence]) => ` ${name}: ${sentence};`)
      .join('')} (default: ${preset})`.replace('; (', ' ('),
  ).choices([...WAYS, ...Object.keys(more)])

export const OUTSIDE_FIRST = 'outside for a pid of this machine, or inspector where that is not possible'
export const INSPECTOR_FIRST = 'inspector, or outside where the inspector costs too much'

export const memoryLimitOption = (): Option =>
  new Option(
    '--memory-limit <size>',
    'refuse if the process may then use more memory than this, such as 512MB (default: the limit of its cgroup)',
  ).argParser(size('--memory-limit'))

export const failOnOption = (preset: FailOn = 'never'): Option =>
  new Option('--fail-on <severity>', 'exit with code 1 if there is a finding of this severity or a higher one')
    .choices(FAIL_ON)
    .default(preset)

/** An output format, and the file that it goes to; to standard output where there is none. */
export interface FormatWish {
  readonly format: FormatName
  readonly file: string | undefined
}

export const formatOption = (): Option =>
  new Option(
    '--format <name[=file]>',
    `${FORMAT_NAMES.join(', ')}; with =file it goes to that file, which is replaced; may be repeated`,
  )
    .default([], 'terminal')
    .argParser((text: string, earlier: readonly FormatWish[]) => [...earlier, formatWish(text)])

function formatWish(text: string): FormatWish {
  const [, name = '', file] = /^([^=]*)(?:=(.*))?$/s.exec(text) ?? []
  const format = FORMAT_NAMES.find((it) => it === name)
  if (!format || file === '') {
    const problem = format ? `--format ${format}= lacks the name of a file` : `there is no format called '${name}'`
    throw new LeakscopeError('usage-invalid', problem, {
      hint: `There are ${FORMAT_NAMES.join(', ')}; --format sarif=out.sarif writes one to a file.`,
    })
  }
  return { format, file }
}

/** The file of a baseline, where a command takes one. */
export const DEFAULT_BASELINE = 'leakscope.baseline.json'

export const baselineOptions = (): Option[] => [
  new Option(
    '--baseline <file>',
    'compare with the known findings in this file: only new ones count for the exit code',
  ),
  new Option(
    '--update-baseline',
    `write the findings to the baseline file: from then on they are known (default: ${DEFAULT_BASELINE})`,
  ),
]

/** Where commander says that a value is from. */
export const FROM_CONFIG = 'config'

export const isConfigured = (command: Command, key: string): boolean =>
  command.getOptionValueSource(key) === FROM_CONFIG

export const takesConfig = (command: Command): boolean => command.options.some(({ long }) => long === '--config')

/** Adds `--config`, and for each switch its opposite, so that the command line has the last word. */
export function withConfig(command: Command): Command {
  for (const { long, negate } of command.options.filter((it) => it.isBoolean() || it.negate)) {
    command.addOption(new Option(negate ? long!.replace('--no-', '--') : long!.replace('--', '--no-')).hideHelp())
  }
  return command
    .optionsGroup(GROUP.config)
    .option(
      '--config <file>',
      'read options from this file; the command line wins (default: leakscope.config.json, .js, .mjs or .ts, or the key "leakscope" in package.json)',
    )
    .option('--no-config', 'read no config file')
}
