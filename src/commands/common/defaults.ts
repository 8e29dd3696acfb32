// What commands that capture something take where the user says nothing.

import { basename } from 'node:path'
import type { TargetName } from '../../target/target.ts'
import type { IsolateChoice } from './options.ts'

export const DEFAULT_WAIT_MS = 600_000

/** `leakscope-4242-20250131-235959.heapsnapshot`, in local time; a folder has no ending, a worker its number. */
export function defaultName(name: TargetName, isolate: IsolateChoice, ending: string, now: Date): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`
  const which = typeof isolate === 'number' ? `-worker-${isolate}` : ''
  const target =
    name.kind === 'process'
      ? name.pid
      : name.kind === 'agent'
        ? basename(name.path, '.sock')
        : `${name.host.replace(/:+/g, '-')}-${name.port}`
  return `leakscope-${target}${which}-${day}-${time}${isolate === 'all' ? '' : ending}`
}
