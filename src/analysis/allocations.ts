// Where objects that stayed were allocated, as sampling heap profiles tell that were recorded beside the snapshots.

import type { SourceLocation } from '../graph/locations.ts'
import { isOwn, originOf } from '../source/origins.ts'
import type { Clues } from './clues.ts'

/** A function on the stack of an allocation. */
export interface Frame {
  readonly function: string
  readonly url: string
  /** Where the function begins, 1-based. */
  readonly line: number
  readonly column: number
}

/** What one stack allocated that is still there. */
export interface AllocationStack {
  /** The innermost first. */
  readonly frames: readonly Frame[]
  /** Estimated bytes that came between the first snapshot and the last but one, and were there at the last. */
  readonly bytes: number
  /** Bytes that came in each step. */
  readonly bytesPerStep: readonly number[]
}

/** The program's function in which a leak is allocated, as it goes into a finding's evidence. */
export interface AllocationSite {
  readonly function: string | null
  readonly url: string
  readonly line: number
  readonly column: number
  readonly bytes: number
}

/** Of stacks as V8 writes them; it looks at 128 frames at most. */
const MAX_DEPTH = 256
const MAX_NODES = 1_000_000

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
export const numberIn = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0)

/**
 * Reads V8's `HeapProfiler.SamplingHeapProfile`s of one isolate, in the order of its snapshots; sampling began before
 * the first. A sample's ordinal is the same in all, and a sample that is in the last was alive then. Undefined where a
 * profile does not tell of single samples, or is none: what cannot be used is not worth failing for.
 */
export function readAllocations(profiles: readonly unknown[]): AllocationStack[] | undefined {
  const last = profiles.at(-1)
  if (profiles.length < 2 || !isRecord(last) || !Array.isArray(last.samples)) return undefined
  const steps = profiles.length - 1
  const born = new Map<number, number>()
  for (const [round, profile] of profiles.entries()) {
    if (!isRecord(profile) || !Array.isArray(profile.samples)) return undefined
    for (const sample of profile.samples) {
      if (isRecord(sample) && !born.has(numberIn(sample.ordinal))) born.set(numberIn(sample.ordinal), round)
    }
  }
  const perNode = new Map<number, number[]>()
  for (const sample of last.samples) {
    if (!isRecord(sample)) continue
    const step = born.get(numberIn(sample.ordinal))! - 1
    if (step < 0) continue
    const row = perNode.get(numberIn(sample.nodeId)) ?? Array<number>(steps).fill(0)
    row[step]! += numberIn(sample.size)
    perNode.set(numberIn(sample.nodeId), row)
  }
  return collectStacks(last.head, perNode)
}

function collectStacks(head: unknown, perNode: ReadonlyMap<number, number[]>): AllocationStack[] {
  const stacks: AllocationStack[] = []
  for (const [id, frames] of stacksOf(head)) {
    const bytesPerStep = perNode.get(id)
    if (bytesPerStep && frames.length > 0) {
      // What came in the last step may be on its way out still, unless there is no other step.
      const settled = bytesPerStep.length > 1 ? bytesPerStep.slice(0, -1) : bytesPerStep
      stacks.push({ frames, bytesPerStep, bytes: settled.reduce((sum, bytes) => sum + bytes, 0) })
    }
  }
  return stacks
}

/** Each node of a profile: its id, and its stack, innermost frame first. */
export function* stacksOf(head: unknown): Generator<[id: number, frames: readonly Frame[]]> {
  const waiting: { node: unknown; frames: readonly Frame[] }[] = [{ node: head, frames: [] }]
  for (let seen = 0, at = waiting.pop(); at && seen < MAX_NODES; at = waiting.pop(), seen++) {
    const { node } = at
    if (!isRecord(node)) continue
    const frame = frameOf(node.callFrame)
    const frames = frame ? [frame, ...at.frames.slice(0, MAX_DEPTH)] : at.frames
    yield [numberIn(node.id), frames]
    if (Array.isArray(node.children)) for (const child of node.children) waiting.push({ node: child, frames })
  }
}

/** As V8's profiles write it; undefined at the root. */
export function frameOf(callFrame: unknown): Frame | undefined {
  if (!isRecord(callFrame) || typeof callFrame.url !== 'string') return undefined
  const name = typeof callFrame.functionName === 'string' ? callFrame.functionName : ''
  if (name === '(root)') return undefined
  // V8's own pseudo functions, such as (BYTECODE_COMPILER), have no place.
  const [line, column] = [numberIn(callFrame.lineNumber) + 1, numberIn(callFrame.columnNumber) + 1]
  return { function: name, url: callFrame.url, line, column }
}

/** Stacks that fit a leak, those of one function of the program's together, the likeliest first. */
export interface RankedSite extends AllocationSite {
  /** Functions of the program's on the stack that allocated most, this one first. */
  readonly frames: readonly Frame[]
  readonly fit: number
}

export function rankSites(
  stacks: readonly AllocationStack[],
  clues: Clues,
  isOwnPlace: (place: SourceLocation) => boolean = ({ url }) => isOwn(url),
): RankedSite[] {
  const near = new Map(clues.functions.map((each) => [keyOf(each.location), each]))
  const groups = new Map<string, { frames: readonly Frame[]; bytes: number; most: number; fit: number }>()
  for (const { frames, bytes, bytesPerStep } of stacks) {
    if (bytes === 0 || frames.some(({ function: name }) => name === '(BYTECODE_COMPILER)')) continue
    const own = frames.filter((frame) => isOwn(frame.url) && frame.url !== '' && isOwnPlace(frame))
    if (own.length === 0) continue
    const fit = bytes * fitOf(frames, own, clues, near) * likeness(bytesPerStep, clues.survivors)
    const key = keyOf(own[0]!)
    const group = groups.get(key) ?? { frames: own, bytes: 0, most: 0, fit: 0 }
    if (fit > group.most) Object.assign(group, { frames: own, most: fit })
    group.bytes += bytes
    group.fit += fit
    groups.set(key, group)
  }
  return [...groups.values()]
    .map(({ frames, bytes, fit }): RankedSite => {
      const { function: name, url, line, column } = frames[0]!
      // Of much more than has leaked, most was something else.
      const excess = clues.bytes > 0 ? Math.min(1, (4 * clues.bytes) / bytes) : 1
      return { function: name || null, url, line, column, bytes, frames, fit: fit * excess }
    })
    .sort((a, b) => b.fit - a.fit)
}

const keyOf = ({ url, line, column }: SourceLocation): string => `${url}:${line}:${column}`

/** From a half to 1: whether as much came in each step, in proportion. */
function likeness(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length || a.length < 2) return 1
  const product = (x: readonly number[], y: readonly number[]) => x.reduce((sum, each, i) => sum + each * y[i]!, 0)
  const lengths = Math.sqrt(product(a, a) * product(b, b))
  return lengths === 0 ? 1 : 0.5 + (0.5 * product(a, b)) / lengths
}

/** How well a stack goes with what is known of the leak: by the class it makes, by functions near, by packages, by the module. */
function fitOf(
  frames: readonly Frame[],
  own: readonly Frame[],
  clues: Clues,
  near: ReadonlyMap<string, Clues['functions'][number]>,
): number {
  let fit = 1
  const inner = frames.slice(0, 8)
  if (inner.some(({ function: name }) => name === clues.className)) fit *= 6
  else {
    const made = Math.max(0, ...inner.map(({ function: name }) => clues.classes.get(name) ?? 0))
    fit *= 1 + 2 * made
  }
  const met = own.map((frame) => near.get(keyOf(frame))).filter((each) => each !== undefined)
  if (met.length > 0) fit *= 1 + 3 / (1 + 0.2 * Math.min(...met.map(({ distance }) => distance)))
  const origin = Math.max(0, ...inner.map(({ url }) => clues.origins.get(originOf(url) ?? '') ?? 0))
  fit *= 1 + 2 * origin
  if (own[0]!.url === clues.home) fit *= 1.5
  if (clues.names.includes(own[0]!.function)) fit *= 1.5
  return fit
}
