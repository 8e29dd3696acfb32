// A bundle: a folder with the snapshots of all isolates of one visit, and `capture.json`, which says what they are.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { LeakscopeError } from '../errors.ts'
import { MANIFEST } from './bundle-folder.ts'
import { IsolateFactsSchema, ProcessFactsSchema } from './isolate-facts.ts'

const bytes = z.number().nullable()
const counts = z.record(z.string(), z.number()).nullable()
const isoTime = z.iso.datetime()

/** `/proc` of the process as leakscope's own user sees it; each fact null where it can't be had. */
export const OsFactsSchema = z.object({
  rssBytes: bytes,
  /** Of the resident memory: what no file stands behind, such as heaps and stacks. */
  rssAnonBytes: bytes,
  rssFileBytes: bytes,
  rssShmemBytes: bytes,
  /** The most that was ever resident. */
  peakRssBytes: bytes,
  swapBytes: bytes,
  virtualBytes: bytes,
  /** Threads by name. */
  threads: counts,
  /** Open file descriptors by kind: `file`, `socket`, `pipe`, `eventfd`, `epoll`, … */
  files: counts,
  /** Memory control of the cgroup: the tightest limit of it and those above it, and what is used of that. */
  cgroup: z
    .object({ version: z.union([z.literal(1), z.literal(2)]), path: z.string(), limitBytes: bytes, usedBytes: bytes })
    .nullable(),
})

export const RoundSchema = z.object({
  /** From 1. In one round each isolate is captured once, one after the other. */
  round: z.number().int(),
  startedAt: isoTime,
  /** Of the operating system, as the round began; null where there is no /proc. */
  os: OsFactsSchema.nullable(),
})

export const CaptureSchema = z.object({
  round: z.number().int(),
  /** `main`, or `worker:` and the thread's id; the same thread in every round. */
  isolate: z.string().regex(/^(main|worker:\d+)$/),
  /** 0 for main. */
  threadId: z.number().int(),
  /** The name that the program gave the worker; null when it gave none. */
  title: z.string().nullable(),
  /** URL of the worker's script; null for main, and for a worker that runs a piece of text. */
  url: z.string().nullable(),
  status: z.enum(['captured', 'failed']),
  /** Why there is no snapshot; null when there is. */
  reason: z.string().nullable(),
  /** Name inside the bundle; null when there is no snapshot, as are the five that follow. */
  file: z
    .string()
    .regex(/^[^/\\]+$/)
    .nullable(),
  fileBytes: bytes,
  nodeCount: z.number().int().nullable(),
  edgeCount: z.number().int().nullable(),
  /** How long the isolate's thread did nothing else. */
  pausedMs: z.number().nullable(),
  /** The file of what was allocated since this isolate's sampling began and is still alive; null where there is none. */
  profile: z
    .string()
    .regex(/^[^/\\]+$/)
    .nullable()
    .default(null),
  /** From its first question to its end, or to when it was given up. */
  startedAt: isoTime,
  durationMs: z.number(),
  /** Asked right before the snapshot; null when it gave no answer. */
  facts: IsolateFactsSchema.nullable(),
})

export const LinkSchema = z.object({
  /** `worker`: a Worker object and the thread that it started, by their public ports. */
  kind: z.enum(['worker']),
  from: z.object({
    isolate: z.string(),
    /** V8's ids, as in the snapshots: of the Worker object, and of its end of the channel. */
    nodeId: z.number().int(),
    portNodeId: z.number().int().nullable(),
  }),
  /** The other end: the thread's `parentPort`. */
  to: z.object({ isolate: z.string(), portNodeId: z.number().int().nullable() }),
})

/** Schema version 1; fields are only ever added. Sizes are bytes, times milliseconds, dates ISO 8601 in UTC. */
export const BundleSchema = z.object({
  schemaVersion: z.literal(1),
  tool: z.object({ name: z.literal('leakscope'), version: z.string() }),
  process: ProcessFactsSchema.extend({
    /** Its id on the machine that leakscope runs on; null when it runs elsewhere. */
    hostPid: z.number().int().nullable(),
    /** Null where the system does not tell; the program is not asked, since some put code of their own there. */
    cwd: z.string().nullable(),
  }),
  startedAt: isoTime,
  durationMs: z.number(),
  /** In order of time, as are the captures. */
  rounds: z.array(RoundSchema),
  captures: z.array(CaptureSchema),
  /** Which objects lead from one isolate to another. Ports other than a worker's own can't be told. */
  links: z.array(LinkSchema),
  /** The file with the scripts that differ from their files, and their source maps; null where there is none. */
  scripts: z
    .string()
    .regex(/^[^/\\]+$/)
    .nullable()
    .default(null),
})

export type Bundle = z.infer<typeof BundleSchema>
export type BundleCapture = z.infer<typeof CaptureSchema>
export type BundleRound = z.infer<typeof RoundSchema>
export type BundleLink = z.infer<typeof LinkSchema>

/** What the bundle at `path` holds. */
export function readBundle(path: string): Bundle {
  const file = join(path, MANIFEST)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new LeakscopeError('file-unreadable', `${file}: ${(cause as Error).message}`, { cause })
  }
  const result = BundleSchema.safeParse(tryJson(text))
  if (result.success) return result.data
  const { path: where, message } = result.error.issues[0]!
  throw new LeakscopeError('file-unreadable', `${file} is no capture: ${where.join('.') || 'it'}: ${message}`, {
    cause: result.error,
    hint: 'It was changed, cut off, or written by a newer leakscope.',
  })
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The snapshots of a bundle, isolate by isolate, main first, each in order of time. */
export function seriesOf(bundle: Bundle): Map<string, BundleCapture[]> {
  const series = new Map<string, BundleCapture[]>()
  for (const capture of [...bundle.captures].sort((a, b) => a.threadId - b.threadId || a.round - b.round)) {
    if (capture.file !== null) series.set(capture.isolate, [...(series.get(capture.isolate) ?? []), capture])
  }
  return series
}
