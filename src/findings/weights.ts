// How much each piece of evidence counts, with the reason. A finding of 0.7 and more is an error, of 0.5 a warning, of 0.3 a
// note; what is less sure is set aside.

import type { Ground } from './confidence.ts'

interface Weight {
  readonly effect: Ground['effect']
  readonly weight: number
  readonly because: string
}

const start = (weight: number, because: string): Weight => ({ effect: 'start', weight, because })
const times = (weight: number, because: string): Weight => ({ effect: 'times', weight, because })
const atLeast = (weight: number, because: string): Weight => ({ effect: 'at least', weight, because })
const atMost = (weight: number, because: string): Weight => ({ effect: 'at most', weight, because })

export const WEIGHTS = {
  // By trend, where nothing else is known.
  steady: start(0.9, 'nothing healthy grows at one speed and loses nothing, but for a bound that nobody has seen'),
  turning: start(0.75, 'a queue that is emptied too slowly looks so, and a cache in a rising load, too'),
  unknown: start(0.55, 'two snapshots tell a direction: a warning, and no error'),
  notGrowing: start(0.1, 'it did not grow as a leak does'),
  level: start(0, 'there are no more than before'),
  // Against a candidate, whatever its trend is.
  filling: start(0.2, 'a bound that the source proves is kept to: at the most a part of something else'),
  withinLifetime: start(0.25, 'as a bound, but it is the number that came that the arithmetic rests on'),
  chance: start(0.1, 'so few are there now and then in any program'),
  boundByNode: start(0.2, 'Node itself keeps to a bound'),
  openConnections: start(0.2, 'timers go with the connections that have them'),
  heldUp: start(0.2, 'they came while the process stood still for its own snapshots'),
  // Evidence that makes it less sure.
  matchedByPlace: times(0.75, 'which objects are new is not known, only how many there are'),
  little: times(0.5, 'a few small objects may be chance'),
  replaced: times(0.3, 'the heap as a whole shows no growth'),
  maybeBounded: times(0.5, 'a bound whose number is not known may be reached in a minute, or never'),
  takenOutSlowly: times(0.75, 'the source takes things out, and it is slow: a note of hours'),
  takenOut: times(0.9, 'the source takes things out, but more came all the while'),
  refersToOld: times(0.5, 'what came may be references to what was there before'),
  clients: times(0.75, 'how many clients there are is not the doing of the server'),
  storeGrew: times(0.85, 'a memory may grow for a while before it has the size that it needs'),
  levelsOffLow: times(0.5, 'where timers fire as fast as they are set, that is all it will ever be'),
  clears: times(0.8, 'a timer that removes something is what an expiry is made of'),
  cutNotAsked: times(0.95, 'which part of the buffer the views show was not asked'),
  stoodStill: times(0.75, 'it did not grow when it was looked at alive, though some were due'),
  withIdle: times(0.7, 'a program that warms up has more and more idle memory'),
  withGarbage: times(0.5, 'the next full collection may give it all back'),
  // Evidence that settles it.
  shownViews: atLeast(0.9, 'the living views show a small part of their buffers'),
  fewViews: atLeast(0.8, 'few views for each large buffer'),
  proven: atLeast(0.97, 'nothing that could settle the promise is left in the heap'),
  numbersSeen: atLeast(0.8, 'more numbers were seen to come to the living collection'),
  resident: atLeast(0.6, 'resident memory rose all the while that they came: worth a warning'),
  emptied: atMost(0.4, 'the living collection was seen to be emptied'),
  // Of a waste within a bound.
  wasteBounded: start(0.45, 'it will not grow without end: a note'),
  wasteGreat: start(0.6, 'until its bound it comes to so much that a warning is due'),
  // Seen by the living process, or by the system, alone.
  leaps: start(0.44, 'a store that is made larger now and then may be filling up'),
  wentOn: start(0.75, 'uneven between the snapshots, and it went on alive'),
  seenAlive: start(0.65, 'seen to grow for seconds only: a batch may be emptied later'),
  onePicture: start(0.4, 'there is one snapshot, which tells of no growth'),
  files: start(0.9, 'the same files are opened again and stay open'),
  filesOnceEach: start(0.6, 'each file is open once, as in a cache of open files that fills up'),
  sampledAllStayed: start(0.65, 'samples tell that it stays, not whether somebody means to keep it: no error'),
  sampledStayed: start(0.45, 'some of it goes, and more may go later'),
  busyUnasked: start(0.4, 'a long computation, begun by a timer or before, looks the same'),
  residentRose: start(0.8, 'native memory rose in each part of the time'),
  residentUneven: start(0.4, 'native memory rose, but unevenly'),
  residentRoseWithClass: start(0.85, 'and objects with a native side came at the same pace'),
  residentUnevenWithClass: start(0.45, 'the same, where it rose unevenly'),
  idleMemory: start(0.8, 'the allocator had it all the while: as good as measured, but for arenas that are not seen'),
  // Of CPU time that goes for nothing, by a profile of seconds.
  turnsIdle: start(0.95, 'the event loop turns by itself, and the profile has the function that makes it'),
  turnsUnnamed: start(0.6, 'it turns by itself, but the profile has no function of the program'),
  asksAgain: start(0.75, 'the source asks again whether there was something to do or not; there may be now and then'),
  caughtInLoop: start(0.85, 'no turn of the event loop, in a loop that waits; it may be one long piece of work'),
  caughtAnew: start(0.8, 'the same, where the function has itself called again'),
  collecting: start(0.8, 'the collector has most of the time, and one place makes most of what it moves'),
} as const satisfies Readonly<Record<string, Weight>>

/** @param sentence empty where another piece of evidence says it as well */
export function ground(name: keyof typeof WEIGHTS, sentence = ''): Ground {
  const { effect, weight } = WEIGHTS[name]
  return { kind: name, effect, weight, sentence }
}

/** The fewer there are, the likelier they are chance: `few` are as likely as not. */
export const byNumber = (count: number, few: number): Ground => ({
  kind: 'number',
  effect: 'times',
  weight: count / (count + few),
  sentence: '',
})

/** What is said, and makes it no surer. */
export const remark = (sentence: string): Ground => ({ kind: 'remark', effect: 'times', weight: 1, sentence })
