// One input through everything: refused with good words, or answered rightly.

import { ok, deepStrictEqual as same } from 'node:assert'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { openWorth } from '../../dist/analysis/open-snapshot.js'
import { LeakscopeError } from '../../dist/errors.js'
import { HeapGraph } from '../../dist/graph/heap-graph.js'
import { listIndexes } from '../../dist/snapshot/index-cache.js'
import { parseSource, readSnapshot } from '../../dist/snapshot/read.js'
import { startSecondThread } from '../../dist/support/second-thread.js'
import { checkAnalysis, checkCommands, checkGrowth } from './check-analysis.mjs'
import { checkColumns } from './check-columns.mjs'
import { checkGraph } from './check-graph.mjs'
import { mutateBytes } from './mutate-bytes.mjs'
import { consult } from './oracle.mjs'

/** Of the inputs that are heaps, this share goes through the commands too, with files on disk. */
const COMMANDS_SHARE = 0.05
/** And this share is made to leak, so that there is something for the detectors. */
const GROWING_SHARE = 0.02
/** This share is read a second time, in other pieces. */
const PIECES_SHARE = 0.25
/** And this share is packed, with or without damage to the packed bytes. */
const PACKED_SHARE = 0.05
/** This share is read by two threads, from both ends. */
const BOTH_ENDS_SHARE = 0.25
/** Of the inputs that are heaps, this share is opened by two threads and then from an index, which may be damaged. */
const INDEX_SHARE = 0.01
const REFUSALS = ['snapshot-malformed', 'snapshot-mismatch']
/** Messages for what is right but written as V8 never writes it. */
const NOT_AS_V8 = /at most 14 blanks between|expected a number, found|expected ',|expected '\]' behind/

/** Hands the bytes over in pieces, as a file's or pipe's reads do. */
function source(bytes, nextLength, known) {
  let at = 0
  return {
    fileBytes: bytes.length,
    maxBytes: known ? bytes.length : undefined,
    async read(target, from) {
      const piece = bytes.subarray(at, at + Math.min(nextLength(), target.length - from))
      target.set(piece, from)
      at += piece.length
      return piece.length
    },
    progress: () => at / bytes.length,
    close: async () => {},
  }
}

async function read(bytes, nextLength, known = true) {
  try {
    return await parseSource('input', source(bytes, nextLength, known))
  } catch (error) {
    if (error instanceof LeakscopeError) return error
    throw error
  }
}

/**
 * @returns {Promise<string>} `accepted`, or the code of the refusal
 * @throws if the outcome is wrong
 */
export async function examine(input, folder) {
  const { bytes, random } = input
  const most = random.pick([7, 60, 1000, 5000, 1 << 20, 1 << 20])
  const outcome = await read(bytes, () => 1 + random.below(most))
  const opinion = consult(bytes)
  if (outcome instanceof LeakscopeError) {
    same(outcome.code, 'snapshot-malformed')
    ok(/ byte \d+/.test(outcome.message), `the message names no byte: ${outcome.message}`)
    ok(
      opinion.verdict === 'invalid' || (opinion.verdict === 'open' && NOT_AS_V8.test(outcome.message)),
      `a valid heap is refused: ${outcome.message}`,
    )
  } else {
    ok(opinion.verdict !== 'invalid', `accepted, though it is wrong: ${opinion.why}`)
    checkColumns(outcome, opinion.file)
  }
  if (random.chance(PIECES_SHARE)) await checkPieces(bytes, outcome, random)
  if (random.chance(PACKED_SHARE)) await checkPacked(input, outcome, folder)
  if (random.chance(BOTH_ENDS_SHARE)) await checkBothEnds(bytes, outcome, folder)
  if (outcome instanceof LeakscopeError) return outcome.code

  const graph = new HeapGraph(outcome)
  if (random.chance(INDEX_SHARE)) await checkIndex(input, graph, folder)
  checkGraph(graph, random)
  checkAnalysis(graph, random)
  const commands = [
    ...(random.chance(COMMANDS_SHARE) ? [() => checkCommands(graph, input, folder)] : []),
    ...(random.chance(GROWING_SHARE) ? [() => checkGrowth(input, folder)] : []),
  ]
  for (const check of commands) {
    try {
      await check()
    } catch (error) {
      if (!(error instanceof LeakscopeError)) throw error
      ok(REFUSALS.includes(error.code), error.message)
      return error.code
    }
  }
  return 'accepted'
}

/** The same bytes in other pieces, from a file or a pipe, must come to the same. */
async function checkPieces(bytes, whole, random) {
  const most = random.pick([7, 60, 1000, 5000])
  const known = random.chance(0.7)
  const again = await read(bytes, () => 1 + random.below(most), known)
  if (whole instanceof LeakscopeError) {
    ok(again instanceof LeakscopeError, 'refused as a whole, accepted in pieces')
    // Of two things wrong, another one may be seen first; and what is found is shown as far as it is there.
    const [one, other] = [whole, again].map(({ message }) => message.replace(/, found '.*/s, ''))
    const says = (message) => message.replace(/ byte \d+/, '')
    if (says(one) === says(other)) same(other, one)
    return
  }
  ok(!(again instanceof LeakscopeError), `accepted as a whole, refused in pieces: ${again.message}`)
  sameSnapshot(again, whole, 'in pieces')
}

function sameSnapshot(again, whole, how) {
  for (const column of ['nodeType', 'nodeName', 'nodeId', 'selfSize', 'firstEdge', 'edges', 'edgeNameOrIndex']) {
    same(Buffer.compare(bytesOf(again[column]), bytesOf(whole[column])), 0, `${column} ${how}`)
  }
  same(again.locations, whole.locations)
  same(again.strings.count, whole.strings.count)
  for (let i = 0; i < whole.strings.count; i++) same(again.strings.get(i), whole.strings.get(i))
}

const second = startSecondThread()

/** Two threads that read from both ends come to the same as one that reads from the start, word for word. */
async function checkBothEnds(bytes, whole, folder) {
  const file = join(folder, 'input.heapsnapshot')
  writeFileSync(file, bytes)
  const [alone, together] = await Promise.all(
    [undefined, second].map((thread) =>
      readSnapshot(file, {}, thread).catch((error) => {
        if (error instanceof LeakscopeError) return error
        throw error
      }),
    ),
  )
  if (alone instanceof LeakscopeError || together instanceof LeakscopeError) {
    return same(together.message, alone.message)
  }
  ok(!(whole instanceof LeakscopeError), 'refused in memory, accepted from a file')
  sameSnapshot(together, alone, 'from both ends')
}

/** A heap opened by two threads, and from an index, whole or damaged, is the heap. */
async function checkIndex({ bytes, random }, graph, folder) {
  const file = join(folder, 'input.heapsnapshot')
  process.env.LEAKSCOPE_CACHE = join(folder, 'cache')
  writeFileSync(file, bytes)
  for (let round = 0; round < 3; round++) {
    const opened = await openWorth(file, {}, { thread: 0, index: 0 })
    same(bytesOf(Float64Array.from(opened.graph.retainedSizes)), bytesOf(Float64Array.from(graph.retainedSizes)))
    same([...opened.graph.dominators.immediate], [...graph.dominators.immediate])
    await opened.close()
    const [index] = listIndexes()
    if (!index || round === 0) continue
    const whole = readFileSync(index.path)
    writeFileSync(index.path, mutateBytes(whole, whole, random))
  }
  rmSync(process.env.LEAKSCOPE_CACHE, { recursive: true, force: true })
}

/** The same bytes gzipped: a damaged packing is refused, a whole one changes nothing. */
async function checkPacked({ bytes, before, random }, plain, folder) {
  const whole = gzipSync(bytes, { level: 1 })
  const packed = random.chance(0.5) ? mutateBytes(whole, gzipSync(before), random) : whole
  const file = join(folder, 'input.heapsnapshot.gz')
  writeFileSync(file, packed)
  const again = await readSnapshot(file).catch((error) => {
    if (error instanceof LeakscopeError) return error
    throw error
  })
  if (again instanceof LeakscopeError) {
    same(again.code, 'snapshot-malformed')
    ok(/ byte \d+/.test(again.message) || packed.length === 0, `the message names no byte: ${again.message}`)
    if (packed === whole) ok(plain instanceof LeakscopeError, `refused when packed: ${again.message}`)
    return
  }
  // Damage that lets the checksum pass leaves what is packed alone, or is another file's whole.
  ok(!(plain instanceof LeakscopeError) || packed !== whole, 'refused when plain, accepted when packed')
  if (packed === whole) same(again.nodeCount, plain.nodeCount)
}

const bytesOf = ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)
