// The statements of a source that wait for a promise, or that call a function and wait for it.

import type { AnyNode, CallExpression } from 'acorn'
import type { Culprit } from '../analysis/culprit.ts'
import type { SourceLocation } from '../graph/locations.ts'
import { functionAt, type Sources } from '../source/app-modules.ts'
import { isNamed } from '../source/expressions.ts'
import { isFunctionNode, nodesIn, outermost, parentOf, plain } from '../source/syntax-tree.ts'
import { placed } from './flows.ts'

const RACES = /^(race|any|all|allSettled)$/
const THENS = /^(then|catch|finally)$/

/**
 * Where a promise is waited for. A race with it comes first, as races are started again and again.
 * @param functions where they begin, the likeliest first
 * @param urls scripts that are searched as a whole, where the promise has a name
 */
export function findWait(
  sources: Sources,
  functions: readonly SourceLocation[],
  urls: readonly string[],
  name: string | undefined,
): Culprit | undefined {
  const last = name?.replace(/^.*\./, '').replace(/^#/, '')
  const inside = functions.flatMap((location) => {
    const found = functionAt(sources, location)
    return found?.node ? [{ tree: found.tree, nodes: [...nodesIn(found.node)] }] : []
  })
  const whole = last === undefined ? [] : urls.flatMap((url) => sources.tree(url) ?? [])
  const all = [...inside, ...whole.map((tree) => ({ tree, nodes: [...nodesIn(tree.program)] }))]
  const kinds: ((node: AnyNode) => boolean)[] =
    last === undefined
      ? []
      : [
          (node) =>
            isRace(node) &&
            node.arguments.some((argument) => [...nodesIn(argument)].some((each) => isNamed(each, last))),
          (node) => isThen(node) && isNamed(plain(node.callee.object), last),
          (node) => node.type === 'AwaitExpression' && isNamed(plain(node.argument), last),
        ]
  for (const fits of kinds) {
    for (const { tree, nodes } of all) {
      const found = nodes.find(fits)
      if (found) return placed(sources, tree, found)
    }
  }
  for (const { tree, nodes } of inside) {
    const found = nodes.find(isRace)
    if (found) return placed(sources, tree, found)
  }
  return undefined
}

/** Where a function calls itself, best where it awaits or returns that call; else where it awaits or returns another call. */
export function findOwnCall(sources: Sources, location: SourceLocation, name: string): Culprit | undefined {
  const { tree, node: owner } = functionAt(sources, location) ?? {}
  if (!tree || !owner) return undefined
  const own = name.replace(/^.*\./, '').replace(/^#/, '')
  const calls = [...nodesIn(owner.body)]
    .filter((node) => node.type === 'CallExpression')
    .map((node) => ({ node, score: 2 * Number(own !== '' && isCallOf(node, own)) + Number(isPassedOn(node)) }))
  const best = calls.reduce((most, call) => Math.max(most, call.score), 0)
  // Of equally good calls, the last is what the function ends with.
  const found = calls.findLast(({ score }) => score === best && score > 0)
  return found && { ...placed(sources, tree, found.node), function: name || null }
}

function isRace(node: AnyNode): node is CallExpression {
  if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') return false
  const { object, property } = node.callee
  return property.type === 'Identifier' && RACES.test(property.name) && isNamed(object, 'Promise')
}

function isThen(node: AnyNode): node is CallExpression & { callee: { type: 'MemberExpression'; object: AnyNode } } {
  if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') return false
  return node.callee.property.type === 'Identifier' && THENS.test(node.callee.property.name)
}

/** A compiled call of a private method has the method's name in the arguments of a helper. */
const isCallOf = ({ callee }: CallExpression, name: string): boolean =>
  [...nodesIn(callee)].some((each) => isNamed(each, name))

/** Whether what a call gives is awaited, or returned. */
function isPassedOn(call: AnyNode): boolean {
  const whole = outermost(call)
  const around = parentOf(whole)
  return (
    whole.type === 'AwaitExpression' ||
    parentOf(call)?.type === 'AwaitExpression' ||
    around?.type === 'ReturnStatement' ||
    (around !== undefined && isFunctionNode(around) && around.body === whole)
  )
}
