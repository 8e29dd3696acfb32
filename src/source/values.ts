// What a value makes of a collection that it is assigned to: one with nothing in it, a copy with one more, a shorter one.

import type { AnyNode } from 'acorn'
import { contains, initialOf, nameOfMember } from './expressions.ts'
import { bindingOf, nodesIn, parentOf, plain, type SyntaxTree } from './syntax-tree.ts'

export const isNothing = (node: AnyNode): boolean =>
  (node.type === 'Literal' && node.value === null) ||
  (node.type === 'Identifier' && node.name === 'undefined') ||
  (node.type === 'UnaryExpression' && node.operator === 'void')

/** `[]`, `{}`, `new Map()`, `''`, `Object.create(null)`: begins with nothing in it. */
export function isSetUp(value: AnyNode): boolean {
  const node = plain(value)
  switch (node.type) {
    case 'ArrayExpression':
      return node.elements.length === 0
    case 'ObjectExpression':
      return node.properties.every(
        (each) => each.type === 'Property' && (isNothing(each.value) || each.value.type === 'Literal'),
      )
    case 'NewExpression':
      return true
    case 'Literal':
      return node.value === '' || node.value === 0
    case 'CallExpression':
      return (
        node.callee.type === 'MemberExpression' &&
        node.callee.property.type === 'Identifier' &&
        /^(create|alloc|of|from)$/.test(node.callee.property.name)
      )
    default:
      return false
  }
}

/** The number in `i % SIZE`, also where `i` was computed so a line before. */
export function modulus(index: AnyNode, tree: SyntaxTree): AnyNode | undefined {
  for (const node of nodesIn(index)) {
    if (node.type === 'BinaryExpression' && (node.operator === '%' || node.operator === '&')) return node.right
  }
  const at = plain(index.type === 'UpdateExpression' ? index.argument : index)
  const uses =
    at.type === 'Identifier'
      ? (bindingOf(at)?.references ?? [])
      : at.type === 'MemberExpression' && nameOfMember(at) !== undefined
        ? (tree.properties.get(nameOfMember(at)!) ?? []).map((key) => parentOf(key)!)
        : []
  for (const use of uses) {
    const assignment = parentOf(use)
    if (assignment?.type !== 'AssignmentExpression' || assignment.left !== use) continue
    if (assignment.operator === '%=') return assignment.right
    for (const node of nodesIn(assignment.right)) {
      if (node.type === 'BinaryExpression' && node.operator === '%') return node.right
    }
  }
  const initial = at.type === 'Identifier' && bindingOf(at) ? initialOf(bindingOf(at)!) : undefined
  return initial?.type === 'BinaryExpression' && initial.operator === '%' ? initial.right : undefined
}

/** `it.filter(…)`, `it.slice(-100)`: with the number of what may stay, where it is told so. */
export function shortens(right: AnyNode, again: AnyNode): { limit: AnyNode | undefined } | undefined {
  for (const node of nodesIn(right)) {
    if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') continue
    const name = nameOfMember(node.callee)
    if (name === undefined || !/^(slice|filter|splice|subarray|substring|substr|toSpliced)$/.test(name)) continue
    // `[...it.slice(0, i), value, ...it.slice(i)]` has all of it.
    const whole = [...nodesIn(right)].filter(
      (each) =>
        each.type === 'CallExpression' && each.callee.type === 'MemberExpression' && nameOfMember(each.callee) === name,
    ).length
    if (!contains(node.callee.object, again) && !sameKind(node.callee.object, again)) continue
    if (whole > 1) return undefined
    const [first, second] = node.arguments
    const negative = first?.type === 'UnaryExpression' && first.operator === '-' ? first.argument : undefined
    return { limit: name === 'filter' ? undefined : (negative ?? second) }
  }
  return undefined
}

const sameKind = (a: AnyNode, b: AnyNode): boolean => a.type === b.type && a.end - a.start === b.end - b.start

/** `it.next`, `it.next ?? null`: what comes behind it. */
export function isChainOf(right: AnyNode, again: AnyNode): boolean {
  const at = right.type === 'LogicalExpression' ? plain(right.left) : right
  return at.type === 'MemberExpression' && contains(at.object, again)
}

/** What stands beside the old value in a copy with more in it. */
export function valuesBeside(right: AnyNode, again: AnyNode): AnyNode[] {
  const parts =
    right.type === 'ArrayExpression'
      ? right.elements
      : right.type === 'CallExpression' || right.type === 'NewExpression'
        ? right.arguments
        : right.type === 'ObjectExpression'
          ? right.properties
          : [right]
  return parts.filter((each): each is NonNullable<typeof each> => each !== null && !contains(each, again))
}
