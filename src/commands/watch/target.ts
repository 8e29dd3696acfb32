// Looks at one process again and again, in one visit.

import { type Gauges, openGauges } from '../../capture/gauges.ts'
import { pause } from '../../capture/pause.ts'
import { LeakscopeError } from '../../errors.ts'
import { ledger } from '../../process/ledger.ts'
import { lookOf } from '../../process/look.ts'
import { type ProcessMemory, readProcessMemory } from '../../process/read-memory.ts'
import type { Look } from '../../process/recording.ts'
import { withInspector } from '../../target/attach.ts'
import { readOsFacts } from '../../target/os-facts.ts'
import type { InspectorSession } from '../../target/session.ts'
import type { TargetName } from '../../target/target.ts'
import type { Target } from '../../target/visit.ts'
import { attachWorkers } from '../../target/workers.ts'
import { whyNoMappings } from '../common/process-samples.ts'

export interface TargetWatch {
  readonly everyMs: number
  /** Infinity for as long as the process and the user want. */
  readonly count: number
  readonly waitMs: number | undefined
  readonly signal: AbortSignal
  /** Whether others of this machine are watched beside it. */
  readonly isOneOfSeveral: boolean
  /** Waited for before the process hears of us. */
  readonly begins: Promise<void>
  readonly onNotice: (notice: string) => void
  readonly onBegin: (target: Target) => void
  /** Waited for before each look but the first. */
  readonly mayLook: () => Promise<void>
  /** Returns whether to go on. The notes say what could not be told, and why. */
  readonly onLook: (look: Look, atMs: number, notes: readonly string[]) => boolean
}

/** Throws a LeakscopeError when the process ends, cannot be had, or `signal` aborts. */
export async function watchTarget(name: TargetName, watch: TargetWatch): Promise<void> {
  const { everyMs, count, waitMs, signal, isOneOfSeveral, onNotice } = watch
  const pid = name.kind === 'process' ? name.pid : undefined
  await watch.begins
  signal.throwIfAborted()
  const options = { signal, onNotice, waitMs, movesAside: isOneOfSeveral }
  await withInspector(name, options, async (session, target) => {
    watch.onBegin(target)
    const { nodeVersion } = target
    const gauges = await gaugesOf(session, onNotice)
    const workers = await attachWorkers(session)
    let before: ProcessMemory | undefined
    try {
      for (let number = 0; number < count; number++) {
        if (number > 0) {
          await pause(everyMs, session.closed, signal)
          await Promise.race([watch.mayLook(), session.closed])
        }
        const memory = await readProcessMemory({ session, workers, pid, nodeVersion })
        const reading = await gauges?.read()
        const os = pid === undefined ? undefined : readOsFacts(pid)
        const book = ledger(memory)
        const seen = { at: new Date(), pid: target.pid, nodeVersion, memory, ledger: book, os, before }
        // The first time, there is nothing between two looks yet.
        const look = lookOf({ ...seen, gauges: before && reading })
        if (!watch.onLook(look, performance.now(), [...book.notes, ...whyNoMappings(memory, pid)])) return
        before = memory
      }
    } finally {
      await gauges?.close()
      await workers.leave()
    }
  })
}

async function gaugesOf(session: InspectorSession, onNotice: (notice: string) => void): Promise<Gauges | undefined> {
  try {
    return await openGauges(session)
  } catch (error) {
    if (!(error instanceof LeakscopeError) || error.code !== 'target-protocol') throw error
    onNotice(`the delay of its event loop and its garbage collection cannot be measured: ${error.message}`)
    return undefined
  }
}
