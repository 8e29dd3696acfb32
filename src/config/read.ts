// Reads a config file and says, where it is wrong, which key and what would be right.

import { existsSync, statSync } from 'node:fs'
import { dirname, extname, relative, resolve, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { z } from 'zod'
import { LeakscopeError } from '../errors.ts'
import { type FoundConfig, PACKAGE_KEY, readJson } from './find.ts'
import { nearest } from './nearest.ts'
import { type Config, ConfigSchema, SECTIONS, type Section } from './schema.ts'

export interface ReadConfig {
  /** As it is told: relative, where it is not far. */
  readonly file: string
  /** Absolute. */
  readonly folder: string
  /** Names of files in it are relative to `cwd`, or absolute. */
  readonly config: Config
}

export async function readConfig(found: FoundConfig, cwd: string, signal: AbortSignal): Promise<ReadConfig> {
  const { file, inPackage } = found
  const shown = near(file, cwd)
  const content = await load(found, shown, signal)
  const raw = inPackage ? (content as Record<string, unknown>)[PACKAGE_KEY] : content
  const config = check(raw, inPackage ? `${shown}, "${PACKAGE_KEY}"` : shown)
  const folder = dirname(file)
  return { file: shown, folder, config: withPaths(config, (path) => near(resolve(folder, path), cwd)) }
}

/** A path below `cwd` is told from there. */
function near(path: string, cwd: string): string {
  const short = relative(cwd, path)
  return short === '' || short.startsWith(`..${sep}`) || short === '..' || resolve(short) === short ? path : short
}

function withPaths(config: Config, move: (path: string) => string): Config {
  const { check = {}, diagnose = {}, diff = {}, snapshot = {} } = config
  const moved = <T extends object>(section: T): T =>
    Object.fromEntries(Object.entries(section).map(([key, value]) => [key, movedValue(key, value)])) as T
  function movedValue(key: string, value: unknown): unknown {
    if (PATHS.has(key)) return move(value as string)
    if (key !== 'format') return value
    return (value as string[]).map((wish) => wish.replace(/(?<==).+$/s, move))
  }
  return { check: moved(check), diagnose: moved(diagnose), diff: moved(diff), snapshot: moved(snapshot) }
}

const PATHS = new Set(['script', 'output', 'baseline', 'redactKeyFile'])

async function load({ file }: FoundConfig, shown: string, signal: AbortSignal): Promise<unknown> {
  if (!existsSync(file)) throw new LeakscopeError('usage-config', `${shown}: no such file`)
  if (statSync(file).isDirectory()) throw new LeakscopeError('usage-config', `${shown} is a folder`)
  const ending = extname(file)
  if (ending === '.json') return readJson(file)
  if (/^\.[cm]?ts$/.test(ending) && !(process.features as { typescript?: unknown }).typescript) {
    throw new LeakscopeError(
      'usage-config',
      `${shown} is TypeScript, which Node reads by itself from 22.18 on; this is ${process.version}`,
      {
        hint: "Call it .mjs, with /** @type {import('leakscope/config').Config} */ for its types, or use a newer Node.",
      },
    )
  }
  let module: { readonly default?: unknown }
  try {
    module = await Promise.race([import(pathToFileURL(file).href), aborted(signal)])
  } catch (cause) {
    signal.throwIfAborted()
    throw new LeakscopeError('usage-config', `${shown} cannot be run: ${said(cause)}`, {
      cause,
      // V8 tells the line to nobody but who prints it.
      ...(cause instanceof SyntaxError && { hint: `node --check ${shown} shows the line.` }),
    })
  }
  if (module.default !== undefined) return module.default
  throw new LeakscopeError('usage-config', `${shown} exports no config`, {
    hint: "export default { check: { script: 'scenario.mjs' } }",
  })
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}

/** With the line of the user's where it was thrown. */
function said(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const place = /^ +at (?:.*\()?file:\/\/(\S+:\d+):\d+\)?$/m.exec(error.stack ?? '')?.[1]
  return place ? `${error.message} (${place})` : error.message
}

/** What was not understood, and no more: the rest of the messages is for later. */
const MOST_ISSUES = 3

function check(raw: unknown, shown: string): Config {
  const result = ConfigSchema.safeParse(raw)
  if (result.success) {
    const { load, script } = result.data.check ?? {}
    if (load === undefined || script === undefined) return result.data
    throw new LeakscopeError('usage-config', `${shown}: check.load and check.script cannot both do the work`)
  }
  const told = result.error.issues.flatMap((issue) => tell(issue, raw))
  const more = told.length > MOST_ISSUES ? `; and ${told.length - MOST_ISSUES} more` : ''
  throw new LeakscopeError('usage-config', `${shown}: ${told.slice(0, MOST_ISSUES).join('; ')}${more}`, {
    cause: result.error,
  })
}

function tell(issue: z.core.$ZodIssue, raw: unknown): string[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(issue.path, key))
  const given = issue.path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown>)[key], raw)
  const instead = given === undefined ? 'undefined' : (JSON.stringify(given) ?? String(given))
  const name = issue.path.reduce<string>(
    (path, key) => (typeof key === 'number' ? `${path}[${key}]` : path === '' ? String(key) : `${path}.${String(key)}`),
    '',
  )
  return [`${name || 'it'} takes ${issue.message}, not ${instead.length > 60 ? `${instead.slice(0, 59)}…` : instead}`]
}

function unknownKey(path: readonly PropertyKey[], key: string): string {
  const [section] = path as [Section | undefined]
  const within = (of: Section) => Object.keys(SECTIONS[of].shape)
  const here = section === undefined ? Object.keys(ConfigSchema.shape) : within(section)
  const name = section === undefined ? key : `${section}.${key}`
  const meant = nearest(key, here)
  if (meant) return `there is no ${name}; the nearest is ${section === undefined ? meant : `${section}.${meant}`}`
  const elsewhere = (Object.keys(SECTIONS) as Section[]).find((it) => it !== section && within(it).includes(key))
  if (elsewhere) return `there is no ${name}; it belongs in ${elsewhere}, as ${elsewhere}.${key}`
  return `there is no ${name}; there are ${here.join(', ')}`
}
