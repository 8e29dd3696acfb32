// `leakscope ps`: the Node processes of this machine.

import { Command } from 'commander'
import { formatBytes, formatDuration, printable } from '../support/format.ts'
import type { InspectorState, NodeProcess } from '../target/processes.ts'
import type { Context } from './common/context.ts'

export function psCommand(context: Context): Command {
  return new Command('ps')
    .option('--json', 'print JSON')
    .action((options: { json?: true }) => run(context, options.json ?? false))
}

async function run(context: Context, json: boolean): Promise<void> {
  const { listNodeProcesses } = await import('../target/processes.ts')
  const processes = await listNodeProcesses()
  if (json) context.out(JSON.stringify({ schemaVersion: 1, command: 'ps', processes: processes.map(toJson) }, null, 2))
  else if (processes.length === 0)
    context.out('No Node processes are running on this machine, or none that we may see.')
  else context.out(await tableOf(context, processes))
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
    agent: it.agent ?? null,
    command: it.command,
  }
}

const COLUMNS = ['PID', 'NODE', 'RSS', 'AGE', 'INSPECTOR', 'COMMAND']
const GAP = 2

async function tableOf(context: Context, processes: readonly NodeProcess[]): Promise<string> {
  const [{ renderTable }, color] = await Promise.all([import('../support/table.ts'), context.colors()])
  const rows = processes.map((it) => [
    String(it.pid),
    it.nodeVersion ?? '?',
    formatBytes(it.rssBytes),
    formatDuration(it.ageMs),
    describeInspector(it),
  ])
  const taken = COLUMNS.slice(0, -1).map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)))
  const left = Math.max(20, context.width - taken.reduce((sum, width) => sum + width + GAP, 0))
  return renderTable(
    ['right', 'left', 'right', 'right', 'left', 'left'],
    [
      COLUMNS.map((title) => color.dim(title)),
      ...processes.map(({ inspector, command }, i) => {
        const [pid, version, rss, age, state] = rows[i]!
        const shown = inspector.state === 'open' ? color.yellow(state!) : state!
        return [pid!, version!, rss!, age!, shown, printable(command.join(' '), left)]
      }),
    ],
  )
}

function describeInspector(it: NodeProcess): string {
  return it.agent === undefined ? describePort(it) : `${describePort(it)}, agent`
}

function describePort({ inspector, state }: NodeProcess): string {
  if (inspector.state === 'open') return describeAddress(inspector)
  if (state === 'stopped') return 'stopped'
  return { closed: 'closed', disabled: 'disabled', unknown: '?' }[inspector.state]
}

/** The port is enough, unless others than this machine can reach it. */
function describeAddress({ host, port }: Extract<InspectorState, { state: 'open' }>): string {
  return host === '127.0.0.1' || host === '::1' ? `open :${port}` : `open ${host}:${port}`
}
