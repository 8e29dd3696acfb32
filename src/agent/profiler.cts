// Profiles by v8-profiler-next where that is installed. It is loaded when the first one is asked for; what it gives is
// put into the protocol's own shapes, so that nobody needs to know who took it.

import { dirname } from 'node:path'

/** What we use of the addon. */
interface Addon {
  setGenerateType(type: 1): void
  setSamplingInterval(us: number): void
  startProfiling(name: string, samples: boolean): void
  stopProfiling(name: string): CpuProfile & { delete(): void }
  startSamplingHeapProfiling(intervalBytes: number, depth: number): void
  stopSamplingHeapProfiling(): { readonly head: HeapNode }
}

interface CallFrame {
  readonly functionName: string
  readonly scriptId: number | string
  readonly url: string
  readonly lineNumber: number
  readonly columnNumber: number
}

interface CpuNode {
  readonly id: number
  readonly hitCount: number
  readonly callFrame: CallFrame
  readonly children?: readonly number[]
}

interface CpuProfile {
  readonly nodes: readonly CpuNode[]
  readonly startTime: number
  readonly endTime: number
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

interface HeapNode {
  readonly callFrame: CallFrame
  readonly selfSize: number
  readonly children: readonly HeapNode[]
}

interface Params {
  /** Microseconds between two samples of the CPU. */
  readonly interval?: number
  /** Bytes between two samples of the heap. */
  readonly samplingInterval?: number
  readonly includeObjectsCollectedByMajorGC?: boolean
  readonly includeObjectsCollectedByMinorGC?: boolean
}

export interface Profiler {
  /**
   * The answer to a request for a profile; undefined when it is none, when the addon is not there, or cannot do it.
   * Throws an Error when somebody else takes such a profile already.
   */
  answer(method: string, params: Params): object | undefined
  /** Ends what was not ended. */
  close(): void
}

const NAME = 'leakscope'
// The protocol's own defaults.
const CPU_INTERVAL_US = 1000
const HEAP_INTERVAL_BYTES = 32_768
const DEPTH = 128

let loaded: { readonly addon: Addon | undefined } | undefined
/** Who takes a profile of either kind; V8 has one of each. */
const takenBy: { cpu?: Profiler; heap?: Profiler } = {}

export function createProfiler(): Profiler {
  let cpuIntervalUs = CPU_INTERVAL_US

  function take(kind: 'cpu' | 'heap'): void {
    if (takenBy[kind]) throw new Error(`a ${kind} profile of this process is being taken already`)
    takenBy[kind] = profiler
  }
  function giveBack(kind: 'cpu' | 'heap'): void {
    if (takenBy[kind] !== profiler) throw new Error(`no ${kind} profile was started`)
    delete takenBy[kind]
  }

  const answers: Partial<Record<string, (addon: Addon, params: Params) => object | undefined>> = {
    'Profiler.enable': () => ({}),
    'Profiler.disable': () => ({}),
    'Profiler.setSamplingInterval': (_, { interval }) => {
      cpuIntervalUs = interval ?? CPU_INTERVAL_US
      return {}
    },
    'Profiler.start': (addon) => {
      take('cpu')
      addon.setGenerateType(1)
      addon.setSamplingInterval(cpuIntervalUs)
      addon.startProfiling(NAME, true)
      return {}
    },
    'Profiler.stop': (addon) => {
      giveBack('cpu')
      const profile = addon.stopProfiling(NAME)
      const { startTime, endTime, samples, timeDeltas } = profile
      const nodes = profile.nodes.map((node) => ({ ...node, callFrame: callFrame(node.callFrame) }))
      profile.delete()
      return { profile: { nodes, startTime, endTime, samples, timeDeltas } }
    },
    'HeapProfiler.startSampling': (addon, params) => {
      if (params.includeObjectsCollectedByMajorGC || params.includeObjectsCollectedByMinorGC) return undefined
      take('heap')
      addon.startSamplingHeapProfiling(params.samplingInterval ?? HEAP_INTERVAL_BYTES, DEPTH)
      return {}
    },
    'HeapProfiler.stopSampling': (addon) => {
      if (takenBy.heap !== profiler) return undefined // started where there are no objects left out
      giveBack('heap')
      return { profile: { head: heapNode(addon.stopSamplingHeapProfiling().head), samples: [] } }
    },
  }

  const profiler: Profiler = {
    answer(method, params) {
      const answer = answers[method]
      const addon = answer && load()
      return addon && answer(addon, params)
    },
    close() {
      if (takenBy.cpu === profiler) profiler.answer('Profiler.stop', {})
      if (takenBy.heap === profiler) profiler.answer('HeapProfiler.stopSampling', {})
    },
  }
  return profiler
}

/** The program's own v8-profiler-next, or the one beside leakscope; undefined when there is none that works here. */
function load(): Addon | undefined {
  loaded ??= { addon: tryLoad() }
  return loaded.addon
}

function tryLoad(): Addon | undefined {
  const places = [process.cwd(), __dirname]
  if (process.argv[1] !== undefined) places.unshift(dirname(process.argv[1]))
  // It puts itself there.
  const before = Reflect.getOwnPropertyDescriptor(process, 'profiler')
  try {
    return require(require.resolve('v8-profiler-next', { paths: places }))
  } catch {
    return undefined // not installed, not compiled for this Node, or forbidden
  } finally {
    if (before) Reflect.defineProperty(process, 'profiler', before)
    else Reflect.deleteProperty(process, 'profiler')
  }
}

/** The addon counts lines and columns from 1, as V8 does, and the protocol from 0. */
function callFrame({ functionName, scriptId, url, lineNumber, columnNumber }: CallFrame): CallFrame {
  return {
    functionName,
    scriptId: String(scriptId),
    url,
    lineNumber: lineNumber - 1,
    columnNumber: columnNumber - 1,
  }
}

/** With an id for each node, in the order of a walk. Not deeper than `DEPTH`. */
function heapNode(root: HeapNode): object {
  let lastId = 0
  const convert = (node: HeapNode): object => ({
    callFrame: callFrame(node.callFrame),
    selfSize: node.selfSize,
    id: ++lastId,
    children: node.children.map(convert),
  })
  return convert(root)
}
