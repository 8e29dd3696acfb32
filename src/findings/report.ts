// The Report: the public JSON of every command that analyses, schema version 1; fields are only ever added.

import { z } from 'zod'
import { BaselineOutcomeSchema } from './baseline-schema.ts'
import { CheckSchema } from './check.ts'
import { GroundSchema } from './confidence.ts'

/** In bytes. */
const bytes = z.number()
/** How many. */
const count = z.number().int()
/** `main`, or `worker:3` for thread 3. */
const isolate = z.string()

export const SourceLocationSchema = z.object({
  /** URL or path of the script or source, as Node names it. */
  url: z.string(),
  /** 1-based; 0 where the file is not the text that ran, and so no line of it is known. */
  line: z.number().int(),
  /** 1-based; 0 with `line`. */
  column: z.number().int(),
})

export const CulpritSchema = SourceLocationSchema.extend({
  /** That the line is in; null where none has a name. */
  function: z.string().nullable(),
  /** npm package of the file; null for the program's own. */
  package: z.string().nullable(),
  /** How the line is tied to the leak: it allocates, it runs when the object is used, or it holds the object. */
  basis: z.enum(['allocation', 'callback', 'retainer']),
})

export const PathStepSchema = z.object({
  /** What the step before calls this one: `context variable 'clients'`, `.user`, `[12]`; empty at the start. */
  edge: z.string(),
  /** The object, in words: `Array[12]`, `string "…"`, `function send`. */
  node: z.string(),
  /** The same as `edge`, without words. */
  reference: z.object({
    /** What refers to this one; `start` where the path begins. */
    kind: z.enum([
      ...(['start', 'property', 'symbol', 'variable', 'local', 'element', 'entry'] as const),
      ...(['closure', 'outer scope', 'WeakMap value', 'internal', 'hidden'] as const),
    ]),
    /** Of the property, symbol, variable or internal field; index of the element; key of the entry, if it is a string. */
    name: z.string().nullable(),
  }),
  /** The same as `node`. */
  thing: z.object({
    /** What it is; `skipped` stands for steps that are left out. */
    kind: z.enum([
      ...(['root', 'module', 'function', 'suspended function', 'scope', 'object', 'array'] as const),
      ...(['string', 'symbol', 'regexp', 'other', 'skipped'] as const),
    ]),
    /** Of the class, function or symbol; URL of the module; text of the string. */
    name: z.string(),
    /** Elements of an array; null for anything else. */
    length: count.nullable(),
    /** What an object is, or extends, if that is a collection; null for anything else. */
    collection: z.enum(['Map', 'Set']).nullable(),
  }),
  /** V8's object id. */
  nodeId: z.number().int(),
  /** How many like this one follow each other here, as in a linked list. */
  times: count,
})

export const SnapshotSchema = z.object({
  /** Path, as it was given; of a bundle, with the folder in front. */
  file: z.string(),
  /** `main`, or `worker:3` for thread 3; `main` also for a file by itself, of which nobody has said whose heap it is. */
  isolate: z.string(),
  /** When the file was last written, or was begun, if a bundle says so; ISO 8601. */
  takenAt: z.string(),
  /** Of the file, compressed if it is. */
  fileBytes: bytes,
  /** Objects, and what else V8 lists as a node. */
  nodeCount: count,
  /** References. */
  edgeCount: count,
  /** Of all that is reached from a root. */
  totalShallowBytes: bytes,
})

export const ConstructorGrowthSchema = z.object({
  /** Of the class. */
  name: z.string(),
  isolate,
  /** Where the class is; null where V8 does not say. */
  location: SourceLocationSchema.nullable(),
  /** Objects in the first snapshot. */
  countBefore: count,
  /** Objects in the last snapshot. */
  countAfter: count,
  /** May be below 0. */
  countDelta: count,
  /** Of the objects themselves, in the first snapshot. */
  shallowBytesBefore: bytes,
  /** The same in the last one. */
  shallowBytesAfter: bytes,
  /** May be below 0. */
  shallowBytesDelta: bytes,
  /** With all that only they hold, in the first snapshot. */
  retainedBytesBefore: bytes,
  /** The same in the last one. */
  retainedBytesAfter: bytes,
  /** May be below 0. */
  retainedBytesDelta: bytes,
})

export const ClusterSchema = z.object({
  /** `added`: objects that were not there before; `grown`: objects that were, and take more bytes themselves now. */
  kind: z.enum(['added', 'grown']),
  /** Class of the objects. */
  constructor: z.string(),
  isolate,
  /** How many objects. */
  count,
  /** How many came in each step and are still there, or became larger in it; empty when not matched by id. */
  countPerStep: z.array(count),
  /** Bytes of these objects with all that is new and that only they hold. */
  retainedBytes: bytes,
  /** From a root to one of the objects. */
  retainingPath: z.array(PathStepSchema),
  /** Null where no line is known. */
  culprit: CulpritSchema.nullable(),
})

/** `id`: objects were matched by V8's ids; `place`: by class and place, because the ids do not match. */
const matching = z.enum(['id', 'place'])

export const GrowthSchema = z.object({
  /** Between the first and the last snapshot; of the isolate for which it was longest. */
  elapsedMs: z.number(),
  /** By how many bytes the heaps of all isolates together grew. */
  totalShallowBytes: bytes,
  /** `place` when it was so for any isolate. */
  matching,
  /** The same of each isolate by itself, main first. */
  isolates: z.array(
    z.object({
      isolate,
      /** Between its first and its last snapshot. */
      elapsedMs: z.number(),
      /** By how many bytes its heap grew. */
      totalShallowBytes: bytes,
      matching,
    }),
  ),
  /** Isolates of which there are not two snapshots. */
  notCompared: z.array(
    z.object({
      isolate,
      /** Why there are not. */
      reason: z.string(),
    }),
  ),
  /** Isolate by isolate, as are the clusters. */
  constructors: z.array(ConstructorGrowthSchema),
  /** What grew, by what holds it; biggest first in each isolate. */
  clusters: z.array(ClusterSchema),
})

/** Each list isolate by isolate, main first. */
export const HeapSchema = z.object({
  /** By type of node, as V8 names them. */
  kinds: z.array(
    z.object({
      isolate,
      /** `object`, `string`, `closure`, `array`, `code`, … */
      kind: z.string(),
      count,
      shallowBytes: bytes,
    }),
  ),
  /** Classes, by retained size. */
  constructors: z.array(
    z.object({
      isolate,
      /** Of the class. */
      name: z.string(),
      /** Where the class is; null where V8 does not say. */
      location: SourceLocationSchema.nullable(),
      /** Objects of it. */
      count,
      /** Of these objects themselves. */
      shallowBytes: bytes,
      /** With all that only they hold. */
      retainedBytes: bytes,
    }),
  ),
  /** Objects that keep most alive, none of them inside another. */
  dominators: z.array(
    z.object({
      isolate,
      /** In words: `Map`, `function send`. */
      node: z.string(),
      /** V8's object id. */
      nodeId: z.number().int(),
      /** Of the object itself. */
      shallowBytes: bytes,
      /** With all that only it holds. */
      retainedBytes: bytes,
      /** From a root to it. */
      retainingPath: z.array(PathStepSchema),
    }),
  ),
  /** The strings that keep most bytes alive; V8 writes at most the first 1,024 characters into a snapshot. */
  largestStrings: z.array(
    z.object({
      isolate,
      /** Its beginning. */
      text: z.string(),
      /** V8's object id. */
      nodeId: z.number().int(),
      /** With all that only it holds. */
      retainedBytes: bytes,
      /** From a root to it. */
      retainingPath: z.array(PathStepSchema),
    }),
  ),
  /** Texts that are there more than once; `wastedBytes` would go if each were there but once. */
  duplicateStrings: z.array(
    z.object({
      isolate,
      /** Its beginning. */
      text: z.string(),
      /** Copies. */
      count,
      /** Of all copies together. */
      shallowBytes: bytes,
      /** Of all copies but one. */
      wastedBytes: bytes,
    }),
  ),
})

/** A step of a leak's path, with what is known of the object: whether it is there as it should, or is what leaks. */
export const LeakPathStepSchema = PathStepSchema.extend({
  /** `no`: it is there as it should; `yes`: it is one of those that pile up. */
  leaking: z.enum(['no', 'unknown', 'yes']),
  /** Why that is said; empty where nothing is known. */
  reason: z.string(),
  /** Whether the reference to this step may be the one too many: it leads away from what is not leaking. */
  suspect: z.boolean(),
  /** npm package that the object's class or function is of, or `node`; null for the program's own, or where it is not known. */
  package: z.string().nullable(),
})

export const LedgerLineSchema = z.object({
  /** `js-heap-used`, `array-buffers`, `thread-stacks`, …: stable, where the label may change. */
  id: z.string(),
  /** For people. */
  label: z.string(),
  /** Resident, as of the last sample. */
  bytes,
  /** Since the first sample; null when there is but one. */
  bytesDelta: bytes.nullable(),
  /** What of it is known more closely, such as each worker's; may be less than all. */
  parts: z.array(
    z.object({
      /** For people. */
      label: z.string(),
      bytes,
    }),
  ),
})

/** What the operating system and V8 say of a whole process, as of the last sample. */
export const ProcessSchema = z.object({
  /** Resident memory of the process. */
  rssBytes: bytes,
  /** Since the first sample; null when there is but one. */
  rssBytesDelta: bytes.nullable(),
  /** Between the first and the last sample; null when there is but one. */
  elapsedMs: z.number().nullable(),
  /** Resident memory, line by line: the bytes add up to `rssBytes`. */
  ledger: z.array(LedgerLineSchema),
  /** What V8's pages consist of, of each isolate; null where the heap was not read from outside. */
  spaces: z
    .array(
      z.object({
        /** `main`, `worker:3`. */
        isolate: z.string(),
        /** `old`: all that lives long and is not large; `code` has large code as well. */
        space: z.enum(['young', 'old', 'large', 'code', 'read-only']),
        pages: count,
        /** The next three add up to this. */
        bytes,
        livingBytes: bytes,
        /** Of objects that nothing leads to any more. */
        garbageBytes: bytes,
        freeBytes: bytes,
        /** Of pages that are alive to a half at most, without those that hold one large object. */
        sparsePageBytes: bytes,
      }),
    )
    .nullable(),
  /** What of the ledger is guessed or could not be told, in sentences. */
  notes: z.array(z.string()),
  /** Of malloc; null where it is not known. */
  allocator: z
    .object({
      /** `glibc`, `musl`, … */
      name: z.string(),
      /** Null where the memory of malloc could not be looked into. */
      arenas: count.nullable(),
    })
    .nullable(),
  /** Beyond which V8 ends the process, of the main isolate. */
  heapLimitBytes: bytes.nullable(),
  /** The most that was resident since the process began; null where the system does not say, as the next one. */
  peakRssBytes: bytes.nullable(),
  /** Of its memory, what is swapped out. */
  swapBytes: bytes.nullable(),
  /** How many threads there are of each name. */
  threads: z.record(z.string(), count).nullable(),
  /** How many open files there are of each kind. */
  files: z.record(z.string(), count).nullable(),
  /** The tightest limit of the cgroup and those above it, and what is used of that. */
  cgroup: z
    .object({
      /** Null where there is no limit. */
      limitBytes: bytes.nullable(),
      /** Null where that cannot be read. */
      usedBytes: bytes.nullable(),
    })
    .nullable(),
  /** Every sample, with the bytes of each line by its id. */
  samples: z.array(
    z.object({
      /** ISO 8601. */
      at: z.iso.datetime(),
      /** Resident memory of the process. */
      rssBytes: bytes,
      /** Bytes of each line, by its id. */
      ledger: z.record(z.string(), bytes),
    }),
  ),
})

/** What became, while a process was watched, of its memory outside of the JS heap and of ArrayBuffers. */
export const OffHeapSchema = z.object({
  /**
   * `rose`: by more than chance, in each part of the time alike; `uneven`: by more than chance, but not in each part;
   * `still`: by less; `unknown`: that could not be measured, and nothing of the rest is there.
   */
  verdict: z.enum(['rose', 'uneven', 'still', 'unknown']),
  /** Why it is not known; null where it is. */
  reason: z.string().nullable(),
  /** May be below 0. */
  bytes: bytes.nullable(),
  /** Null where it was not measured, as the next two. */
  bytesPerSecond: z.number().nullable(),
  /** For how long it was watched. */
  seconds: z.number().nullable(),
  /** A change of less than so many bytes could not be told from chance. */
  marginBytes: bytes.nullable(),
  /** By the ids of the ledger's lines: by how many bytes each changed. */
  lines: z.record(z.string(), bytes),
})

/** The npm package behind a leak, and where in it. */
export const PackageBehindSchema = z.object({
  /** As in its package.json. */
  name: z.string(),
  /** Null where its package.json could not be read. */
  version: z.string().nullable(),
  /** `adds`: functions of its own pile up; `holds`: things pile up inside of what is its own. */
  role: z.enum(['adds', 'holds']),
  /** URL or path of the script, as Node names it. */
  file: z.string(),
  /** 1-based. */
  line: z.number().int(),
  /** `PQueue.add`; null where no function has a name. */
  function: z.string().nullable(),
})

/** A published leak that this one is: the same package and version, or Node's, and the same look in the heap. */
export const KnownIssueSchema = z.object({
  /** `nodejs/node#55351`, or the number of an advisory. */
  id: z.string(),
  /** Where it was published. */
  url: z.string(),
  /** In a few words. */
  title: z.string(),
  /** npm package, or `node`. */
  package: z.string(),
  /** The versions that no longer leak so, lowest first: `20.16.0 and 22.4.0`; null where there is none. */
  fixedIn: z.string().nullable(),
})

/** A known leak pattern, recognized. */
export const FindingSchema = z.object({
  /** As `leakscope explain` takes it. */
  pattern: z.string(),
  /** 16 hex digits, the same for the same leak in every run. */
  fingerprint: z.string().regex(/^[0-9a-f]{16}$/),
  /** By a baseline; not there when there is none. */
  status: z.enum(['new', 'known', 'suppressed']).optional(),
  /** What it wastes if it is no leak: nothing grows by it, and its growth is 0. Not there for leaks. */
  wastes: z.enum(['cpu', 'memory']).optional(),
  /** By the confidence: `error` from 0.7 on, `warning` from 0.5 on. */
  severity: z.enum(['note', 'warning', 'error']),
  /** How sure it is that this is a leak, from 0 to 1. */
  confidence: z.number().min(0).max(1),
  /** Why it is so sure, or not surer: the sentences of `grounds`. */
  reason: z.string(),
  /** What the confidence is made of. */
  grounds: z.array(GroundSchema),
  /** One line: what piles up, where. */
  title: z.string(),
  isolate,
  /** What came between the first and the last snapshot and is still there. */
  growth: z.object({
    /** How many objects. */
    count,
    /** Of these objects themselves. */
    shallowBytes: bytes,
    /** With all that is new and is reached from them. */
    retainedBytes: bytes,
    /** Objects a second. */
    perSecond: z.number(),
    /** Of `retainedBytes`. */
    bytesPerSecond: z.number(),
    /** How many objects that were there before gained them. */
    holders: count,
  }),
  /** The program's line, or, where that is not known, a package's. */
  culprit: CulpritSchema.nullable(),
  /** Not there where no package adds or holds what leaks. */
  package: PackageBehindSchema.optional(),
  /** Not there where none of the published leaks that leakscope knows fits. */
  knownIssue: KnownIssueSchema.optional(),
  /**
   * Lines of source around the culprit; empty where the source could not be read. Where the culprit has no line, they are
   * of the text that ran, by its numbers.
   */
  codeFrame: z.array(
    z.object({
      /** 1-based. */
      line: z.number().int(),
      /** Of the line; may be cut. */
      text: z.string(),
    }),
  ),
  /** From a root to one of the objects that pile up. */
  retainingPath: z.array(LeakPathStepSchema),
  /** Numbers and names that the detector has found; differs by pattern. */
  evidence: z.record(z.string(), z.unknown()),
  /** Other ways in which the same objects are held, and growth that follows from this one. */
  explains: z.array(
    z.object({
      /** What it is. */
      title: z.string(),
      count,
      retainedBytes: bytes,
    }),
  ),
  /** What to do, in one or two sentences. */
  advice: z.string(),
})

/** What gained all the while, but for a reason that makes it no finding, such as a bound that is beside it. */
export const SetAsideSchema = z.object({
  /** What gained. */
  title: z.string(),
  /** Why it is no finding. */
  reason: z.string(),
  /** The evidence that the reason is made of. */
  grounds: z.array(GroundSchema),
  isolate,
  /** Of what came and stayed. */
  retainedBytes: bytes,
  /** Of `retainedBytes`. */
  bytesPerSecond: z.number(),
})

/** How much of what came and stayed the findings account for. */
export const ExplainedSchema = z.object({
  /** What the findings account for. */
  bytes,
  /** All that came and stayed. */
  growthBytes: bytes,
})

/** What a process said of itself, for next to nothing; null where it could not be had. */
export const VitalsSchema = z.object({
  /** ISO 8601. */
  at: z.string(),
  /** Resident memory of the process. */
  rssBytes: bytes.nullable(),
  /** JavaScript heap of the main thread, garbage included. */
  heapUsedBytes: bytes.nullable(),
  /** Memory outside the heap that V8 knows of. */
  externalBytes: bytes.nullable(),
  /** Part of `externalBytes`. */
  arrayBuffersBytes: bytes.nullable(),
  /** From 0 to 1, since the sample before. */
  eventLoopUtilization: z.number().nullable(),
  /** Of how many cores the process had the time since the sample before, on average. */
  coresUsed: z.number().nullable().optional(),
  /** What keeps the event loop alive, by type. */
  activeResources: z.record(z.string(), count).nullable(),
  /** Of the process, all that the system counts. */
  threads: count.nullable(),
  /** Open file descriptors. */
  files: count.nullable(),
})

export const ReportSchema = z.object({
  /** Raised when a field changes its meaning or goes; new fields do not raise it. */
  schemaVersion: z.literal(1),
  /** What wrote the report. */
  tool: z.object({
    /** Always the same. */
    name: z.literal('leakscope'),
    /** As in its package.json. */
    version: z.string(),
  }),
  /** `diagnose`, `diff`, `analyze` or `check`. */
  command: z.string(),
  /** Null when the command read files. */
  target: z
    .object({
      /** As this machine counts them. */
      pid: z.number().int(),
      /** `v22.11.0`. */
      nodeVersion: z.string(),
      /** With its arguments, separated by blanks. */
      command: z.string(),
    })
    .nullable(),
  /**
   * How the heap was had: V8 wrote it, asked over the `inspector` or by leakscope's `agent` in the process, or it was read
   * from `outside`. Null where none was captured.
   */
  via: z.enum(['inspector', 'outside', 'agent']).nullable(),
  /** Allocations that were sampled meanwhile, where they were asked for; null where none were. */
  sampling: z
    .object({
      /** One allocation in so many bytes was noted. */
      intervalBytes: bytes,
      /** How often it was read what of that was alive still. */
      readings: count,
      /** From the first reading to the last. */
      seconds: z.number(),
    })
    .nullable(),
  /** What ended the process; null where the command read no core file of one that was ended. */
  ended: z
    .object({
      /** `SIGABRT`. */
      signal: z.string(),
      /** Why V8 ended it itself, as far as that can be told: `out-of-memory`. */
      reason: z.enum(['out-of-memory']).nullable(),
      /** What V8 says of that: `Reached heap limit`. */
      detail: z.string().nullable(),
      /** In use after its last garbage collection, as V8 had noted it. */
      heapBytes: bytes.nullable(),
      /** The last error that V8 had at hand: `TypeError: …`. It may have been caught. */
      error: z.string().nullable(),
      /** The functions that the thread was in, the innermost first; empty where it was in no JavaScript. */
      stack: z.array(
        SourceLocationSchema.extend({
          /** Null where it has no name. */
          function: z.string().nullable(),
        }),
      ),
    })
    .nullable(),
  /** Those that were looked at, isolate by isolate, in order of time. */
  snapshots: z.array(SnapshotSchema),
  /** Null for commands that look at one snapshot. */
  growth: GrowthSchema.nullable(),
  /** Null for commands that compare. */
  heap: HeapSchema.nullable(),
  /** What the operating system says of the process; null when the command read files. */
  process: ProcessSchema.nullable(),
  /** Null for commands that do not watch a process. */
  offHeap: OffHeapSchema.nullable(),
  /** The first is the one to mend first. */
  findings: z.array(FindingSchema),
  /** What has most bytes first; nothing that a finding accounts for. */
  setAside: z.array(SetAsideSchema),
  /** Null where there was no growth to explain, or nobody looked for leaks. */
  explained: ExplainedSchema.nullable(),
  /** Samples of the main thread in order of time; null for files. */
  vitals: z.array(VitalsSchema).nullable(),
  /** What a baseline says of the findings beyond their status; null where there is none. */
  baseline: BaselineOutcomeSchema.nullable(),
  /** What `leakscope check` measured; null for all other commands, and when it was given files. */
  check: CheckSchema.nullable(),
})

export type Report = z.infer<typeof ReportSchema>
export type ReportPathStep = z.infer<typeof PathStepSchema>
export type ReportFinding = z.infer<typeof FindingSchema>
export type ReportSetAside = z.infer<typeof SetAsideSchema>
export type ReportLeakPathStep = z.infer<typeof LeakPathStepSchema>
export type ReportCulprit = z.infer<typeof CulpritSchema>
export type ReportPackage = z.infer<typeof PackageBehindSchema>
export type ReportKnownIssue = z.infer<typeof KnownIssueSchema>
export type ReportCluster = z.infer<typeof ClusterSchema>
export type ReportSourceLocation = z.infer<typeof SourceLocationSchema>
export type ReportProcess = z.infer<typeof ProcessSchema>
export type ReportOffHeap = z.infer<typeof OffHeapSchema>
