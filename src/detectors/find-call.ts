// Where the source calls one of Node's public functions: the statement to blame for what that keeps.

import { builtinModules } from 'node:module'
import type { AllocationStack } from '../analysis/allocations.ts'
import type { SourceLocation } from '../graph/locations.ts'
import type { AppModule, Call, Sources } from '../source/app-modules.ts'
import { calledBy } from '../source/calls.ts'
import { type Block, blockFrom, offsetOf, placeOf } from '../source/source-outline.ts'
import { packageOf } from '../support/sources.ts'

export interface Wanted {
  /**
   * The likeliest first. `new async_hooks.AsyncLocalStorage` is of that module, however it was imported;
   * `performance.mark` is a method of what is called so, `fetch` a global function, `*.enqueue` a method of anything.
   */
  readonly calls: readonly string[]
  /** Functions that came with the leak, the nearest first. */
  readonly near: readonly SourceLocation[]
  /** Where what stayed was allocated, as far as that is known. */
  readonly allocations?: readonly AllocationStack[] | undefined
}

/** In functions, which run again and again; near a function that came with the leak; on the stack of what was allocated. */
const WORTH = { inFunction: 4, near: 6, allocated: 2, later: 0.1 }
/** Functions around a call that are looked at. */
const MOST_AROUND = 4

interface Candidate {
  readonly module: AppModule
  readonly call: Call
  readonly score: number
  /** Whether anything but its name says that it has to do with the leak. */
  readonly isTied: boolean
}

/** The likeliest of the calls in the program's modules; undefined where there is none. */
export function findCall(modules: readonly AppModule[], wanted: Wanted): SourceLocation | undefined {
  const found = candidatesIn(modules, wanted)
  // A method of anything may be anybody's.
  const isVague = wanted.calls.every((call) => call.startsWith('*.'))
  const sure = isVague && found.length > 1 ? found.filter(({ isTied }) => isTied) : found
  return sure[0] && placeIn(sure[0])
}

/** The same in modules of packages, which call Node for many reasons: one that is tied to the leak, or the only package's. */
export function findPackagesCall(modules: readonly AppModule[], wanted: Wanted): SourceLocation | undefined {
  const found = candidatesIn(modules, wanted).filter(({ call }) => call.block !== undefined)
  const tied = found.find(({ isTied }) => isTied)
  const packages = new Set(found.map(({ module }) => packageOf(module.url)))
  const isGlobal = wanted.calls.every((call) => call.startsWith('*.') || !call.includes('.'))
  const only = packages.size === 1 && !isGlobal ? found[0] : undefined
  const best = tied ?? only
  return best && placeIn(best)
}

const placeIn = ({ module, call }: Candidate): SourceLocation => ({
  url: module.url,
  ...placeOf(module.outline, call.at),
})

/** The best first. */
function candidatesIn(modules: readonly AppModule[], wanted: Wanted): Candidate[] {
  const found: Candidate[] = []
  for (const module of modules) {
    const calls = module.calls.flatMap((call) => {
      const rank = wanted.calls.findIndex((each) => isCallOf(module, call, each))
      return rank < 0 ? [] : [{ call, rank }]
    })
    if (calls.length === 0) continue
    const weights = weigh(module, wanted)
    for (const { call, rank } of calls) {
      let tie = 0
      for (let block = call.block, far = 0; block && far < MOST_AROUND; block = block.around, far++) {
        tie += (weights.get(block) ?? 0) / (1 + far)
      }
      const score = (call.block ? WORTH.inFunction : 0) - WORTH.later * rank + tie
      found.push({ module, call, score, isTied: tie > 0 })
    }
  }
  return found.sort((a, b) => b.score - a.score)
}

/** The functions of a module that have to do with the leak, and how much. */
function weigh({ url, outline }: AppModule, { near, allocations = [] }: Wanted): Map<Block, number> {
  const weights = new Map<Block, number>()
  const add = (line: number, column: number, weight: number): void => {
    const block = blockFrom(outline, offsetOf(outline, line, column))
    for (const each of block ? [block, ...(block.around ? [block.around] : [])] : []) {
      weights.set(each, Math.max(weights.get(each) ?? 0, weight))
    }
  }
  near.forEach((place, i) => {
    if (place.url === url) add(place.line, place.column, WORTH.near / (1 + 0.2 * i))
  })
  const most = allocations.reduce((sum, { bytes }) => Math.max(sum, bytes), 0)
  for (const { frames, bytes } of allocations) {
    if (bytes <= 0) continue
    for (const frame of frames) if (frame.url === url) add(frame.line, frame.column, (WORTH.allocated * bytes) / most)
  }
  return weights
}

function isCallOf(module: AppModule, { names, isNew, node }: Call, wanted: string): boolean {
  const parts = wanted.replace(/^new /, '').split('.')
  const { name, root, from } = node ? calledBy(node) : { name: names.at(-1), root: 'value', from: undefined }
  if (wanted.startsWith('new ') !== isNew || name !== parts.at(-1)) return false
  if (parts.length === 1) return names.length === 1 && root !== 'declared'
  if (from === `node:${parts[0]}`) return true
  if (parts[0] === '*') return names.length > 1
  if (builtinModules.includes(parts[0]!) && names.some((name) => module.origins.get(name)?.has(`node:${parts[0]}`)))
    return true
  return (node ? calledBy(node).names : names).slice(0, -1).includes(parts.at(-2)!)
}

/** Scripts of packages that are read at most. */
const MOST_SCRIPTS = 1500

/** The modules of packages in which one of the calls may be: those that have its name in their text. */
export function modulesWith(
  sources: Sources,
  scripts: Iterable<string>,
  readSource: (url: string) => string | undefined,
  { calls }: Pick<Wanted, 'calls'>,
): AppModule[] {
  const names = calls.map((call) => call.replace(/^.*[. ]/, ''))
  const found: AppModule[] = []
  let read = 0
  for (const url of new Set(scripts)) {
    if (read++ === MOST_SCRIPTS) break
    const text = readSource(url)
    const module = text !== undefined && names.some((name) => text.includes(name)) ? sources.module(url) : undefined
    if (module) found.push(module)
  }
  return found
}
