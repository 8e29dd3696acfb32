// Reads the profiles that V8 takes of a running isolate, as they come out of it: what each stack was seen doing, and how often.

import { type Frame, frameOf, isRecord, numberIn } from './allocations.ts'

/** What one stack has taken. */
export interface TimedStack {
  /** The outermost first, without the root; never empty. */
  readonly frames: readonly Frame[]
  /** Samples of a CPU profile, or bytes of a heap profile, in its last function itself. */
  readonly self: number
}

export interface CpuTime {
  /** Functions only, without what follows. */
  readonly stacks: readonly TimedStack[]
  /** All samples; the shares that follow are of these. */
  readonly samples: number
  readonly garbageCollector: number
  /** Outside of functions: the event loop itself, and what Node does natively. */
  readonly program: number
  /** In or around the wait for events, also when there was no need to wait. */
  readonly idle: number
  /** By line of a script, `<url>:<line>`: samples. V8 puts lines of inlined functions down to their own place. */
  readonly lines: ReadonlyMap<string, number>
}

const MAX_NODES = 1_000_000
const MAX_DEPTH = 1000

const listIn = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value.slice(0, MAX_NODES) : [])

/** Of a `Profiler.Profile`; undefined where it holds nothing. */
export function readCpuTime(profile: unknown): CpuTime | undefined {
  if (!isRecord(profile)) return undefined
  const nodes = listIn(profile.nodes).filter(isRecord)
  const byId = new Map(nodes.map((node) => [numberIn(node.id), node]))
  const apart = { garbageCollector: 0, program: 0, idle: 0 }
  const stacks: TimedStack[] = []
  const lines = new Map<string, number>()
  let samples = 0
  const waiting: { node: unknown; frames: readonly Frame[] }[] = [{ node: nodes[0], frames: [] }]
  for (let seen = 0, at = waiting.pop(); at && seen < MAX_NODES; at = waiting.pop(), seen++) {
    const { node } = at
    if (!isRecord(node)) continue
    const self = numberIn(node.hitCount)
    const frame = frameOf(node.callFrame)
    samples += self
    if (frame?.url === '' && frame.function === '(garbage collector)') apart.garbageCollector += self
    else if (frame?.url === '' && frame.function === '(program)') apart.program += self
    else if (frame?.url === '' && frame.function === '(idle)') apart.idle += self
    else {
      const frames = frame && at.frames.length < MAX_DEPTH ? [...at.frames, frame] : at.frames
      if (self > 0 && frames.length > 0) stacks.push({ frames, self })
      for (const tick of listIn(node.positionTicks)) {
        if (!frame || !isRecord(tick)) continue
        const key = `${frame.url}:${numberIn(tick.line)}`
        lines.set(key, (lines.get(key) ?? 0) + numberIn(tick.ticks))
      }
      for (const child of listIn(node.children)) waiting.push({ node: byId.get(numberIn(child)), frames })
    }
  }
  return samples === 0 ? undefined : { stacks, samples, lines, ...apart }
}

/** Of a `HeapProfiler.SamplingHeapProfile`: what was allocated by each stack, in bytes. */
export function readAllocated(profile: unknown): TimedStack[] {
  const stacks: TimedStack[] = []
  const head = isRecord(profile) ? profile.head : undefined
  const waiting: { node: unknown; frames: readonly Frame[] }[] = [{ node: head, frames: [] }]
  for (let seen = 0, at = waiting.pop(); at && seen < MAX_NODES; at = waiting.pop(), seen++) {
    const { node } = at
    if (!isRecord(node)) continue
    const frame = frameOf(node.callFrame)
    const frames = frame && at.frames.length < MAX_DEPTH ? [...at.frames, frame] : at.frames
    const self = numberIn(node.selfSize)
    if (self > 0 && frames.length > 0) stacks.push({ frames, self })
    for (const child of listIn(node.children)) waiting.push({ node: child, frames })
  }
  return stacks
}
