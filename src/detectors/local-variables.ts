// Names of local variables in suspended functions: as the running process says, or by the source, where only one variable can
// have such a value.

import type { AnyNode } from 'acorn'
import type { ReadSource } from '../analysis/culprit.ts'
import type { Suspect } from '../analysis/suspect.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { isObject, nodeName } from '../graph/look.ts'
import { registersOf, suspendedBy } from '../graph/suspended.ts'
import { calledWith, isTimer } from '../node-internals/timers.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType } from '../snapshot/snapshot.ts'
import { functionAt, sourcesOf } from '../source/app-modules.ts'
import { type Binding, functionAround, parentOf, plain, type SyntaxTree } from '../source/syntax-tree.ts'
import type { IsolateHeap } from './detector.ts'

/** Suspended functions that the process is asked about: in all, and at each end of one path. */
const MOST = { asked: 40, atEachEnd: 3 }

/** V8's ids of the suspended functions on paths to what grows, each once. */
export function framesToAsk(
  { graph, suspects }: IsolateHeap,
  wayTo: (suspect: Suspect) => readonly number[],
): number[] {
  const { nodeId } = graph.snapshot
  const wanted = suspects.flatMap((suspect) => {
    if (!/^(steady|turning|unknown)$/.test(suspect.trend)) return []
    const suspended = wayTo(suspect).filter((node) => isObject(graph, node) && registersOf(graph, node) !== undefined)
    const { atEachEnd } = MOST
    return [...suspended.slice(0, atEachEnd), ...suspended.slice(-atEachEnd)].map((node) => nodeId[node]!)
  })
  return [...new Set(wanted)].slice(0, MOST.asked)
}

/** Finds the names of the local variables on a path, and remembers them in the graph. */
export function nameLocals(of: IsolateHeap, way: readonly number[], readSource: ReadSource): void {
  const { graph } = of
  const { firstEdge, edges } = graph.snapshot
  way.forEach((value, i) => {
    const registers = i > 0 ? way[i - 1]! : -1
    if (i > 1 && isTimer(graph, way[i - 2]!)) nameArgument(graph, registers, value, readSource)
    const suspended = registers < 0 ? undefined : suspendedBy(graph, registers)
    if (suspended === undefined) return
    const name = askedName(of, suspended, value) ?? nameInSource(graph, suspended, value, readSource)
    if (name === undefined) return
    for (let edge = firstEdge[registers]!; edge < firstEdge[registers + 1]!; edge++) {
      if (edgeTarget(edges[edge]!) === value) graph.locals.set(edge, name)
    }
  })
}

/** The name of the parameter by which a timer's function gets an argument of setTimeout(). */
function nameArgument(graph: HeapGraph, args: number, value: number, readSource: ReadSource): void {
  const called = calledWith(graph, args)
  const place = called === undefined ? undefined : graph.sourceLocation(called)
  if (!place || place.url.startsWith('node:')) return
  const parameters = functionAt(sourcesOf(readSource), place)?.node?.params ?? []
  const { firstEdge, edges, edgeNameOrIndex } = graph.snapshot
  for (let edge = firstEdge[args]!; edge < firstEdge[args + 1]!; edge++) {
    if (edgeTarget(edges[edge]!) !== value || edgeType(edges[edge]!) !== EdgeType.element) continue
    const parameter = parameters[edgeNameOrIndex[edge]!]
    if (parameter?.type === 'Identifier') graph.locals.set(edge, parameter.name)
  }
}

/** The name that the process gave: of the same object, or, where that has been replaced since, of the only one of its class. */
function askedName({ graph, frames }: IsolateHeap, suspended: number, value: number): string | undefined {
  const { nodeId } = graph.snapshot
  const locals = frames?.get(nodeId[suspended]!)?.locals ?? []
  const same = locals.find((local) => local.nodeId === nodeId[value])
  if (same) return same.name
  const alike = locals.filter(({ className }) => className === nodeName(graph, value))
  return alike.length === 1 ? alike[0]!.name : undefined
}

/** The name in the source: of the function's only variable that is set up with such a value, and no other function uses. */
function nameInSource(graph: HeapGraph, suspended: number, value: number, readSource: ReadSource): string | undefined {
  const location = graph.sourceLocation(suspended)
  if (!location || location.url.startsWith('node:')) return undefined
  const found = functionAt(sourcesOf(readSource), location)
  // A module with a top-level await is a function that begins where the text does.
  if (!found || (!found.node && location.line + location.column > 2)) return undefined
  const className = STRINGS.has(graph.snapshot.nodeType[value]!) ? TEXT : nodeName(graph, value)
  const fits = localsOf(found.tree, found.node).filter((binding) => isSetUpAs(binding, className, found.tree))
  return fits.length === 1 ? fits[0]!.name : undefined
}

/** Variables that V8 keeps in registers: one that an inner function uses as well is in a scope, by its name. */
function localsOf({ bindings }: SyntaxTree, owner: AnyNode | undefined): Binding[] {
  return [...bindings.values()]
    .flat()
    .filter(
      ({ declared, references, kind }) =>
        kind !== 'import' && [declared, ...references].every((use) => functionAround(use) === owner),
    )
}

const STRINGS: ReadonlySet<number> = new Set([NodeType.string, NodeType.consString, NodeType.slicedString])
/** Stands for the class of a string, which is called by its text. */
const TEXT = '(string)'

function isSetUpAs({ declared, references }: Binding, className: string, { source }: SyntaxTree): boolean {
  const declaration = parentOf(declared)
  const init = declaration?.type === 'VariableDeclarator' ? declaration.init : undefined
  if (!init) return false
  const value = plain(init)
  switch (value.type) {
    case 'Literal':
      return className === TEXT && typeof value.value === 'string' && references.some(isLengthened)
    case 'ArrayExpression':
      return className === 'Array'
    case 'ObjectExpression':
      return className === 'Object'
    case 'NewExpression':
      return source.slice(value.callee.start, value.callee.end).replace(/^.*\./s, '') === className
    default:
      return false
  }
}

function isLengthened(use: AnyNode): boolean {
  const assignment = parentOf(use)
  return assignment?.type === 'AssignmentExpression' && assignment.left === use && assignment.operator === '+='
}
