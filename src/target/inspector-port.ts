// The port that a Node process will open its inspector on, as far as its command line tells.

import { basename } from 'node:path'

export const DEFAULT_INSPECTOR_PORT = 9229

const OPTION = /^--(?:inspect|inspect-brk|inspect-wait|inspect-port|debug-port)(?:=(.*))?$/

/**
 * Undefined when the command line is not the one that Node was started with: setting `process.title` writes over it.
 * The program's own arguments are read as well, for where Node's end cannot be told without knowing every option.
 */
export function inspectorPortOf(
  command: readonly string[],
  executable: string,
  nodeOptions: string | undefined,
): number | undefined {
  const name = basename(command[0] ?? '')
  if (name !== basename(executable.replace(/ \(deleted\)$/, '')) && name !== 'node' && name !== 'nodejs')
    return undefined
  let port = DEFAULT_INSPECTOR_PORT
  // The command line has the last word over NODE_OPTIONS.
  const args = [...(nodeOptions?.split(/\s+/) ?? []), ...command.slice(1)]
  for (const [i, arg] of args.entries()) {
    const match = OPTION.exec(arg)
    if (!match) continue
    const value = match[1] ?? (arg.endsWith('-port') ? args[i + 1] : undefined)
    const digits = /^(?:.*:)?(\d+)$/.exec(value ?? '')?.[1]
    if (digits !== undefined) port = Number(digits)
  }
  return port
}
