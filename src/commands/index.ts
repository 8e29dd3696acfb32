// `leakscope index`: what is kept of large snapshots so that they open at once, and how to be rid of it.

import { Command } from 'commander'
import { formatBytes, formatCount } from '../support/format.ts'
import type { Context } from './common/context.ts'

export function indexCommand(context: Context): Command {
  const index = new Command('index')
  index
    .command('ls')
    .description('list them, the last used first')
    .option('--json', 'print JSON')
    .action((options: { json?: true }) => list(context, options.json ?? false))
  index
    .command('clear')
    .description('remove all of them')
    .action(() => clear(context))
  return index
}

async function list(context: Context, json: boolean): Promise<void> {
  const [{ indexFolder, indexLimit, listIndexes }, { renderTable }] = await Promise.all([
    import('../snapshot/index-cache.ts'),
    import('../support/table.ts'),
  ])
  const [folder, limitBytes, indexes] = [indexFolder(), indexLimit(), listIndexes()]
  if (json) {
    const rows = indexes.map(({ path, bytes, lastUsed }) => ({ path, bytes, lastUsed: lastUsed.toISOString() }))
    return context.out(
      JSON.stringify({ schemaVersion: 1, command: 'index', folder, limitBytes, indexes: rows }, null, 2),
    )
  }
  const bytes = indexes.reduce((sum, each) => sum + each.bytes, 0)
  context.out(
    `${formatCount(indexes.length)} ${indexes.length === 1 ? 'index' : 'indexes'} in ${folder}, ${formatBytes(bytes)} of at most ${formatBytes(limitBytes)}`,
  )
  if (indexes.length === 0) return
  const rows = indexes.map(({ path, bytes, lastUsed }) => [
    path.slice(folder.length + 1),
    formatBytes(bytes),
    `used ${lastUsed.toISOString().slice(0, 16).replace('T', ' ')} UTC`,
  ])
  context.out(renderTable(['left', 'right', 'left'], rows))
}

async function clear(context: Context): Promise<void> {
  const { clearIndexes } = await import('../snapshot/index-cache.ts')
  const { files, bytes } = clearIndexes()
  context.out(`Removed ${formatCount(files)} ${files === 1 ? 'file' : 'files'}, ${formatBytes(bytes)}.`)
}
