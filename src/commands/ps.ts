// `leakscope ps`: the Node processes of this machine.

import { Command } from 'commander'
import { formatBytes, formatDuration, printable } from '../support/format.ts'
import type { InspectorState, NodeProcess } from '../target/processes.ts'
import type { Context } from './context.ts'

export function psCommand(context: Context): Command {
  return new Command('ps')
    .description('list the Node processes on this machine')
    .option('--json', 'as JSON on standard output')
    .action((options: { json?: true }) => run(context, options.json ?? false))
}

async function run(context: Context, json: boolean): Promise<void> {
  const { listNodeProcesses } = await import('../target/processes.ts')
  const processes = await listNodeProcesses()
  if (json) context.out(JSON.stringify({ schemaVersion: 1, command: 'ps', processes: processes.map(toJson) }, null, 2))
  else if (processes.length === 0)
    context.out('No Node processes are running on this machine, or none that we may see.')
  else context.out(await renderTable(context, processes))
}

function toJson(it: NodeProcess) {
  return {
    pid: it.pid,
    nodeVersion: it.nodeVersion ?? null,
    rssBytes: it.rssBytes,
    ageMs: Math.round(it.ageMs),
    uid: it.uid ?? null,
    state: it.state,
    inspector: it.inspector,
    command: it.command,
  }
}

const COLUMNS = ['PID', 'NODE', 'RSS', 'AGE', 'INSPECTOR', 'COMMAND']
const GAP = 2

async function renderTable(context: Context, processes: readonly NodeProcess[]): Promise<string> {
  const { default: Table } = await import('cli-table3')
  const rows = processes.map((it) => [
    String(it.pid),
    it.nodeVersion ?? '?',
    formatBytes(it.rssBytes),
    formatDuration(it.ageMs),
    describeInspector(it),
  ])
  const taken = COLUMNS.slice(0, -1).map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)))
  const left = context.width - taken.reduce((sum, width) => sum + width + GAP, 0)
  const table = new Table({
    head: COLUMNS.map((title) => context.color.dim(title)),
    colAligns: ['right', 'left', 'right', 'right', 'left', 'left'],
    chars: NO_LINES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  for (const [i, it] of processes.entries()) {
    const command = cut(printable(it.command.join(' ')), Math.max(20, left))
    const inspector = it.inspector.state === 'open' ? context.color.yellow(rows[i]![4]!) : rows[i]![4]!
    table.push([...rows[i]!.slice(0, 4), inspector, command])
  }
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

const NO_LINES = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right']
    .concat(['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'])
    .map((name) => [name, ''])
    .concat([['middle', ' '.repeat(GAP)]]),
)

function describeInspector({ inspector, state }: NodeProcess): string {
  if (inspector.state === 'open') return describeAddress(inspector)
  if (state === 'stopped') return 'stopped'
  return { closed: 'closed', disabled: 'disabled', unknown: '?' }[inspector.state]
}

/** The port is enough, unless others than this machine can reach it. */
function describeAddress({ host, port }: Extract<InspectorState, { state: 'open' }>): string {
  return host === '127.0.0.1' || host === '::1' ? `open :${port}` : `open ${host}:${port}`
}

function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text
}
