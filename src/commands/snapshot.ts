// `leakscope snapshot`: a heap snapshot of a running process, to a file.

import { Command } from 'commander'
import type { Context } from './context.ts'

export function snapshotCommand(_context: Context): Command {
  return new Command('snapshot').description('capture a heap snapshot of a running process')
}
