// What a detector is given, and what it says.

import type { AllocationStack } from '../analysis/allocations.ts'
import type { HeapSeries } from '../analysis/compare.ts'
import type { CpuTime, TimedStack } from '../analysis/cpu-time.ts'
import type { Culprit, ReadSource } from '../analysis/culprit.ts'
import type { Suspect } from '../analysis/suspect.ts'
import type { Ground } from '../findings/confidence.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import type { PathStep } from '../graph/retaining-path.ts'
import type { Sources } from '../source/app-modules.ts'
import type { ScriptSources } from '../support/script-sources.ts'

/** One isolate's snapshots, worked out. */
export interface IsolateHeap {
  readonly isolate: string
  readonly heap: HeapSeries
  readonly graph: HeapGraph
  /** When each snapshot was taken; only differences mean something. */
  readonly seconds: readonly number[]
  /** How long its thread stood still for each; undefined where nobody measured that. */
  readonly pausedMs?: readonly number[]
  /** All, biggest first, also those whose growth looks healthy. */
  readonly suspects: readonly Suspect[]
  /** What was allocated meanwhile and stayed, by stack, where a profile was recorded; by isolate. */
  readonly allocations?: readonly AllocationStack[] | undefined
  /** Bytes by which the heap has grown from the first snapshot to the last. */
  readonly growthBytes: number
  /** What the process was asked of single views of buffers while it still ran, by V8's id; a snapshot does not tell it. */
  readonly live?: ReadonlyMap<number, LiveView>
  /** What it said of suspended functions, by V8's id. */
  readonly frames?: ReadonlyMap<number, LiveFrame>
}

/** Where a function waits that is suspended, and the objects that its local variables hold. */
export interface LiveFrame {
  /** In its script, both 1-based. */
  readonly line: number
  readonly column: number
  readonly locals: readonly {
    readonly name: string
    /** V8's id; undefined where that could not be had. */
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
  /** What scripts were made of, and how their places are shown; without it, as `readSource` has them. */
  readonly sources?: ScriptSources | undefined
  /** Of the process, `v22.9.0`; undefined where nobody has written it down. */
  readonly nodeVersion?: string | undefined
}

/** A suspect that may be a leak by its trend, with how it is held. */
export interface Candidate {
  readonly suspect: Suspect
  readonly of: IsolateHeap
  /** Ordinals, from where the program keeps it to one of the objects. */
  readonly way: readonly number[]
  /** The same in words. */
  readonly path: readonly PathStep[]
  /** What the container is called, by the names on the path: `sessions`, `pool.#free`; `a Map` where it has none. */
  readonly name: string
  /** How likely it is that this is a leak at all, by its numbers and by what stands beside it. */
  readonly likelihood: Likelihood
}

export interface Likelihood {
  readonly grounds: readonly Ground[]
  /** A number beside it says how much it may hold, or how long. */
  readonly bounded?: true
  /** How many it may hold, where that is known. */
  readonly most?: number
  /** A line of the source takes things out of it. */
  readonly takenOut?: true
}

/** What a detector makes of a candidate. */
export interface Diagnosis {
  readonly title: string
  /** Instead of the candidate's own likelihood, where the pattern makes it more or less sure. */
  readonly likelihood?: Likelihood
  /** Where the detector knows better than a look along the path. */
  readonly culprit?: Culprit | undefined
  /** The way to tell instead of the candidate's own: ordinals, to one of the objects. */
  readonly way?: readonly number[] | undefined
  /** Numbers and names that the judgement rests on; specific to the pattern. */
  readonly evidence: Readonly<Record<string, unknown>>
  /** One or two sentences on what to change, in the words of this program. */
  readonly advice: string
  /** Other candidates that are of the same cause although they do not hold the same objects. */
  readonly covers?: (other: Candidate) => boolean
  /** Candidates that a detector says this of alike have one cause, and make one finding; left out, its fingerprint tells. */
  readonly cause?: string
  /** Where it is in another isolate that the fault is. */
  readonly isolate?: string
}

export interface Detector {
  readonly pattern: string
  /** Judges one candidate; undefined where it is not of this pattern. Pure. */
  readonly diagnose: (candidate: Candidate, captures: Captures) => Diagnosis | undefined
}

/** What one isolate was seen doing with its CPU time, in some seconds. */
export interface IsolateWork {
  readonly isolate: string
  /** Null where it is not known. */
  readonly look: {
    /** Share of the time, from 0 to 1, that the event loop was not waiting. */
    readonly busy: number | null
    readonly turnsPerSecond: number | null
    /** What came from outside of the thread. */
    readonly eventsPerSecond: number | null
    /** Whether it did not come back to its event loop. */
    readonly caught: boolean
  }
  readonly cpu: CpuTime | undefined
  /** What was allocated, in bytes, and outlived the first collection that it met; undefined where that was not looked at. */
  readonly allocated:
    | {
        readonly stacks: readonly TimedStack[]
        readonly seconds: number
        /** Whether what is gone is among it; if not, only what is alive at the end. */
        readonly tellsCollected: boolean
      }
    | undefined
}

/** What a detector makes of how an isolate spends its time. */
export interface Waste {
  readonly title: string
  readonly culprit: Culprit | undefined
  readonly grounds: readonly Ground[]
  readonly evidence: Readonly<Record<string, unknown>>
  readonly advice: string
}

/** Finds what is no leak, and wastes CPU time. */
export interface WasteDetector {
  readonly pattern: string
  /** Judges one isolate; undefined where it does not do that. Pure, but for reading sources. */
  readonly diagnose: (work: IsolateWork, known: { readonly sources: Sources }) => Waste | undefined
}
