// The loops over all nodes and edges, each of them twice: in WebAssembly, which is at full speed at once, where a young
// process still waits for V8 to compile its TypeScript; and in TypeScript, for heaps that do not fit its memory.

import { NodeType } from '../snapshot/meta.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

export const UNSEEN = 0xffffffff

/** Where a walk stands; see depth-first.ts for the columns. */
export interface Walk {
  readonly firstEdge: Uint32Array
  readonly edges: Uint32Array
  readonly number: Uint32Array
  readonly parent: Uint32Array
  readonly semi: Uint32Array
  readonly degree: Uint32Array
  /**
   * The way from where the walk began down to the node before the current one, three words each: its number, the edge
   * to look at next, and where its edges end.
   */
  stack: Uint32Array
  /** Targets of edges that were passed over, weak ones aside. */
  readonly passed: Uint32Array
  /** See {@link WALK}. */
  readonly state: Uint32Array
}
/** What stands where in a walk's state: nodes numbered so far; the current one's number, its next edge, and where they end. */
export const WALK = { count: 0, current: 1, edge: 2, end: 3, depth: 4, passed: 5 } as const

/** In the ends of lists: from here on, the number of a crowd. */
export const CROWD = 0xff000000
/** In the lengths of lists: so many or more. */
export const MANY = 255

/** For each vertex, who retains it, as far as dominators need it; see dominators.ts. All by depth-first number. */
export interface RetainerLists {
  /** Where each list ends, or CROWD and the number of its crowd; once filled, where it starts or its halves meet. */
  readonly first: Uint32Array
  /** Where each list starts, for who fills it from there. */
  readonly next: Uint32Array
  readonly lifted: Uint32Array
  /** How long each list is, or MANY. */
  readonly counts: Uint8Array
  /** The lengths of those that are longer. */
  readonly many: Uint32Array
  /** The lists of sources, one behind the other in the order of what they lead to. */
  readonly retainers: Uint32Array
  /** The sources of what very many lead to, as an object's map in V8: a bit for each number that is one. */
  readonly crowds: Uint32Array
  /** Words of each crowd. */
  readonly crowdWords: number
  readonly reached: number
}
/** What stands where in the state of lists: where those that are left end; how many long ones are; how many crowds. */
export const LISTS = { end: 0, many: 1, crowds: 2 } as const

type Columns = Pick<Snapshot, 'firstEdge' | 'edges'> & { readonly number: Uint32Array }
type Begun = Pick<RetainerLists, 'first' | 'next' | 'lifted' | 'counts' | 'many' | 'reached'>

export type Sizes = Uint32Array | Float64Array
type Typed = Pick<Snapshot, 'nodeType' | 'nodeName'>
type Tops = { readonly order: Uint32Array; readonly above: Uint32Array }

/** In `Ownership.owner`: nothing that is no backing store itself reaches the node. */
export const NO_OWNER = 0xffffffff
/** In `Ownership.owner`: several objects share the node. */
export const SHARED = 0xfffffffe
/** No class, no place. */
export const NONE = 0xffffffff

/** Class numbers. */
interface ClassTables {
  readonly byType: Uint32Array
  /** Of objects and native nodes, by string index. */
  readonly byName: Uint32Array
}

/** Whether a node of this type goes by its name; that of others only says what they contain. */
export const isNamed = (type: number): boolean => type === NodeType.object || type === NodeType.native

/** The dominator tree by place in `Dominators.order`, where those that belong together stand together. */
export interface ClassTree {
  /** The node's class, or NONE for one without a size: it stands for nothing itself. */
  readonly group: Uint32Array
  /** Places, or NONE. */
  readonly firstChild: Uint32Array
  readonly nextSibling: Uint32Array
}

/** Another one in each process: ids that all fall on one slot cannot be chosen beforehand. */
export const ID_SEED = Math.floor(Math.random() * 2 ** 32)

/** Ids and where they stand, see id-table.ts. */
export interface IdColumns {
  readonly ids: Uint32Array
  readonly odd: number
  readonly small: Uint32Array
  readonly slots: Uint32Array
}

/** What is known of each node's past. */
export interface History {
  readonly sizes: Sizes
  readonly born: Uint16Array
  readonly firstSizes: Sizes
}

export interface PathColumns {
  readonly nodeType: Uint8Array
  readonly firstEdge: Uint32Array
  readonly edges: Uint32Array
  readonly edgeNameOrIndex: Uint32Array
  readonly owner: Uint32Array
  /** Where to start, and at which cost, two words each. */
  readonly starts: Uint32Array
  /** Names of references: three that lead from anything to everything of its kind, and a scope's to what it is in. */
  readonly machinery: readonly [number, number, number]
  readonly context: number
  readonly previous: number
  /** See {@link COST}. */
  readonly costs: Uint32Array
}
/** What stands where among the costs of a step. */
export const COST = {
  reference: 0,
  store: 1,
  closureScope: 2,
  internal: 3,
  hidden: 4,
  outerScope: 5,
  machinery: 6,
} as const
/** So many buckets does the search have, for costs that are lower. */
export const PATH_BUCKETS = 32

interface EntranceColumns extends Pick<Snapshot, 'firstEdge' | 'edges'> {
  readonly owner: Uint32Array
  readonly wanted: Uint8Array
  readonly born: Uint16Array
  /** 1 for what counts as old whatever its `born` says. */
  readonly old: Uint8Array
}

export interface ReachColumns extends Pick<Snapshot, 'firstEdge' | 'edges' | 'edgeNameOrIndex'> {
  readonly born: Uint16Array
  /** By string index: 1 for the names of properties that lead to what merely stands beside. */
  readonly neighbours: Uint8Array
}

interface ScopeColumns extends Pick<Snapshot, 'nodeType' | 'firstEdge' | 'edges' | 'edgeNameOrIndex'> {
  /** What closures call the scope that they were made in. */
  readonly context: number
  readonly scopes: Uint8Array
}

interface OutsideColumns {
  readonly nodeType: Uint8Array
  readonly immediate: Uint32Array
  readonly sizes: Sizes
}

interface PathRoom {
  /** Two words a bucket. */
  readonly buckets: Uint32Array
  /** Two words an entry. */
  readonly entries: Uint32Array
}

/** Kinds of labels, in the upper bits of a label's number; those of a name are numbered within. */
export const LABEL = { none: 0, element: 1, entry: 2, key: 3, hidden: 4, named: 8 } as const

interface LabelColumns extends Pick<Snapshot, 'firstEdge' | 'edges' | 'edgeNameOrIndex'> {
  readonly owner: Uint32Array
  readonly holder: Uint32Array
  readonly wanted: Uint8Array
  /** The global objects, which are no dictionaries. */
  readonly globals: Uint32Array
  /** Above so many properties an object is taken for a dictionary, whose keys are data and no names. */
  readonly dictionary: number
  /** By string index: the label's number. */
  readonly known: Uint32Array
  /** By string index, see {@link Loops.labelNodes}. */
  readonly used: Uint8Array
}

export interface Loops {
  /**
   * Goes on until `until` nodes are numbered, or stack or list of passed edges are full. True when all that can be
   * reached from where it started has been.
   */
  walk(walk: Walk, until: number): boolean
  /** Turns the counts in `lists.first` into where lists end. */
  startLists(lists: Begun, tree: Pick<Walk, 'parent' | 'semi'>, mostCrowds: number, state: Uint32Array): void
  /** Puts the nodes `from` to below `to` into the lists of what they retain, from the lists' ends or from their starts. */
  fillLists(columns: Columns, lists: RetainerLists, side: 'ends' | 'starts', from: number, to: number): void
  /** The semidominators of the numbers below `from` down to `to`, into `lists.first` and `label`. */
  findSemidominators(lists: RetainerLists, forest: Forest, state: Uint32Array, from: number, to: number): void
  /** Turns parents into immediate dominators, given semidominators. */
  findDominators(above: Uint32Array, final: Uint32Array, reached: number): void
  /** Turns the numbers of nodes into the nodes of numbers. */
  invert(number: Uint32Array, order: Uint32Array): void
  /** What all values come to. */
  sum(values: Sizes): number
  /**
   * Marks the edges from what is not the user's to what is, see retaining.ts; of what is not, `number` is UNSEEN and
   * `passedBy` 0.
   */
  markForeign(columns: Columns, passedBy: Uint8Array): void
  /** Makes all nodes their own owners but for backing stores, which have none yet; says how many those are. */
  findStores(columns: Typed, externalStringData: number, owner: Uint32Array): number
  /** Gives stores to those who refer to them. Each comes to `worklist` twice at most. */
  spreadOwners(columns: Pick<Snapshot, 'firstEdge' | 'edges'>, owner: Uint32Array, worklist: Uint32Array): void
  /** Moves the sizes of stores to their owners; says which node it stopped at, as a sum would take more than 32 bits. */
  moveSizes(nodeType: Uint8Array, sizes: Sizes, owner: Uint32Array): number
  /** Nodes to immediate dominators, from places to places. */
  findImmediate(order: Uint32Array, above: Uint32Array, immediate: Uint32Array): void
  /** The nearest dominator of each node that is no store itself. */
  findHolders(order: Uint32Array, above: Uint32Array, owner: Uint32Array, holder: Uint32Array): void
  /** The first node of each type, and of each name of objects and native nodes, that is NONE in the tables; it becomes 0. */
  firstOfKinds(columns: Typed, tables: ClassTables, first: Uint32Array): number
  /** Gives each node the number of its class. */
  assignClasses(columns: Typed, tables: ClassTables, of: Uint16Array | Uint32Array): void
  /** By class: how many nodes have a size, and their sizes together. */
  totalClasses(of: Uint16Array | Uint32Array, sizes: Sizes, count: Uint32Array, bytes: Float64Array): void
  /** See `growClassTree` in analysis/classes.ts. */
  growClassTree(tree: ClassTree, tops: Tops, sizes: Sizes, of: Uint16Array | Uint32Array): void
  /** Adds up, by class, what those nodes retain that no other of the class dominates. */
  retainByClass(tree: ClassTree, tops: Tops, retained: Sizes, onTheWay: Uint32Array, bytes: Float64Array): void
  /** Places of the ids whose last 16 bits the sieve lets through. */
  likely(ids: Uint32Array, sieve: Uint8Array, out: Uint32Array): number
  /** Places that are marked. */
  listMarked(marks: Uint8Array, out: Uint32Array): number
  /** Nodes whose name is marked, by string index. */
  listNamed(nodeName: Uint32Array, marks: Uint8Array, out: Uint32Array): number
  /** Nodes that are marked, each behind its dominator. */
  listInOrder(order: Uint32Array, marks: Uint8Array, out: Uint32Array): number
  /** See id-table.ts: whether most ids are odd, places that small ones take, and how many others there are. */
  measureIds(ids: Uint32Array, room: number, state: Uint32Array): void
  /** Enters all ids; says how many were there already. */
  fillIds(table: IdColumns): number
  /** Where each of the wanted stands, or NONE; fast where they stand in the same order. */
  lookUpIds(wanted: Uint32Array, table: IdColumns, found: Uint32Array): void
  /** Sets the bit of each id that has one; NONE as soon as it is set already, else how many have none: the rest. */
  markIds(ids: Uint32Array, bits: Uint32Array, rest: Uint32Array): number
  /** What was known of those that were there before. */
  takeOver(was: Uint32Array, before: Uint32Array, now: Uint32Array): void
  /** See lineage.ts; of a step, also which became larger. */
  joinLineage(was: Uint32Array, before: History, now: History, grew: Uint32Array, step: number): void
  /** See `askedOf`. */
  markAsked(columns: Pick<Snapshot, 'firstEdge' | 'edges'>, owner: Uint32Array, now: History, asked: Uint8Array): void
  /** Marks what holds what is marked. */
  askHolders(order: Uint32Array, holder: Uint32Array, asked: Uint8Array): void
  /** See `bytesOfNew`. */
  addNewBytes(tops: Tops, sizes: Sizes, born: Uint16Array, bytes: Float64Array): void
  /** Nodes that are new, or became larger, and are neither stores of others nor V8's groups. */
  listGrowth(nodeType: Uint8Array, owner: Uint32Array, now: History, out: Uint32Array): number
  /** See paths.ts; false, with anything in `cost` and `via`, if there is too little room. */
  searchPaths(columns: PathColumns, cost: Uint32Array, via: Uint32Array, room: PathRoom): boolean
  /**
   * See places.ts. Without `assign`, only marks the names that labels will be made of: 1 for any, 2 for those of
   * internal references.
   */
  labelNodes(assign: boolean, columns: LabelColumns, label: Uint32Array, otherName: Uint32Array): void
  /** See `referenceCounts`. */
  countReferences(firstEdge: Uint32Array, owner: Uint32Array, count: Uint32Array): void
  /** Where a count is at least `least`. */
  listLargest(count: Uint32Array, least: number, out: Uint32Array): number
  /** Nodes that refer to new ones, of those whose owners are wanted and old; what is in a store of the owner's does not count. */
  listEntrances(columns: EntranceColumns, out: Uint32Array): number
  /** New nodes whose immediate dominator is old. */
  listOutermost(tops: Tops, born: Uint16Array, out: Uint32Array): number
  /** What is marked, with all that it dominates, which gets the mark of its nearest marked dominator. */
  listBelow(tops: Tops, marks: Uint8Array, out: Uint32Array): number
  /** Nodes whose type has its bit in `types`. */
  listTyped(nodeType: Uint8Array, types: number, out: Uint32Array): number
  /** How many of each type there are, and their sizes together. */
  sumTypes(nodeType: Uint8Array, sizes: Sizes, count: Uint32Array, bytes: Float64Array): void
  /** How often each name occurs among these nodes, the size of the first that has it, and whether others differ. */
  countNames(
    list: Uint32Array,
    columns: { readonly nodeName: Uint32Array; readonly sizes: Sizes },
    names: { readonly count: Uint32Array; readonly size: Sizes; readonly mixed: Uint8Array },
  ): void
  /** Of these nodes the largest, largest first, that no node of these types immediately dominates; as many as fit. */
  listLargestOutside(list: Uint32Array, columns: OutsideColumns, types: number, out: Uint32Array): number
  /** The nodes that each node immediately dominates, side by side in `list`, from `first` of the node on. */
  sortChildren(immediate: Uint32Array, first: Uint32Array, list: Uint32Array): void
  /**
   * Goes on from the first `length` nodes of the queue, which are marked, to all new ones that they lead to by other
   * names than those of neighbours; says how many the queue then has.
   */
  reachNew(columns: ReachColumns, marks: Uint8Array, queue: Uint32Array, length: number): number
  /** How many of these nodes are of each class, and which is the first. */
  countAmong(list: Uint32Array, of: Uint16Array | Uint32Array, count: Uint32Array, first: Uint32Array): void
  /** Those of them whose class is wanted. */
  listAmong(list: Uint32Array, of: Uint16Array | Uint32Array, wanted: Uint8Array, out: Uint32Array): number
  /** Sizes of those of them whose mark is `wanted`. */
  sumAmong(list: Uint32Array, sizes: Sizes, marks: Uint8Array, wanted: 0 | 1): number
  /** Marks all of these nodes. */
  markAll(list: Uint32Array, marks: Uint8Array): void
  /** Rows of source positions whose nodes are of this type. */
  listRows(rows: Uint32Array, nodeType: Uint8Array, type: number, out: Uint32Array): number
  /** Rows of closures that are asked for, or whose holders are. */
  listAskedRows(
    rows: Uint32Array,
    nodeType: Uint8Array,
    holder: Uint32Array,
    asked: Uint8Array,
    out: Uint32Array,
  ): number
  /** Rows of closures, each but once, that were made in a scope that is marked; each with the scope behind it. */
  listScopedRows(rows: Uint32Array, columns: ScopeColumns, seen: Uint8Array, out: Uint32Array): number
  /** Adds each node's size to its dominator's. */
  addUp(order: Uint32Array, above: Uint32Array, sizes: Sizes): void
}

/** The paper's forest: all vertices above the current one are linked to their parents. */
interface Forest {
  readonly ancestor: Uint32Array
  /** The least semidominator on the compressed way up. */
  readonly label: Uint32Array
  /** Room for the longest way up. */
  readonly path: Uint32Array
}
