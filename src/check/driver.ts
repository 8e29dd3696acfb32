// What makes a program work between two measurements: a command, a scenario, or nothing but time.

import { pause } from '../capture/pause.ts'
import { LeakscopeError } from '../errors.ts'
import { lastLines, type ProcessGroup, startGroup } from './process-group.ts'

export interface Driver {
  readonly unit: 'iteration' | 'second'
  /** Does about so many units of work, and says how many it did. */
  run(units: number, signal: AbortSignal): Promise<number>
  /** The least that it can do. */
  readonly least: number
  /** Ends it, and all that it has started. */
  close(): Promise<void>
}

/** Passes the time. */
export const timeDriver = (): Driver => ({
  unit: 'second',
  least: 1,
  async run(units, signal) {
    const startedMs = performance.now()
    await pause(1000 * units, new Promise(() => {}), signal)
    return (performance.now() - startedMs) / 1000
  },
  close: async () => {},
})

export interface LoadOptions {
  readonly env: NodeJS.ProcessEnv
  /** How many units of work one run stands for. */
  readonly iterations: number
  /** Where to run it; here, if undefined. */
  readonly folder: string | undefined
}

/** Runs a shell command as many times as are wanted, one after the other. */
export function loadDriver(command: string, { env, iterations, folder }: LoadOptions): Driver {
  let current: ProcessGroup | undefined
  return {
    unit: 'iteration',
    least: iterations,
    async run(units, signal) {
      const times = Math.max(1, Math.round(units / iterations))
      for (let i = 0; i < times; i++) {
        signal.throwIfAborted()
        const load = startGroup(command, [], { env, folder, shell: true })
        current = load
        const stop = () => void load.stop()
        signal.addEventListener('abort', stop, { once: true })
        await load.done
        signal.removeEventListener('abort', stop)
        signal.throwIfAborted()
        if (load.ended() !== 'ended with exit code 0') {
          throw new LeakscopeError('load-failed', `the load ${load.ended()}: ${command}`, { hint: lastLines(load) })
        }
      }
      return times * iterations
    },
    close: async () => current?.stop(),
  }
}
