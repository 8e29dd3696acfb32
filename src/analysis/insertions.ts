// Where the program puts things into a collection that it calls by a name of its own.

import type { AnyNode } from 'acorn'
import type { Sources } from '../source/app-modules.ts'
import { calledBy, findPart, isInLoop, offsetOfCall } from '../source/calls.ts'
import { findStorage, type Operation, type Storage, type StoragePath } from '../source/storage.ts'
import { functionAround, parentOf, plain, type SyntaxTree } from '../source/syntax-tree.ts'
import type { Clues } from './clues.ts'

export interface Insertion {
  readonly url: string
  readonly offset: number
  /** Whether something is put there; else the collection is only declared. */
  readonly sure: boolean
}

/** What makes a string that keeps another one. */
const SLICES = /^(slice|substring|substr|match|exec|split|trim\w*|at|replace)$/
/** A statement that fits less is only told where no other is found. */
const GOOD = 3.5
/** Of two statements that fit as well, both are told. */
const AS_GOOD = 0.5

/**
 * `logs.push(`, `sessions[id] =`, `latest = { …, before: latest }`, `transcript +=`: the likeliest first, and those as
 * likely. Statements in functions and loops, which run again and again, go before those that run once.
 */
export function findInsertions(sources: Sources, clues: Clues): Insertion[] {
  let path = clues.storage ?? pathOf(clues)
  if (!path) return []
  const trees = sources.trees([...(path.home === undefined ? [] : [path.home]), ...clues.scripts])
  let ranked = rank(findStorage(trees, path), path, clues)
  // The last names may be those of a list's links, which are set by way of whatever node is at hand.
  while (path.names.length > 1 && !(ranked[0] && ranked[0].score >= GOOD)) {
    path = { ...path, names: path.names.slice(0, -1), depth: 0 }
    const above = rank(findStorage(trees, path), path, clues)
    if (above[0] && above[0].score > (ranked[0]?.score ?? 0)) ranked = above
  }
  return ranked
    .filter(({ score }) => score >= ranked[0]!.score - AS_GOOD)
    .map(({ operation }) => {
      const { tree, at, node, kind } = operation
      // What is put may be cut off a text in the statement itself, or in a function of the module's that it calls.
      const made = clues.className === '(sliced string)' ? findPart(tree, node, isSlice) : undefined
      const offset = made?.type === 'CallExpression' ? offsetOfCall(made) : at
      return { url: tree.url, offset, sure: kind !== 'declare' }
    })
}

const rank = ({ operations }: Storage, path: StoragePath, clues: Clues): { operation: Operation; score: number }[] =>
  operations
    .map((operation) => ({ operation, score: scoreOf(operation, path, clues) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)

const pathOf = ({ container, home }: Clues): StoragePath | undefined =>
  container === undefined ? undefined : { home, names: [{ name: container.replace(/^.*\./, '') }], depth: 0 }

const BY_KIND: Readonly<Record<Operation['kind'], number>> = {
  insert: 6,
  link: 4,
  use: 2.5,
  declare: 0.5,
  remove: 0,
  clear: 0,
}

function scoreOf({ kind, node, depth, values, tree }: Operation, path: StoragePath, clues: Clues): number {
  let score = BY_KIND[kind]
  if (score === 0) return 0
  const maker = functionAround(node)
  const method = maker && parentOf(maker)
  const isOnce = method?.type === 'MethodDefinition' && method.kind === 'constructor'
  if (kind === 'use' && !maker) return 0
  if (kind !== 'declare') score += maker && !isOnce ? 1 : isInLoop(node) ? 1 : -1.5
  score -= 0.25 * Math.abs(depth - path.depth)
  const fits = values.map((value) => fitOf(value, clues, tree))
  score += fits.includes(true) ? 0.75 : fits.includes(undefined) || fits.length === 0 ? 0.4 : 0
  return score
}

/** Whether a value may be of the class that piles up; undefined where that cannot be told. */
function fitOf(value: AnyNode, { className }: Clues, tree: SyntaxTree): boolean | undefined {
  const node = plain(value)
  switch (node.type) {
    case 'NewExpression':
      return tree.source.slice(node.callee.start, node.callee.end).replace(/^.*\./, '') === className
    case 'ObjectExpression':
      return className === 'Object'
    case 'ArrayExpression':
      return className === 'Array'
    case 'ArrowFunctionExpression':
    case 'FunctionExpression':
      return className === 'Function' || className === '(closure)'
    case 'Literal':
      return typeof node.value === 'string' && /string/.test(className)
    case 'TemplateLiteral':
      return /string/.test(className)
    default:
      return undefined
  }
}

const isSlice = (node: AnyNode): boolean => node.type === 'CallExpression' && SLICES.test(calledBy(node).name)
