// `allocation-churn`: the garbage collector has much of a thread's time, and one place makes most of the garbage.

import type { AnyNode } from 'acorn'
import { z } from 'zod'
import type { Frame } from '../analysis/allocations.ts'
import type { CpuTime, TimedStack } from '../analysis/cpu-time.ts'
import { type Culprit, packageOf } from '../analysis/culprit.ts'
import { ground } from '../findings/weights.ts'
import { functionAt } from '../source/app-modules.ts'
import { calledBy, offsetOfCall } from '../source/calls.ts'
import { isOwn } from '../source/origins.ts'
import { placeOf } from '../source/source-outline.ts'
import { nodesIn } from '../source/syntax-tree.ts'
import { formatBytes } from '../support/format.ts'
import type { CpuDetector, EvidenceBy } from './detector.ts'
import * as field from './evidence-fields.ts'
import { shortPlace } from './functions.ts'
import { identityOf } from './shown.ts'

const evidence = () => [
  z.object({
    shareOfCollector: z.number().describe("part of the thread's time that the garbage collector takes, from 0 to 1"),
    survivingBytesPerSecond: field.bytes('what survives its first collection each second'),
    sites: z
      .array(
        z.strictObject({
          function: z.string().nullable(),
          url: z.string(),
          line: z.number().int(),
          share: z.number().describe('part of these bytes, from 0 to 1'),
          bytesPerSecond: z.number(),
        }),
      )
      .describe('the functions that allocate them, the first most'),
    samples: field.count('samples of the CPU profile'),
  }),
]

export const allocationChurn: CpuDetector<EvidenceBy<typeof evidence>> = {
  name: 'allocation-churn',
  patterns: ['allocation-churn'],
  needs: 'cpu',
  evidence,
  diagnose({ isolate, cpu, allocated }, { sources }) {
    if (!cpu || !allocated) return undefined
    const { stacks, seconds, tellsCollected } = allocated
    const least = tellsCollected ? LEAST : ALIVE
    const collector = cpu.garbageCollector / cpu.samples
    const bytesPerSecond = total(stacks) / seconds
    if (collector < least.collector || bytesPerSecond < least.bytesPerSecond) return undefined
    const first = placeOfMost(stacks, least.site)
    if (!first) return undefined
    const line = lineOf(first, cpu, sources)
    const culprit: Culprit = {
      ...{ function: first.name || null, url: first.frame.url, ...line },
      ...{ package: packageOf(first.frame.url), basis: 'allocation' },
    }
    const who = first.name || `the function at ${shortPlace(culprit)}`
    return {
      title: `${isolate === 'main' ? 'the main thread' : isolate} spends ${percent(collector)} of its time on collecting garbage: ${formatBytes(bytesPerSecond)} a second live just long enough to be moved, ${percent(first.share)} of that made by ${who}`,
      culprit,
      wastes: 'cpu',
      mostSevere: 'warning',
      identity: (at) => (at ? identityOf(at) : [isolate]),
      grounds: [
        ground(
          'collecting',
          `the profile has the collector in ${percent(collector)} of all samples, and one place makes at least half of what costs it most`,
        ),
      ],
      evidence: {
        shareOfCollector: round(collector),
        survivingBytesPerSecond: Math.round(bytesPerSecond),
        sites: innermost(stacks)
          .slice(0, 5)
          .map(({ frame, share }) => ({
            ...{ function: frame.function || null, url: frame.url, line: frame.line, share: round(share) },
            bytesPerSecond: Math.round(share * bytesPerSecond),
          })),
        samples: cpu.samples,
      },
      advice: `Make less of it at ${shortPlace(culprit)}: change what is there in place of copying it, work on the parts that have changed, collect pieces and join them once, or keep a buffer or an object and use it again.`,
    }
  },
}

/**
 * Servers that parse and write JSON at full load were seen to spend 2 to 15 % of their time in the collector, and up to a
 * third on a machine that has no free core to help it. A collection is expensive by the objects that survive it, which have
 * to be moved. So a quarter of the time is too much where many bytes survive and one place allocates half of them.
 */
const LEAST = { collector: 0.25, bytesPerSecond: 20e6, site: 0.5 }
/** Before Node 20, V8 lists only objects that are alive at the end: fewer bytes are seen, so the collector must take more. */
const ALIVE = { ...LEAST, collector: 0.4, bytesPerSecond: 10e6 }

/** Whether a thread collects so much garbage that it is worth a look at who allocates it. */
export const isChurning = (cpu: CpuTime | undefined): boolean =>
  cpu !== undefined && cpu.garbageCollector / cpu.samples >= LEAST.collector

interface Site {
  readonly frame: Frame
  /** Of the function, or of that which it is written in. */
  readonly name: string
  readonly share: number
}

/** The program's functions on a stack; those of packages where it has none of the program. */
function ownFrames({ frames }: TimedStack): readonly Frame[] {
  const own = frames.filter(({ url }) => url !== '' && isOwn(url))
  return own.length > 0 ? own : frames.filter(({ url }) => url !== '' && !url.startsWith('node:'))
}

/** The innermost function that is on the stack of so large a share of all. */
function placeOfMost(stacks: readonly TimedStack[], least: number): Site | undefined {
  const seen = new Map<string, { frame: Frame; name: string; amount: number; depth: number }>()
  for (const stack of stacks) {
    const met = new Set<string>()
    let name = ''
    for (const [depth, frame] of ownFrames(stack).entries()) {
      name = frame.function || name
      const key = keyOf(frame)
      const known = seen.get(key) ?? { frame, name, amount: 0, depth: 0 }
      seen.set(key, known)
      // A function that calls itself counts once, where it is outermost.
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
  return deepest && { frame: deepest.frame, name: deepest.name, share: deepest.amount / all }
}

/** The functions that allocated, each with what Node and V8 allocated for it; the first most. */
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
    .map(({ frame, amount }) => ({ frame, name: frame.function, share: amount / all }))
    .sort((a, b) => b.share - a.share)
}

const keyOf = ({ url, line, column }: Frame): string => `${url}:${line}:${column}`
const total = (stacks: readonly TimedStack[]): number => stacks.reduce((sum, { self }) => sum + self, 0)

/** Functions and methods that make copies. */
const COPYING =
  /(^|\.)(JSON\.(parse|stringify)|structuredClone|Object\.(assign|entries|fromEntries|keys|values)|Array\.from|Buffer\.(concat|alloc\w*|from)|cloneDeep|clone)$|\.(concat|slice|map|filter|flatMap|flat|split|toSorted|toSpliced|with|replace|replaceAll|join|subarray|toString)$/

function copies(node: AnyNode): boolean {
  if (node.type === 'SpreadElement') return true
  if (node.type === 'NewExpression') return /^[A-Z]/.test(calledBy(node).name)
  return node.type === 'CallExpression' && COPYING.test(['', ...calledBy(node).names].join('.'))
}

/** The line of the function that copies, else the one that ran most, else where the function begins. */
function lineOf(
  { frame }: Site,
  { lines }: CpuTime,
  sources: Parameters<CpuDetector['diagnose']>[1]['sources'],
): { line: number; column: number } {
  const { url, line, column } = frame
  const { tree, node } = functionAt(sources, { url, line, column }) ?? {}
  if (!tree || !node) return { line, column }
  const outline = sources.outline(url)!
  const copying = new Set([...nodesIn(node)].filter(copies).map((each) => placeOf(outline, offsetIn(each)).line))
  const [from, to] = [placeOf(outline, node.start).line, placeOf(outline, node.end - 1).line]
  let best: { line: number; score: number } | undefined
  for (let at = from; at <= to; at++) {
    const ticks = lines.get(`${url}:${at}`) ?? 0
    const score = (1 + ticks) * (copying.has(at) ? 10 : 1) - 1
    if (score > (best?.score ?? 0)) best = { line: at, score }
  }
  if (!best) return { line, column }
  const text = outline.source.slice(outline.lines[best.line - 1], outline.lines[best.line])
  return { line: best.line, column: Math.max(0, text.search(/\S/)) + 1 }
}

const offsetIn = (node: AnyNode): number => (node.type === 'CallExpression' ? offsetOfCall(node) : node.start)

const percent = (share: number): string => `${Math.round(100 * share)} %`
const round = (number: number): number => Math.round(number * 100) / 100
