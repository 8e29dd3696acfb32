// What an isolate says of its own memory and of what it waits for, asked right before its snapshot.

import { z } from 'zod'
import { ANSWER_MS, evaluate, type ProtocolClient } from '../target/session.ts'

const number = z.number()

/** Bytes, as `process.memoryUsage()` in the isolate; only `rss` is the whole process's. */
export const MemoryUsageSchema = z.object({
  rss: number,
  heapTotal: number,
  heapUsed: number,
  external: number,
  arrayBuffers: number,
})

/** `v8.getHeapStatistics()`, with V8's own names: bytes, but for what is called number or flag. */
export const HeapStatisticsSchema = z.record(z.string(), number)

/** `v8.getHeapSpaceStatistics()`, in bytes. */
export const HeapSpaceSchema = z.object({
  space_name: z.string(),
  space_size: number,
  space_used_size: number,
  space_available_size: number,
  physical_space_size: number,
})

/** Milliseconds since the isolate's event loop began, and the share of them that it was busy. */
export const EventLoopSchema = z.object({ idle: number, active: number, utilization: number })

const orNull = <T>(schema: z.ZodType<T>) => schema.nullable().catch(null)

export const IsolateFactsSchema = z.object({
  memoryUsage: orNull(MemoryUsageSchema),
  heapStatistics: orNull(HeapStatisticsSchema),
  heapSpaces: orNull(z.array(HeapSpaceSchema)),
  /** What keeps the event loop alive, counted by type: `Timeout`, `TCPSocketWrap`, `FSReqCallback`, … */
  activeResources: orNull(z.record(z.string(), number)),
  /** Null for workers, which are not asked here. */
  eventLoop: orNull(EventLoopSchema),
  /** Milliseconds of CPU time since the process began, of all its threads; null for workers. */
  cpuMs: orNull(number),
})

const HeapSizesSchema = z.object({
  spaces: orNull(z.array(HeapSpaceSchema)),
  /** Of the whole process. */
  rssBytes: orNull(number),
})

export const ProcessFactsSchema = z.object({
  /** The id that the process itself knows; another one inside a container. */
  pid: orNull(number),
  nodeVersion: orNull(z.string()),
  v8Version: orNull(z.string()),
  /** As `process.argv`; of a redacted capture, only Node and the script. */
  argv: orNull(z.array(z.string())),
  /** Node's own options, as `process.execArgv`. */
  execArgv: orNull(z.array(z.string())),
  platform: orNull(z.string()),
  arch: orNull(z.string()),
  uptimeMs: orNull(number),
})

export type Pulse = z.infer<typeof PulseSchema>
export type HeapSizes = z.infer<typeof HeapSizesSchema>
export type IsolateFacts = z.infer<typeof IsolateFactsSchema>
export type OwnProcessFacts = z.infer<typeof ProcessFactsSchema>

/**
 * Each fact by itself, so that one which can't be had costs no other. Values are read from property descriptors: where
 * the program has put a getter of its own, that is not called. The modules are asked of Node where it gives them out by
 * itself; Node 18 has only `require` for that, see `shutInspector`.
 */
const PREAMBLE = `
  const load = process.getBuiltinModule ?? ((name) => (process.mainModule ?? { require }).require(name))
  const attempt = (ask) => { try { return ask() ?? null } catch { return null } }
  const own = (object, name) => Reflect.getOwnPropertyDescriptor(object, name)?.value
  const call = (object, name) => Reflect.apply(own(object, name), object, [])`

const ISOLATE_FACTS = (isMain: boolean): string => `(() => {${PREAMBLE}
  return {
    memoryUsage: attempt(() => call(process, 'memoryUsage')),
    heapStatistics: attempt(() => call(load('v8'), 'getHeapStatistics')),
    heapSpaces: attempt(() => call(load('v8'), 'getHeapSpaceStatistics')),
    activeResources: attempt(() => {
      const counts = Object.create(null)
      for (const type of call(process, 'getActiveResourcesInfo')) counts[type] = (counts[type] ?? 0) + 1
      return counts
    }),
    eventLoop: ${isMain ? `attempt(() => load('perf_hooks').performance.eventLoopUtilization())` : 'null'},
    cpuMs: ${isMain ? `attempt(() => { const { user, system } = call(process, 'cpuUsage'); return (user + system) / 1000 })` : 'null'},
  }
})()`

const PulseSchema = z.object({
  atMs: number,
  /** Milliseconds since the isolate's event loop began. */
  idleMs: orNull(number),
  activeMs: orNull(number),
  /** How often the loop has gone round; null before Node 20.18, as is the next. */
  turns: orNull(number),
  /** What it was handed meanwhile from outside of its thread: bytes, messages, answers of the thread pool. */
  events: orNull(number),
})

const PULSE = `(() => {${PREAMBLE}
  const { performance } = load('perf_hooks')
  const loop = attempt(() => performance.eventLoopUtilization())
  const metrics = attempt(() => performance.nodeTiming.uvMetricsInfo)
  return {
    atMs: performance.now(),
    idleMs: loop && loop.idle, activeMs: loop && loop.active,
    turns: metrics && metrics.loopCount, events: metrics && metrics.events,
  }
})()`

const HEAP_SIZES = `(() => {${PREAMBLE}
  return {
    spaces: attempt(() => call(load('v8'), 'getHeapSpaceStatistics')),
    rssBytes: attempt(() => own(call(process, 'memoryUsage'), 'rss')),
  }
})()`

const PROCESS_FACTS = `(() => {${PREAMBLE}
  const texts = (list) => Array.from({ length: own(list, 'length') }, (_, i) => String(own(list, i)))
  return {
    pid: attempt(() => process.pid),
    nodeVersion: attempt(() => own(process, 'version')),
    v8Version: attempt(() => own(own(process, 'versions'), 'v8')),
    argv: attempt(() => texts(own(process, 'argv'))),
    execArgv: attempt(() => texts(own(process, 'execArgv'))),
    platform: attempt(() => own(process, 'platform')),
    arch: attempt(() => own(process, 'arch')),
    uptimeMs: attempt(() => call(process, 'uptime') * 1000),
  }
})()`

/** @throws LeakscopeError `target-timeout` when the isolate does not answer at all */
export function readIsolateFacts(
  client: ProtocolClient,
  isMain: boolean,
  timeoutMs: number = ANSWER_MS,
): Promise<IsolateFacts> {
  return evaluate(client, ISOLATE_FACTS(isMain), IsolateFactsSchema, { timeoutMs })
}

/** The little that costs next to nothing to ask. */
export function readHeapSizes(client: ProtocolClient, timeoutMs: number): Promise<HeapSizes> {
  return evaluate(client, HEAP_SIZES, HeapSizesSchema, { timeoutMs })
}

/** What an isolate's event loop has done so far; the difference of two tells of the time between. */
export function readPulse(client: ProtocolClient, timeoutMs: number): Promise<Pulse> {
  return evaluate(client, PULSE, PulseSchema, { timeoutMs })
}

export function readProcessFacts(client: ProtocolClient): Promise<OwnProcessFacts> {
  return evaluate(client, PROCESS_FACTS, ProcessFactsSchema)
}
