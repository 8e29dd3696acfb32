// What a heap snapshot will cost its target, foretold from the sizes of V8's spaces: a pause, memory, and a file.
//
// V8 makes an entry for each object and an edge for each reference, in memory of its own beside the heap, and so the
// price goes by the number of objects and not by their bytes. How many there are, V8 does not tell for nothing. What it
// tells is how much is used of the spaces that hold objects below some 128 KB, and those are alike in most heaps:
//
//   bytes per object   an array of closures 50, of strings 48, of { next, flag } 40 to 56; Maps 62, one big Map 32;
//                      instances with three doubles 28; records as of JSON.parse 33; promises 62; typescript loaded 66
//
// so that a guess from bytes is right within a factor of 2.6, but for heaps of long texts, for which it is many times
// too high, as it is for garbage. A count by V8 itself (see object-count.ts) takes the guess away.
//
// What one object then costs, over the same heaps on Node 20: 2.3 to 6.1 µs, 300 to 700 bytes of memory, 63 to 187
// bytes of the file, where those with numbers in them cost most: each number is two more nodes. Beside that, V8 keeps
// 1,024 bytes for the name of each index at which some array has an object (`StringsStorage::GetVFormatted` lets go of
// no buffer: https://github.com/nodejs/node/blob/main/deps/v8/src/profiler/strings-storage.cc), that is for each element
// of the longest array: 800,000 objects in one array need 1.2 GB, in arrays of a thousand 0.4 GB. Arrays that long lie
// in the large object space, which therefore bounds it, at eight bytes for an element; so do large texts and tables.
//
// The best of up to three runs each, with the pause as processor time; S are MB of small objects, L of large ones:
//
//   heap                         Node   S     L     nodes      pause     memory    file
//   nearly empty                 20     3.7   0.3      43,000   0.2 s     26 MB    4 MB
//   800,000 objects, one array   20    35     7       843,000   3.2 s   1209 MB  105 MB
//                                24    37    17       862,000   2.3 s   1163 MB   98 MB
//   1,000 arrays of 1,000        20    60     0     1,045,000   2.6 s    401 MB  117 MB
//                                22    57     0     1,059,000   2.3 s    359 MB  118 MB
//                                24    56     0     1,064,000   1.8 s    364 MB  109 MB
//                                26    63     0     1,066,000   1.8 s    377 MB  109 MB
//   a list of 1 M                18    52     0     1,038,000   3.8 s    362 MB   92 MB
//                                20    52     0     1,043,000   2.5 s    367 MB   96 MB
//   1 M texts, one array         20    52    18     1,044,000   4.1 s   1613 MB  110 MB
//                                26    49    11     1,064,000   3.5 s   1547 MB  105 MB
//   2,000 texts of 50 KB         20   104     0        46,000   0.2 s      7 MB    7 MB
//   10 M doubles in 100 arrays   20    10    89        44,000   0.2 s      1 MB    4 MB
//   40,000 Maps                  20   109     1     1,723,000   4.0 s    540 MB  109 MB
//   a Map of 400,000             20    43    29     1,243,000   4.1 s   1256 MB   90 MB
//   400,000 closures             20    65    12     1,243,000   4.1 s    842 MB  127 MB
//   300,000 × three doubles      20    32     3     2,144,000   3.7 s    765 MB  130 MB
//   100,000 records              20    40     2     1,343,000   5.8 s    662 MB   93 MB
//                                24    47     2     1,361,000   2.5 s    513 MB   85 MB
//   200,000 promises             20    16     4       243,000   0.9 s    296 MB   23 MB
//   200 MB in Buffers            20     3.6   0.3      50,000   0.2 s     28 MB    5 MB
//   typescript loaded            20    11    10       151,000   0.8 s     75 MB   14 MB
//
// Node 18 has a trouble of its own: its table of names degenerates where many texts look like numbers, and the records
// took it 42 s, 1 M texts 187 s. That cannot be foretold, so its cautious end is higher, and still may be too low.
//
// How good it is, over 19 kinds of heap on Node 20 to 26 (test/bench/price.mjs): what is called likely is within a
// factor of 2 of the pause in 84 % and of the peak of resident memory in 84 to 92 %, and within 1.5 of the file in 58 to
// 71 %; with the objects counted, in 92, 100, and 89 to 95 %. All lay below the cautious end of the guess, and 97 to
// 100 % below that of the count. What a busy machine adds to the pause is not in it.

/** A quantity that is only guessed: `likely` is the best guess; what is above `high` was seen in hostile heaps only. */
export interface Range {
  readonly low: number
  readonly likely: number
  readonly high: number
}

export interface HeapFacts {
  /** Used bytes of the spaces of small objects. */
  readonly smallBytes: number
  /** Used bytes of the spaces of large objects. */
  readonly largeBytes: number
  /** Of the Node that it runs on. */
  readonly major: number
  /** How many objects there are, where that was counted; it makes the ranges narrower. */
  readonly objects: number | null
}

/** Of one isolate's snapshot. */
export interface Price {
  readonly objects: Range
  /** How long its thread will do nothing else. */
  readonly pauseMs: Range
  /** What the process will take for it beside what it has. */
  readonly memoryBytes: Range
  /** The file, not packed. */
  readonly fileBytes: Range
}

const range = (low: number, likely: number, high: number): Range => ({ low, likely, high })

/** What Node itself has in its heap: every process has it, at some 90 bytes an object. */
const OWN_BYTES = 4e6
const BYTES_PER_OWN_OBJECT = range(110, 90, 65)
/** The other way round: many bytes for each make few objects. */
const BYTES_PER_OBJECT = range(100, 45, 25)

const MEMORY_PER_OBJECT = range(230, 420, 700)
const MEMORY_ANYHOW = range(0, 20e6, 40e6)
const FILE_PER_OBJECT = range(58, 95, 190)

const BYTES_PER_INDEX_NAME = 1024
const BYTES_PER_ELEMENT = 8
/** Which part of the large space is arrays in use: an array that has grown is up to a third empty, and left a copy. */
const ARRAY_SHARE = range(0, 0.5, 1)
const COUNTED_ARRAY_SHARE = range(0, 0.7, 1)
/** No array was seen that is longer than there are objects, and few that have most of them. */
const LONGEST_ARRAY_SHARE = range(0, 0.6, 1)

interface Speed {
  readonly microsPerObject: Range
  readonly microsPerIndexName: number
}

/** Of the machine that this was measured on, see `REFERENCE_MS` in machine-speed.ts. */
const SPEEDS: Readonly<Record<number, Speed>> = {
  18: { microsPerObject: range(3, 5, 15), microsPerIndexName: 4 },
  20: { microsPerObject: range(2, 3, 6.2), microsPerIndexName: 1.2 },
  22: { microsPerObject: range(1.7, 2.5, 5), microsPerIndexName: 1.2 },
  24: { microsPerObject: range(1.2, 2, 4.2), microsPerIndexName: 1.2 },
  26: { microsPerObject: range(1.2, 2, 4.2), microsPerIndexName: 1.2 },
}
const OLDEST = 18
const NEWEST = 26
const PAUSE_ANYHOW_MS = range(20, 60, 150)

/** @param slowness how many times slower the target's machine is than the one that this was measured on */
export function foretell(facts: HeapFacts, slowness = 1): Price {
  const objects = facts.objects === null ? guessObjects(facts.smallBytes) : same(facts.objects)
  const share = facts.objects === null ? ARRAY_SHARE : COUNTED_ARRAY_SHARE
  const indexNames = each((end) =>
    Math.min((facts.largeBytes * share[end]) / BYTES_PER_ELEMENT, objects[end] * LONGEST_ARRAY_SHARE[end]),
  )
  const { microsPerObject, microsPerIndexName } = SPEEDS[speedOf(facts.major)]!
  return {
    objects,
    pauseMs: each(
      (end) =>
        slowness *
        (PAUSE_ANYHOW_MS[end] + (objects[end] * microsPerObject[end] + indexNames[end] * microsPerIndexName) / 1000),
    ),
    memoryBytes: each(
      (end) => MEMORY_ANYHOW[end] + objects[end] * MEMORY_PER_OBJECT[end] + indexNames[end] * BYTES_PER_INDEX_NAME,
    ),
    fileBytes: each((end) => objects[end] * FILE_PER_OBJECT[end]),
  }
}

/** Odd majors are short-lived; they are taken for the even one before. */
function speedOf(major: number): number {
  return Number.isFinite(major) ? Math.min(NEWEST, Math.max(OLDEST, major - (major % 2))) : OLDEST
}

const same = (value: number) => range(value, value, value)
/** In whole numbers: a guess has no fractions. */
const each = (of: (end: keyof Range) => number) =>
  range(Math.round(of('low')), Math.round(of('likely')), Math.round(of('high')))

function guessObjects(smallBytes: number): Range {
  const own = Math.min(smallBytes, OWN_BYTES)
  return each((end) => own / BYTES_PER_OWN_OBJECT[end] + (smallBytes - own) / BYTES_PER_OBJECT[end])
}

/** Of the price that has most of it. */
export function longestPause(prices: readonly Price[]): Range {
  return each((end) => Math.max(0, ...prices.map((price) => price.pauseMs[end])))
}

/** Of several isolates, one after the other, as often as there are rounds. */
export function total(prices: readonly Price[], rounds: number): Price {
  const sum = (of: (price: Price) => Range) => each((end) => prices.reduce((bytes, price) => bytes + of(price)[end], 0))
  return {
    objects: sum((price) => price.objects),
    pauseMs: sum((price) => price.pauseMs),
    // What one has taken, the next can use; but allocators keep threads apart, and then it adds up.
    memoryBytes: {
      ...each((end) => Math.max(0, ...prices.map((price) => price.memoryBytes[end]))),
      high: sum((price) => price.memoryBytes).high,
    },
    fileBytes: each((end) => rounds * sum((price) => price.fileBytes)[end]),
  }
}

/** The file as it becomes when it is packed. */
export function packed(price: Price, path: string): Price {
  const share = packedShare(path)
  return { ...price, fileBytes: each((end) => price.fileBytes[end] * share[end]) }
}

/** How much of its size a file keeps that is packed, by its ending; texts that are all alike pack better. */
function packedShare(path: string): Range {
  if (path.endsWith('.gz')) return range(0.07, 0.2, 0.27)
  if (path.endsWith('.zst')) return range(0.05, 0.13, 0.25)
  return range(1, 1, 1)
}
