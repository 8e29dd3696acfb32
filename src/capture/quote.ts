// Finds out what a snapshot of some isolates of a process would cost, and whether there is room for it.

import type { LeakscopeError } from '../errors.ts'
import { readCpuLimit } from '../target/os-facts.ts'
import type { ProtocolClient } from '../target/session.ts'
import { readHeapSizes } from './isolate-facts.ts'
import { machineSlowness } from './machine-speed.ts'
import { COUNT_BYTES, COUNT_MICROS, countObjects } from './object-count.ts'
import { foretell, longestPause, type Price, packed, total } from './price.ts'
import { findRoom, type Objection, objections, type Room } from './room.ts'

export interface QuotedIsolate {
  readonly isolate: string
  readonly client: ProtocolClient
}

export interface QuoteOptions {
  /** On this machine; undefined for a process elsewhere. */
  readonly pid: number | undefined
  readonly nodeVersion: string
  /** Where the files go. */
  readonly folder: string
  /** The name of a file, whose ending tells how it is packed. */
  readonly file: string
  /** How many snapshots of each isolate. */
  readonly rounds: number
  readonly maxPauseMs: number
  readonly memoryLimitBytes: number | undefined
  /** Called before the objects are counted, which takes a moment. */
  readonly onCount?: () => void
}

export interface IsolateQuote {
  readonly isolate: string
  /** Whether its objects were counted, rather than guessed. */
  readonly counted: boolean
  /** Null where it did not tell how large its heap is. */
  readonly price: Price | null
}

export interface Quote {
  readonly isolates: readonly IsolateQuote[]
  /** Of those that are known. */
  readonly total: Price
  readonly room: Room
  /** Empty when it can be paid. */
  readonly objections: readonly Objection[]
}

const ANSWER_MS = 1000
/** Of the pause that is allowed, what a mere question may take of it. */
const COUNT_SHARE = 0.25

/**
 * Guesses from the sizes of the heaps. Only where that guess, at its cautious end, would not do, and counting the
 * objects surely does no harm, they are counted. What cannot be asked is left out.
 */
export async function quote(isolates: readonly QuotedIsolate[], options: QuoteOptions): Promise<Quote> {
  const { pid } = options
  const slowness = pid === undefined ? 1 : machineSlowness() / Math.min(1, readCpuLimit(pid) ?? 1)
  const guessed = await Promise.all(isolates.map((each) => ask(each, options, slowness)))
  const guess = judge(guessed, options)
  if (guess.objections.length === 0 || !mayCount(guessed, guess, options)) return guess
  options.onCount?.()
  const counted: Asked[] = []
  // One after the other, as their snapshots.
  for (const [i, each] of isolates.entries()) {
    const objects = await ifItCan(countObjects(each.client))
    const again = objects === undefined ? undefined : await ask(each, options, slowness, objects)
    counted.push(again?.price ? again : guessed[i]!)
  }
  return judge(counted, options)
}

interface Asked extends IsolateQuote {
  readonly rssBytes: number | null
}

async function ask(
  { isolate, client }: QuotedIsolate,
  { nodeVersion, file }: QuoteOptions,
  slowness: number,
  objects: number | null = null,
): Promise<Asked> {
  const { spaces = null, rssBytes = null } = (await ifItCan(readHeapSizes(client, ANSWER_MS))) ?? {}
  if (spaces === null) return { isolate, counted: false, price: null, rssBytes }
  const sizes = { smallBytes: 0, largeBytes: 0 }
  for (const { space_name, space_used_size } of spaces) {
    // What Node comes with and shares among isolates is no part of it.
    if (space_name === 'read_only_space') continue
    sizes[/large_object/.test(space_name) ? 'largeBytes' : 'smallBytes'] += space_used_size
  }
  const price = foretell({ ...sizes, objects, major: Number(/\d+/.exec(nodeVersion)?.[0]) }, slowness)
  return { isolate, counted: objects !== null, price: packed(price, file), rssBytes }
}

/** What one isolate cannot tell is left open; what concerns them all, such as Ctrl-C, is thrown on. */
async function ifItCan<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    const { code } = error as Partial<LeakscopeError>
    if (code === 'target-timeout' || code === 'target-protocol' || code === 'target-died') return undefined
    throw error
  }
}

function judge(asked: readonly Asked[], { pid, folder, rounds, memoryLimitBytes, maxPauseMs }: QuoteOptions): Quote {
  const prices = asked.flatMap(({ price }) => price ?? [])
  const rssBytes = asked.find((each) => each.rssBytes !== null)?.rssBytes ?? null
  const room = findRoom({ pid, folder, memoryLimitBytes, rssBytes })
  const sum = total(prices, rounds)
  const found = objections(sum, { room, maxPauseMs, longestPauseMs: longestPause(prices) }, 'high')
  const isolates = asked.map(({ isolate, counted, price }) => ({ isolate, counted, price }))
  return { isolates, total: sum, room, objections: found }
}

/** Whether a count may change the answer, and costs less than is there even if the guess is far too low. */
function mayCount(asked: readonly Asked[], guess: Quote, { maxPauseMs }: QuoteOptions): boolean {
  const prices = asked.flatMap(({ price }) => price ?? [])
  const bounds = { room: guess.room, maxPauseMs, longestPauseMs: longestPause(prices) }
  if (objections(guess.total, bounds, 'low').length > 0) return false
  const objects = guess.total.objects.high
  return (
    guess.room.memory.every(({ freeBytes }) => objects * COUNT_BYTES <= freeBytes) &&
    (objects * COUNT_MICROS) / 1000 <= maxPauseMs * COUNT_SHARE
  )
}
