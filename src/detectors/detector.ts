// The contract of all detectors: what each is given, and what it says.

import type { z } from 'zod'
import type { GrowingSite } from '../analysis/allocation-growth.ts'
import type { AllocationStack } from '../analysis/allocations.ts'
import type { HeapSeries } from '../analysis/compare.ts'
import type { CpuTime, TimedStack } from '../analysis/cpu-time.ts'
import type { Culprit, ReadSource } from '../analysis/culprit.ts'
import type { OffHeapTrend } from '../analysis/off-heap.ts'
import type { Suspect } from '../analysis/suspect.ts'
import type { Ground } from '../findings/confidence.ts'
import type { ReportFinding } from '../findings/report.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import type { PathStep } from '../graph/retaining-path.ts'
import type { Sources } from '../source/app-modules.ts'
import type { ScriptPlace, ScriptSources } from '../support/script-sources.ts'

/** One isolate's snapshots, opened and compared. */
export interface IsolateHeap {
  readonly isolate: string
  readonly heap: HeapSeries
  readonly graph: HeapGraph
  /** When each snapshot was taken, in seconds; only differences mean something. */
  readonly seconds: readonly number[]
  /** How long its thread was stopped for each snapshot; undefined where that was not measured. */
  readonly pausedMs?: readonly number[]
  /** All of them, the biggest first; also those whose growth looks healthy. */
  readonly suspects: readonly Suspect[]
  /** What was allocated between the snapshots and is still there, by stack; undefined where no profile was recorded. */
  readonly allocations?: readonly AllocationStack[] | undefined
  /** Bytes by which the heap has grown from the first snapshot to the last. */
  readonly growthBytes: number
  /** What the running process answered about single views of buffers, by V8's id: a snapshot does not have it. */
  readonly live?: ReadonlyMap<number, LiveView>
  /** What it answered about suspended functions, by V8's id. */
  readonly frames?: ReadonlyMap<number, LiveFrame>
}

/** A suspended function: where it waits, and the objects that its local variables hold. */
export interface LiveFrame {
  /** In its script, both 1-based. */
  readonly line: number
  readonly column: number
  readonly locals: readonly {
    readonly name: string
    /** V8's id; undefined where the process did not give it. */
    readonly nodeId: number | undefined
    readonly className: string
  }[]
}

/** Which part of its buffer a view shows. */
export interface LiveView {
  readonly byteLength: number
  readonly byteOffset: number
  readonly bufferByteLength: number
}

/** A series of captures of one process. */
export interface Captures {
  readonly isolates: readonly IsolateHeap[]
  /** Reads a source file by URL; undefined where it cannot be had. */
  readonly readSource: ReadSource
  /** Maps places in scripts to places in their sources; left out, scripts are shown as `readSource` has them. */
  readonly sources?: ScriptSources | undefined
  /** Of the process, such as `v22.9.0`; undefined where the captures do not say. */
  readonly nodeVersion?: string | undefined
}

/** A suspect that may be a leak by its trend, with the path that holds it. */
export interface Candidate {
  readonly suspect: Suspect
  readonly of: IsolateHeap
  /** The nodes of the retaining path, as ordinals: from a root, or from where the program keeps it, to one of the objects. */
  readonly way: readonly number[]
  /** The same path as steps, with kinds and names. Some nodes are no step of their own. */
  readonly path: readonly PathStep[]
  /** What the container is called, by the names on the path: `sessions`, `pool.#free`; `a Map` where it has none. */
  readonly name: string
  /** How likely it is that this is a leak at all, by its numbers and by what the source says of the container. */
  readonly likelihood: Likelihood
}

export interface Likelihood {
  readonly grounds: readonly Ground[]
  /** It is known how much the container may hold, or for how long. */
  readonly bounded?: true
  /** How many things the container may hold, where that number is known. */
  readonly most?: number
  /** A line of the source takes things out of the container. */
  readonly takenOut?: true
}

/** Numbers and names that a judgement rests on; what each means is in the detector's schema. */
export type Evidence = Readonly<Record<string, unknown>>

/** The evidence that some schemas, as a detector makes them, stand for. */
export type EvidenceBy<Make extends () => readonly z.ZodObject[]> = z.infer<ReturnType<Make>[number]>

interface About {
  /** Unique among all detectors. */
  readonly name: string
  /** What it may report. Each pattern has a text, `<pattern>.md`. */
  readonly patterns: readonly [string, ...string[]]
  /**
   * Makes the schemas of its evidence: a finding has one of them, and where there are several, `kind` should say which. It is
   * a function because a run that looks for leaks needs no schema, and making all of them takes tens of milliseconds.
   */
  readonly evidence: () => readonly z.ZodObject[]
}

/** What is to be known of what piles up where a package adds or holds it. */
export interface InPackages {
  /** Methods by which the program has a package add it; left out, any. */
  readonly methods?: RegExp
  /** What the package does, such as `adds a listener to signal`, given what it adds it to; left out, it `adds them`. */
  readonly adds?: (to: string | undefined) => string
  /** What to hand to the package in the place of what it is given; undefined where there is nothing better. */
  readonly instead?: (given: string, candidate: Candidate) => string | undefined
  /** Node's own lists hold it: what a package has on the path holds but one of them. */
  readonly isHeldByNode?: true
  /** The detector's advice is to take it out, which a program cannot do inside of a package. */
  readonly isTakenOut?: true
  /** Where a package makes it, its line goes before a line of the program that no evidence ties to it. */
  readonly isMadeInside?: true
}

/** Judges the growing populations of a heap. */
export interface HeapDetector<E extends Evidence = Evidence> extends About {
  readonly needs: 'heap'
  /**
   * Names of the detectors that must be asked after this one. Each candidate goes to the first detector that recognises it,
   * so say here who else would recognise yours, and why yours is right. Detectors that never meet need no order.
   */
  readonly before?: readonly string[]
  /**
   * Any collection would be recognised, whatever it holds. Such detectors are asked last, and are not asked of a single
   * snapshot: every program has large collections. Those that it names in `before` are asked after it all the same.
   */
  readonly isGeneral?: true
  /** Holds for the pattern of the detector's name, whichever detector reports that. */
  readonly inPackages?: InPackages
  /** Judges one candidate; undefined where it is not of this pattern. Pure, but for reading sources. */
  readonly diagnose: (candidate: Candidate, captures: Captures) => Diagnosis<E> | undefined
}

/** Judges what an isolate does with its CPU time. */
export interface CpuDetector<E extends Evidence = Evidence> extends About {
  readonly needs: 'cpu'
  readonly diagnose: (work: IsolateWork, known: { readonly sources: Sources }) => Observation<E> | undefined
}

/** Judges the resident memory of a process. */
export interface MemoryDetector<E extends Evidence = Evidence> extends About {
  readonly needs: 'memory'
  readonly diagnose: (memory: ProcessMemory) => Observation<E> | undefined
}

/** Judges which files a process has open. */
export interface FilesDetector<E extends Evidence = Evidence> extends About {
  readonly needs: 'files'
  /** One for each kind of file, and folder, of which there are too many. */
  readonly diagnose: (files: OpenFiles, captures: Captures) => readonly Observation<E>[]
}

/** Judges a function whose allocations stay, by samples alone. */
export interface AllocationsDetector<E extends Evidence = Evidence> extends About {
  readonly needs: 'allocations'
  readonly diagnose: (site: GrowingSite) => Observation<E> | undefined
}

/** Judges how busy threads are, as the system counts it. */
export interface ThreadsDetector<E extends Evidence = Evidence> extends About {
  readonly needs: 'threads'
  readonly diagnose: (thread: ThreadTimes, about: { readonly sources: Sources }) => Observation<E> | undefined
}

export type Detector =
  | HeapDetector
  | CpuDetector
  | MemoryDetector
  | FilesDetector
  | AllocationsDetector
  | ThreadsDetector

/** What a detector says of a candidate. */
export interface Diagnosis<E extends Evidence = Evidence> {
  /** Which of its patterns, where a detector has several. */
  readonly pattern?: string
  readonly title: string
  /** Instead of the candidate's own likelihood, where the detector has grounds of its own. */
  readonly likelihood?: Likelihood
  /** Where the detector knows the line better than a look along the path does. */
  readonly culprit?: Culprit | undefined
  /** Another retaining path to show, as ordinals that end at one of the objects; left out, it is the candidate's. */
  readonly way?: readonly number[] | undefined
  readonly evidence: E
  /** One or two sentences on what to change, in the names of this program. */
  readonly advice: string
  /** Recognises other candidates of the same cause, which hold other objects: they make no finding of their own. */
  readonly covers?: (other: Candidate) => boolean
  /** Candidates of the same pattern and cause make one finding; left out, those with the same fingerprint do. */
  readonly cause?: string
  /** What tells it from others that are held in the same way, such as a function's name: a part of the fingerprint. */
  readonly tellsApart?: string
}

/** What a detector says that was given no heap. */
export interface Observation<E extends Evidence = Evidence> {
  readonly title: string
  readonly grounds: readonly Ground[]
  /** The most serious that it may be, however sure it is; left out, an error. */
  readonly mostSevere?: 'warning' | 'note'
  /** What it wastes, if it is no leak. */
  readonly wastes?: 'cpu' | 'memory'
  readonly culprit?: Culprit | undefined
  /** What makes it another finding than others of its pattern, given the culprit as it is shown. */
  readonly identity: (culprit: Culprit | null) => readonly string[]
  readonly growth?: Partial<ReportFinding['growth']>
  readonly evidence: E
  /** One or two sentences on what to change, in the names of this program. */
  readonly advice: string
}

/** What one isolate was seen doing with its CPU time, in some seconds. */
export interface IsolateWork {
  readonly isolate: string
  /** Each is null where it is not known. */
  readonly look: {
    /** Share of the time, from 0 to 1, in which the event loop was not waiting. */
    readonly busy: number | null
    readonly turnsPerSecond: number | null
    /** Events that came from outside of the thread. */
    readonly eventsPerSecond: number | null
    /** Whether the thread did not come back to its event loop. */
    readonly caught: boolean
  }
  readonly cpu: CpuTime | undefined
  /** What was allocated, in bytes, and outlived the first collection that it met; undefined where that was not measured. */
  readonly allocated:
    | {
        readonly stacks: readonly TimedStack[]
        readonly seconds: number
        /** Whether objects that have been collected are counted; if not, only those that are alive at the end. */
        readonly tellsCollected: boolean
      }
    | undefined
}

/** What was measured of a process's resident memory; what was not measured is undefined. */
export interface ProcessMemory {
  /** While the process was left alone: a snapshot leaves idle memory as well. */
  readonly idle?: {
    /** In order of time. */
    readonly looks: readonly IdleMemory[]
    /** As the ledger names it, with the number of its arenas. */
    readonly allocator: { readonly name: string; readonly arenas: number | null } | null
  }
  /** Growth that neither the heap nor ArrayBuffers account for, and that no finding explains. */
  readonly unexplained?: {
    readonly trend: OffHeapTrend
    /** Native addons that are loaded; undefined where that is not known. */
    readonly addons: readonly NativeAddon[] | undefined
    readonly pid: number | undefined
  }
}

/** How much of a process's memory lay idle in its allocator at one moment. */
export interface IdleMemory {
  readonly atMs: number
  readonly rssBytes: number
  readonly idleBytes: number
}

export interface NativeAddon {
  readonly file: string
  /** The npm package that it is of; null where it is of none. */
  readonly package: string | null
  readonly version: string | null
}

/** How busy a thread that runs JavaScript was for some seconds. */
export interface ThreadTimes {
  readonly pid: number
  readonly isolate: string
  readonly seconds: number
  /** Which part of the time it ran or was about to. */
  readonly share: number
  /** Calls of all threads that read from files, sockets and pipes; undefined where the system does not count. */
  readonly readsPerSecond: number | undefined
  /** At several moments: the functions that it was in, the innermost first. */
  readonly stacks: readonly (readonly ThreadFrame[])[]
  /** At the same moments: where functions begin that it has run in the next turn of its event loop. */
  readonly scheduled: readonly (readonly (ScriptPlace & { readonly function: string })[])[]
}

interface ThreadFrame extends ScriptPlace {
  readonly function: string | null
  /** Where the function begins. */
  readonly begin: Pick<ScriptPlace, 'line' | 'column'>
}

export interface OpenFiles {
  /** In order of time. */
  readonly looks: readonly FilesSeen[]
  /** How many files the process may have open at most. */
  readonly limit: number | undefined
}

/** What was open at one moment, as `readOpenFiles` counts it. */
export interface FilesSeen {
  readonly atMs: number
  readonly files: readonly {
    readonly kind: string
    /** The folder of a file; the other end of anything else. */
    readonly peer: string
    readonly count: number
    /** How many different names they have. */
    readonly names: number
    readonly example: string
  }[]
}
