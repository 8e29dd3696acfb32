// The loops in WebAssembly: what each takes, by name and in order, and what it gives. Nothing else in TypeScript knows their
// order; a test holds it against the loops themselves.

import type { Loops } from './loops.ts'

interface Signature {
  /** `count`: a number of 32 bits; `sum`: a double; `flag`: whether something is so. */
  readonly gives: 'nothing' | 'count' | 'sum' | 'flag'
  /** Names, with a space between; arrays go as addresses. */
  readonly takes: string
}

export const SIGNATURES = {
  walk: {
    gives: 'flag',
    takes: 'firstEdge edges number parent semi degree stack stackWords passed passedMost state until',
  },
  startLists: { gives: 'nothing', takes: 'first next parent semi lifted counts many reached mostCrowds state' },
  fillLists: {
    gives: 'nothing',
    takes: 'firstEdge edges number lifted reached retainers crowds crowdWords places ahead from to',
  },
  findSemidominators: {
    gives: 'nothing',
    takes: 'ancestor label first counts many retainers crowds crowdWords path state from to',
  },
  findDominators: { gives: 'nothing', takes: 'above final reached' },
  invert: { gives: 'nothing', takes: 'number order nodes' },
  addUp: { gives: 'nothing', takes: 'order above sizes nodes' },
  sum: { gives: 'sum', takes: 'values length' },
  markForeign: { gives: 'nothing', takes: 'firstEdge edges number passedBy nodes' },
  findStores: { gives: 'count', takes: 'nodeType nodeName external owner nodes' },
  spreadOwners: { gives: 'nothing', takes: 'firstEdge edges owner worklist nodes' },
  moveSizes: { gives: 'count', takes: 'nodeType sizes owner nodes' },
  findImmediate: { gives: 'nothing', takes: 'order above immediate nodes' },
  findHolders: { gives: 'nothing', takes: 'order above owner holder nodes' },
  firstOfKinds: { gives: 'count', takes: 'nodeType nodeName byType byName first nodes' },
  assignClasses: { gives: 'nothing', takes: 'nodeType nodeName byType byName classOf nodes' },
  totalClasses: { gives: 'nothing', takes: 'classOf sizes count bytes nodes' },
  growClassTree: { gives: 'nothing', takes: 'group firstChild nextSibling order above sizes classOf nodes' },
  retainByClass: { gives: 'nothing', takes: 'group firstChild nextSibling order above retained onTheWay bytes' },
  likely: { gives: 'count', takes: 'ids count sieve out' },
  listMarked: { gives: 'count', takes: 'marks count out' },
  listNamed: { gives: 'count', takes: 'nodeName marks count out' },
  listInOrder: { gives: 'count', takes: 'order marks count out' },
  measureIds: { gives: 'nothing', takes: 'ids count room state' },
  fillIds: { gives: 'count', takes: 'ids count odd small places slots mask seed' },
  lookUpIds: { gives: 'nothing', takes: 'wanted wantedCount ids count odd small places slots mask seed found' },
  markIds: { gives: 'count', takes: 'ids count bits most rest' },
  takeOver: { gives: 'nothing', takes: 'was before now nodes' },
  joinLineage: {
    gives: 'nothing',
    takes: 'was beforeBorn beforeFirst beforeSizes sizes born firstSizes grew step nodes',
  },
  markAsked: { gives: 'nothing', takes: 'firstEdge edges owner sizes born firstSizes asked nodes' },
  askHolders: { gives: 'nothing', takes: 'order holder asked nodes' },
  addNewBytes: { gives: 'nothing', takes: 'order above sizes born bytes nodes' },
  listGrowth: { gives: 'count', takes: 'nodeType owner sizes born firstSizes out nodes' },
  searchPaths: {
    gives: 'flag',
    takes:
      'firstEdge edges names nodeType owner a b c context previous costs cost via starts startCount buckets entries most',
  },
  labelNodes: {
    gives: 'nothing',
    takes:
      'assign firstEdge edges names owner holder wanted globals globalCount dictionary known used label otherName nodes',
  },
  countReferences: { gives: 'nothing', takes: 'firstEdge owner count nodes' },
  listLargest: { gives: 'count', takes: 'count least out nodes' },
  listEntrances: { gives: 'count', takes: 'firstEdge edges owner wanted born old out nodes' },
  listOutermost: { gives: 'count', takes: 'order above born out nodes' },
  listBelow: { gives: 'count', takes: 'order above marks out nodes' },
  listTyped: { gives: 'count', takes: 'nodeType types out nodes' },
  sumTypes: { gives: 'nothing', takes: 'nodeType sizes count bytes nodes' },
  countNames: { gives: 'nothing', takes: 'list length nodeName sizes count size mixed' },
  reachNew: { gives: 'count', takes: 'firstEdge edges names born neighbours marks queue length' },
  countAmong: { gives: 'nothing', takes: 'list length classOf count first' },
  listAmong: { gives: 'count', takes: 'list length classOf wanted out' },
  sumAmong: { gives: 'sum', takes: 'list length sizes marks wanted' },
  markAll: { gives: 'nothing', takes: 'list length marks' },
  listRows: { gives: 'count', takes: 'rows count nodeType type out' },
  listAskedRows: { gives: 'count', takes: 'rows count nodeType holder asked out' },
  listScopedRows: { gives: 'count', takes: 'rows count nodeType firstEdge edges names context scopes seen out' },
  listLargestOutside: { gives: 'count', takes: 'list length nodeType types immediate sizes most out' },
  sortChildren: { gives: 'nothing', takes: 'immediate first list nodes' },
} as const satisfies Record<keyof Loops, Signature>

type Signatures = typeof SIGNATURES
type Words<Text extends string> = Text extends `${infer First} ${infer Rest}` ? First | Words<Rest> : Text
type Argument = ArrayBufferView | number | boolean
type Results = { readonly nothing: undefined; readonly count: number; readonly sum: number; readonly flag: boolean }

/** The loops, with arguments by name. */
export type Kernel = {
  readonly [K in keyof Signatures]: (
    named: Readonly<Record<Words<Signatures[K]['takes']>, Argument>>,
  ) => Results[Signatures[K]['gives']]
}

/** @param exports of the compiled module, which works on the memory that all arrays stand in */
export function kernelOf(exports: Readonly<Record<string, (...values: readonly number[]) => number>>): Kernel {
  const loops = Object.entries<Signature>(SIGNATURES).map(([name, { gives, takes }]) => {
    const [loop, names] = [exports[name]!, takes.split(' ')]
    const call = (named: Readonly<Record<string, Argument>>) => {
      const result = loop(...names.map((each) => wordOf(named[each]!)))
      // WebAssembly knows no unsigned numbers.
      return gives === 'flag' ? result !== 0 : gives === 'count' ? result >>> 0 : result
    }
    return [name, call]
  })
  return Object.fromEntries(loops)
}

const wordOf = (argument: Argument): number => (typeof argument === 'object' ? argument.byteOffset : Number(argument))
