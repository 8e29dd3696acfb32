// `allocation-churn`: the garbage collector has much of a thread's time, and one place makes most of the garbage.

import type { Frame } from '../analysis/allocations.ts'
import type { CpuTime, TimedStack } from '../analysis/cpu-time.ts'
import { packageOf } from '../analysis/culprit.ts'
import { isOwn } from '../analysis/origins.ts'
import { blockFrom, offsetOf, placeOf } from '../analysis/source-outline.ts'
import { formatBytes } from '../support/format.ts'
import type { Waste, WasteDetector } from './detector.ts'
import { shortPlace } from './functions.ts'

/**
 * Servers that parse and write JSON at full load were seen to spend 3 to 15 % of their time in the collector, and those
 * that hold large caches meanwhile up to a quarter. From three tenths on, more is spent on tidying up than any work is worth;
 * and there is something to change only where one place makes at least half of the garbage.
 */
const LEAST = { collector: 0.3, bytesPerSecond: 20e6, site: 0.5 }
/** Before Node 20, V8 does not tell of what is gone, and never of buffers: then by the time that goes to who makes them. */
const SITE_BY_TIME = 0.6

/** Whether a thread's garbage is worth a look at who makes it. */
export const isChurning = (cpu: CpuTime | undefined): boolean =>
  cpu !== undefined && cpu.garbageCollector / cpu.samples >= LEAST.collector

export const allocationChurn: WasteDetector = {
  pattern: 'allocation-churn',
  diagnose({ isolate, cpu, allocated }, { sources }) {
    if (!cpu || !isChurning(cpu)) return undefined
    const collector = cpu.garbageCollector / cpu.samples
    const bytesPerSecond = allocated && total(allocated.stacks) / allocated.seconds
    const byBytes = bytesPerSecond !== undefined && bytesPerSecond >= LEAST.bytesPerSecond
    const stacks = byBytes ? allocated!.stacks : cpu.stacks
    const first = placeOfMost(stacks, byBytes ? LEAST.site : SITE_BY_TIME)
    if (!first) return undefined
    const line = lineOf(first, cpu, sources)
    const culprit: Waste['culprit'] = {
      ...{ function: first.frame.function || null, url: first.frame.url, ...line },
      ...{ package: packageOf(first.frame.url), basis: 'allocation' },
    }
    const who = first.frame.function || `the function at ${shortPlace(culprit)}`
    const rate = byBytes ? `, ${formatBytes(bytesPerSecond)} of garbage a second` : ''
    return {
      title: `${isolate === 'main' ? 'the main thread' : isolate} spends ${percent(collector)} of its time on collecting garbage${rate}, ${percent(first.share)} of ${byBytes ? 'it' : 'the time around it'} by ${who}`,
      culprit,
      confidence: round(Math.min(0.9, (byBytes ? 0.7 : 0.5) + (collector - LEAST.collector))),
      reason: `the profile has the collector in ${percent(collector)} of all samples, and one place ${byBytes ? 'makes' : 'is around'} at least half of what it collects`,
      evidence: {
        shareOfCollector: round(collector),
        allocatedBytesPerSecond: byBytes ? Math.round(bytesPerSecond) : null,
        judgedBy: byBytes ? 'bytes allocated' : 'CPU time',
        sites: innermost(stacks)
          .slice(0, 5)
          .map(({ frame, share }) => ({
            ...{ function: frame.function || null, url: frame.url, line: frame.line, share: round(share) },
            bytesPerSecond: byBytes ? Math.round(share * bytesPerSecond) : null,
          })),
        samples: cpu.samples,
      },
      advice: `Make less of it at ${shortPlace(culprit)}: change what is there in place of copying it, work on the parts that have changed, collect pieces and join them once, or keep a buffer or an object and use it again.`,
    }
  },
}

interface Site {
  readonly frame: Frame
  readonly share: number
}

/** Functions of the program's, of packages where there are none, on each stack. */
function ownFrames({ frames }: TimedStack): readonly Frame[] {
  const own = frames.filter(({ url }) => url !== '' && isOwn(url))
  return own.length > 0 ? own : frames.filter(({ url }) => url !== '' && !url.startsWith('node:'))
}

/** The function furthest in that is on the stack of so large a share of all. */
function placeOfMost(stacks: readonly TimedStack[], least: number): Site | undefined {
  const seen = new Map<string, { frame: Frame; amount: number; depth: number }>()
  for (const stack of stacks) {
    const met = new Set<string>()
    for (const [depth, frame] of ownFrames(stack).entries()) {
      const key = keyOf(frame)
      const known = seen.get(key) ?? { frame, amount: 0, depth: 0 }
      seen.set(key, known)
      // Of a function that calls itself, the first counts.
      if (met.has(key)) continue
      met.add(key)
      known.amount += stack.self
      known.depth += depth * stack.self
    }
  }
  const all = total(stacks)
  const [deepest] = [...seen.values()]
    .filter(({ amount }) => amount >= least * all)
    .sort((a, b) => b.depth / b.amount - a.depth / a.amount)
  return deepest && { frame: deepest.frame, share: deepest.amount / all }
}

/** The functions that did it themselves, with what Node and V8 did for them. */
function innermost(stacks: readonly TimedStack[]): Site[] {
  const sites = new Map<string, { frame: Frame; amount: number }>()
  for (const stack of stacks) {
    const frame = ownFrames(stack).at(-1)
    if (!frame) continue
    const site = sites.get(keyOf(frame)) ?? { frame, amount: 0 }
    site.amount += stack.self
    sites.set(keyOf(frame), site)
  }
  const all = total(stacks)
  return [...sites.values()]
    .map(({ frame, amount }) => ({ frame, share: amount / all }))
    .sort((a, b) => b.share - a.share)
}

const keyOf = ({ url, line, column }: Frame): string => `${url}:${line}:${column}`
const total = (stacks: readonly TimedStack[]): number => stacks.reduce((sum, { self }) => sum + self, 0)

/** Calls and signs that make copies. */
const COPIES =
  /\.\.\.|\b(?:JSON\.(?:parse|stringify)|structuredClone|Object\.(?:assign|entries|fromEntries|keys|values)|Array\.from|Buffer\.(?:concat|alloc\w*|from)|cloneDeep|clone)\s*\(|\.(?:concat|slice|map|filter|flatMap|flat|split|toSorted|toSpliced|with|replace|replaceAll|join|subarray|toString)\s*\(|\bnew\s+[A-Z]/

/** The line of the function that copies, or the one that ran most; where the function begins if none is known. */
function lineOf(
  { frame }: Site,
  { lines }: CpuTime,
  sources: Parameters<WasteDetector['diagnose']>[1]['sources'],
): { line: number; column: number } {
  const { url, line, column } = frame
  const outline = sources.outline(url)
  const block = outline && blockFrom(outline, offsetOf(outline, line, column))
  if (!outline || !block) return { line, column }
  const [from, to] = [placeOf(outline, block.start).line, placeOf(outline, block.end - 1).line]
  let best: { line: number; score: number } | undefined
  for (let at = from; at <= to; at++) {
    const ticks = lines.get(`${url}:${at}`) ?? 0
    const text = outline.code.slice(outline.lines[at - 1], outline.lines[at] ?? outline.code.length)
    const score = (1 + ticks) * (COPIES.test(text) ? 3 : 1) - 1
    if (score > (best?.score ?? 0)) best = { line: at, score }
  }
  if (!best) return { line, column }
  const text = outline.code.slice(outline.lines[best.line - 1], outline.lines[best.line] ?? outline.code.length)
  return { line: best.line, column: Math.max(0, text.search(/\S/)) + 1 }
}

const percent = (share: number): string => `${Math.round(100 * share)} %`
const round = (number: number): number => Math.round(number * 100) / 100
