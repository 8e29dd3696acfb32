// What `leakscope watch --then` does once a condition holds, as a user would who types it at that moment.

import { showTarget, type TargetName } from '../../target/target.ts'
import type { Context } from '../common/context.ts'
import { defaultName } from '../common/defaults.ts'
import type { Way } from '../common/ways.ts'
import type { Condition } from './condition.ts'

export const ACTIONS = ['exit', 'snapshot', 'profile', 'diagnose'] as const
export type Action = (typeof ACTIONS)[number]

/** What keeps the event loop from its work is seen on the CPU; all else is a matter of who allocates. */
const OF_THE_CPU: ReadonlySet<string> = new Set(['event-loop', 'event-loop-delay'])

export async function act(
  context: Context,
  action: Action,
  name: TargetName,
  { id }: Condition,
  waitMs: number | undefined,
  via: Way | undefined,
): Promise<void> {
  const way = via === undefined ? [] : ['--via', via]
  const target = [argumentOf(name), ...(waitMs === undefined ? [] : ['--wait', `${waitMs}ms`])]
  const run = async (command: ReturnType<typeof commandOf>, args: readonly string[]) =>
    (await command).parseAsync([...target, ...args], { from: 'user' })
  if (action === 'snapshot') await run(commandOf(context, 'snapshot'), way)
  if (action === 'profile') await run(commandOf(context, 'profile'), [OF_THE_CPU.has(id) ? '--cpu' : '--heap'])
  if (action === 'diagnose') {
    const file = defaultName(name, 'main', '.json', new Date())
    await run(commandOf(context, 'diagnose'), [...way, '--format', 'terminal', '--format', `json=${file}`])
    context.out(`${file}  the same as JSON`)
  }
}

/** As `parseTarget` reads it; no shell reads it before. */
export function argumentOf(name: TargetName): string {
  if (name.kind === 'process') return String(name.pid)
  return name.kind === 'inspector' && name.path !== undefined
    ? `ws://${showTarget(name)}${name.path}`
    : showTarget(name)
}

async function commandOf(context: Context, action: 'snapshot' | 'profile' | 'diagnose') {
  if (action === 'snapshot') return (await import('../snapshot/command.ts')).snapshotCommand(context)
  if (action === 'profile') return (await import('../profile.ts')).profileCommand(context)
  return (await import('../diagnose/command.ts')).diagnoseCommand(context)
}
