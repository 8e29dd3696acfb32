// `off-heap-growth` as the system sees it: resident memory that rises, while neither the JS heap nor ArrayBuffers do, and no
// object on the heap explains it. Growth that objects do explain is said by `native-growth.ts`.

import { z } from 'zod'
import type { OffHeapTrend } from '../analysis/off-heap.ts'
import type { Ground } from '../findings/confidence.ts'
import { ground, remark } from '../findings/weights.ts'
import { formatBytes, formatCount, formatDuration } from '../support/format.ts'
import type { EvidenceBy, MemoryDetector } from './detector.ts'
import * as field from './evidence-fields.ts'
import { plural } from './surroundings.ts'

const seenBySystem = () =>
  z.object({
    seenBy: z.literal('system').describe('only the system sees it: nothing on the heap stands for it'),
    lines: z
      .record(z.string(), z.number())
      .describe("growth of each line of the memory ledger, by the line's id, in bytes"),
    addons: z
      .array(z.strictObject({ file: z.string(), package: z.string().nullable(), version: z.string().nullable() }))
      .nullable()
      .describe('native addons that are loaded; null where that is not known'),
  })

/** Of what `native-growth.ts` reports: objects that became more at the same pace, in a container that no detector knows. */
const withClass = () =>
  z.object({
    keptIn: field.name('what the program calls the container of the objects'),
    kind: field.name('class of the objects'),
    pieces: field.count('objects that came and are still there'),
  })

const evidence = () => [seenBySystem(), withClass()]

export const residentGrowth: MemoryDetector<EvidenceBy<typeof evidence>> = {
  name: 'resident-growth',
  patterns: ['off-heap-growth'],
  needs: 'memory',
  evidence,
  diagnose({ unexplained }) {
    if (!unexplained || unexplained.trend.verdict === 'still') return undefined
    const { trend, addons, pid } = unexplained
    const { bytesPerSecond, bytes, seconds, lines } = trend
    const named = (addons ?? []).map(({ file, package: from, version }) =>
      from === null ? file : `${from}${version === null ? '' : ` ${version}`}`,
    )
    const loaded = [...new Set(named)]
    const suspects =
      addons === undefined
        ? ''
        : loaded.length === 0
          ? '; no native addon is loaded'
          : `; ${plural(loaded.length, 'a native addon is', `${loaded.length} native addons are`)} loaded: ${loaded.slice(0, 4).join(', ')}`
    const update =
      loaded.length > 0
        ? `Memory that nothing in the heap stands for is lost by native code: look for a newer release of ${loaded.slice(0, 3).join(' or ')} that mends a leak, and leave out what calls it to see whether the growth ends. `
        : 'Memory that nothing in the heap stands for is lost by native code: of an addon, of a library, or of Node itself. '
    return {
      title: `Resident memory grows by ${formatBytes(bytesPerSecond)} a second (${formatBytes(bytes)} in ${formatDuration(1000 * seconds)}) that neither the JavaScript heap nor ArrayBuffers account for: native memory${suspects}`,
      grounds: groundsOf(trend, false, roseBy(trend)),
      mostSevere: 'warning',
      identity: () => ['resident', ...(addons ?? []).map(({ file, package: from }) => from ?? file)],
      growth: { bytesPerSecond: Math.round(bytesPerSecond) },
      evidence: { seenBy: 'system', lines, addons: addons ? [...addons] : null, ...residentEvidence(trend) },
      advice: `${update}heaptrack --pid ${pid ?? 'PID'} records which native functions allocate it; so does jemalloc, with LD_PRELOAD=libjemalloc.so.2 and MALLOC_CONF=prof:true,prof_final:true at the start of the program.`,
    }
  },
}

export const roseBy = ({ bytes, seconds }: OffHeapTrend): string =>
  `memory outside of the JS heap and of ArrayBuffers rose by ${formatBytes(bytes)} in ${formatDuration(1000 * seconds)}`

/** The numbers that go with all growth of resident memory. */
export const residentEvidence = ({ bytes, bytesPerSecond, seconds }: OffHeapTrend) => ({
  residentBytes: Math.round(bytes),
  residentBytesPerSecond: Math.round(bytesPerSecond),
  residentSeconds: Math.round(10 * seconds) / 10,
})

/** How sure the growth is by its trend, alone or with a class of objects that became more at the same time. */
export function groundsOf(
  { verdict, leavesOutIdle, deadNatives }: OffHeapTrend,
  hasClass: boolean,
  reason: string,
): Ground[] {
  const rose = verdict === 'rose'
  const how = rose
    ? 'in each part of the time alike'
    : 'not in each part of the time alike, as what fills up or warms up'
  const said = `${reason}, ${how}`
  const trend = hasClass
    ? ground(rose ? 'residentRoseWithClass' : 'residentUnevenWithClass', said)
    : ground(rose ? 'residentRose' : 'residentUneven', said)
  const idle = leavesOutIdle ? [] : [ground('withIdle', 'what lies idle in the allocator could not be told from it')]
  return [trend, ...idle, ...(deadNatives === undefined ? [] : [groundOfGarbage(deadNatives)])]
}

/** Fewer objects that wait for their collection do not explain growth. */
const FEW_DEAD = 6

const groundOfGarbage = (count: number): Ground =>
  count >= FEW_DEAD
    ? ground(
        'withGarbage',
        `${formatCount(count)} more objects of native code wait for a garbage collection, which may free it`,
      )
    : remark('no garbage was collected for these figures, but little that waits for it has memory outside the heap')
