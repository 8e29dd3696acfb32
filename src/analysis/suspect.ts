// What a suspect is: objects that came and stayed, and how they are held.

import type { Trend } from './steadiness.ts'

/** Objects that came and stayed, and how they are held. */
export interface Suspect {
  /** `grown`: one old object that takes more bytes itself. */
  readonly kind: 'added' | 'grown'
  /** Ordinals of what was there before and refers to what is new; the one that gained most first. */
  readonly holders: readonly number[]
  /** What the things pile up in: a holder, or a new object in between (an array that was made anew, the head of a list). */
  readonly container: number
  /** Stands for the new objects: one that has been there longest, and with most bytes. */
  readonly sample: number
  /** Of the class or, in a list, chain or tree, of the nodes that make it long. */
  readonly className: string
  /** How many things came since the first snapshot and are still there: each once, as one entry of what holds it. */
  readonly count: number
  /** How many of them came in each step; empty where objects were matched by place. */
  readonly survivors: readonly number[]
  /** How many there were in each snapshot, as well as that can be told. */
  readonly counts: readonly number[]
  /** What `counts` counts: entries of the holders, objects of the class, objects at the place, or bytes of a large one. */
  readonly counted: 'entries' | 'class' | 'place' | 'bytes'
  /** Bytes of all that is new and can be reached from them. */
  readonly bytes: number
  readonly trend: Trend
  /** Objects a second, and bytes. */
  readonly perSecond: number
  readonly bytesPerSecond: number
  /** What is new and reached from the holder: ordinals. */
  readonly reached: Uint32Array
  /** They are nodes of a tree, at all depths; the container is the topmost. */
  readonly isTree?: true
  /** They are made anew all the time, and count as old as what they hold. */
  readonly renewed?: true
}

/** Fewer objects than this in all, or bytes, are none of anybody's business. */
export const LEAST = { count: 3, bytes: 4096, numbers: 50 }
