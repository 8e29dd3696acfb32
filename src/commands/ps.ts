// `leakscope ps`: the Node processes of this machine.

import { Command } from 'commander'
import type { Context } from './context.ts'

export function psCommand(_context: Context): Command {
  return new Command('ps').description('list the Node processes on this machine')
}
