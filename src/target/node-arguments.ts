// What Node was told at its start, as far as its command line and NODE_OPTIONS tell.

import { basename } from 'node:path'

export const DEFAULT_INSPECTOR_PORT = 9229

const PORT_OPTION = /^--(?:inspect|inspect-brk|inspect-wait|inspect-port|debug-port)(?:=(.*))?$/

/**
 * NODE_OPTIONS first, since the command line has the last word; the program's own arguments are there as well, for where
 * Node's end cannot be told without knowing every option. Undefined when the command line is not the one that Node was
 * started with: setting `process.title` writes over it.
 */
export function argumentsOf(
  command: readonly string[],
  executable: string,
  nodeOptions: string | undefined,
): string[] | undefined {
  const name = basename(command[0] ?? '')
  if (name !== basename(executable.replace(/ \(deleted\)$/, '')) && name !== 'node' && name !== 'nodejs')
    return undefined
  return [...(nodeOptions?.split(/\s+/) ?? []), ...command.slice(1)]
}

/** The port that a process with these arguments opens its inspector on; 0 for any. */
export function inspectorPortOf(args: readonly string[]): number {
  let port = DEFAULT_INSPECTOR_PORT
  for (const [i, arg] of args.entries()) {
    const match = PORT_OPTION.exec(arg)
    if (!match) continue
    const value = match[1] ?? (arg.endsWith('-port') ? args[i + 1] : undefined)
    const digits = /^(?:.*:)?(\d+)$/.exec(value ?? '')?.[1]
    if (digits !== undefined) port = Number(digits)
  }
  return port
}

/** The option by which Node was told not to open its inspector on SIGUSR1. */
export function refusalOf(args: readonly string[]): '--disable-sigusr1' | '--permission' | undefined {
  if (args.includes('--disable-sigusr1')) return '--disable-sigusr1'
  const restricted = args.includes('--permission') || args.includes('--experimental-permission')
  return restricted && !args.includes('--allow-inspector') ? '--permission' : undefined
}
