// Two profiles laid over one another, so that one can be taken off the other.

import { apartOf, arrange, type CallTree, FrameTable } from './call-tree.ts'
import { StackTrie } from './stack-trie.ts'

/** All calls of both; what was measured stands beside it, by sample type and then by node. */
export interface Overlay {
  readonly tree: CallTree
  readonly current: readonly Float64Array[]
  readonly base: readonly Float64Array[]
}

/**
 * Lays `base` under `current`, whose sample types it must have. Functions that moved within their file, or with it,
 * are the same ones.
 */
export function overlay(current: CallTree, base: CallTree): Overlay {
  const frames = new FrameTable()
  const copy = (from: FrameTable, frame: number): number =>
    frames.add(from.name(frame), from.url(frame), from.line(frame), from.column(frame))
  const own = Uint32Array.from({ length: current.frames.size }, (_, frame) => copy(current.frames, frame))
  const moved = sameFunctions(current.frames, base.frames)
  const theirs = Uint32Array.from({ length: base.frames.size }, (_, frame) => {
    const same = moved.get(frame)
    return same === undefined ? copy(base.frames, frame) : own[same]!
  })

  const trie = new StackTrie('the two profiles')
  const place = (tree: CallTree, frameOf: Uint32Array): Uint32Array => {
    const places = new Uint32Array(tree.parent.length)
    for (let node = 0; node < places.length; node++) {
      const parent = tree.parent[node]!
      places[node] = trie.below(parent < 0 ? -1 : places[parent]!, frameOf[tree.frame[node]!]!, tree.line[node]!)
    }
    return places
  }
  const placeOfCurrent = place(current, own)
  const placeOfBase = place(base, theirs)
  const spread = (tree: CallTree, places: Uint32Array): Float64Array[] =>
    current.sampleTypes.map(({ name }) => {
      const from = tree.self[tree.sampleTypes.findIndex((type) => type.name === name)]
      const column = new Float64Array(trie.size)
      for (let node = 0; from && node < places.length; node++) column[places[node]!]! += from[node]!
      return column
    })
  const types = current.sampleTypes.length
  const tree = arrange('the two profiles', {
    frames,
    ...trie.columns(),
    sampleTypes: current.sampleTypes,
    self: [...spread(current, placeOfCurrent), ...spread(base, placeOfBase)],
    durationMs: current.durationMs,
    period: current.period,
    nameOf: (node) => `${node}`,
  })
  const self = tree.self.slice(0, types)
  return { tree: { ...tree, self }, current: self, base: tree.self.slice(types) }
}

/**
 * By frame of `base`: the same function's frame in `current`. A function that stands where it stood is the same; one
 * that is the only one of its name in its file, on both sides, has moved within it; and one that is the only one left of
 * its name has moved with its file. Functions without a name have nothing to be known by but their place.
 */
function sameFunctions(current: FrameTable, base: FrameTable): Map<number, number> {
  const same = new Map<number, number>()
  const taken = new Set<number>()
  const pair = (keyOf: (frames: FrameTable, frame: number) => string | undefined): void => {
    const ours = lonely(current, keyOf, (frame) => taken.has(frame))
    for (const [key, theirs] of lonely(base, keyOf, (frame) => same.has(frame))) {
      const our = ours.get(key)
      if (our === undefined || our < 0 || theirs < 0) continue
      same.set(theirs, our)
      taken.add(our)
    }
  }
  const named = (frames: FrameTable, frame: number): boolean =>
    frames.name(frame) !== '(anonymous)' && frames.url(frame) !== '' && apartOf(frames, frame) === undefined
  pair((frames, frame) => [frames.name(frame), frames.url(frame), frames.line(frame), frames.column(frame)].join('\n'))
  pair((frames, frame) => (named(frames, frame) ? `${frames.name(frame)}\n${frames.url(frame)}` : undefined))
  pair((frames, frame) => (named(frames, frame) ? frames.name(frame) : undefined))
  return same
}

/** By key: the only frame that has it, -1 where there are several. */
function lonely(
  frames: FrameTable,
  keyOf: (frames: FrameTable, frame: number) => string | undefined,
  leaveOut: (frame: number) => boolean,
): Map<string, number> {
  const found = new Map<string, number>()
  for (let frame = 0; frame < frames.size; frame++) {
    const key = leaveOut(frame) ? undefined : keyOf(frames, frame)
    if (key !== undefined) found.set(key, found.has(key) ? -1 : frame)
  }
  return found
}
