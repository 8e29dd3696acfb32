// What expressions and functions are called, what they are set to, and where they are used.

import type { AnyNode, Identifier, MemberExpression } from 'acorn'
import {
  type Binding,
  bindingOf,
  type CallNode,
  type FunctionNode,
  functionAround,
  isFunctionNode,
  outermost,
  parentOf,
  plain,
  type SyntaxTree,
} from './syntax-tree.ts'

/** The name behind a dot, or in brackets if it is a text; undefined for one that is computed. */
export function nameOfMember({ property, computed }: MemberExpression): string | undefined {
  if (property.type === 'PrivateIdentifier') return `#${property.name}`
  if (!computed && property.type === 'Identifier') return property.name
  return property.type === 'Literal' && typeof property.value === 'string' ? property.value : undefined
}

export const textOf = ({ source }: SyntaxTree, node: AnyNode): string => {
  const inner = plain(node)
  return source.slice(inner.start, inner.end)
}

/** What a variable is set to where it is declared. */
export function initialOf({ declared, kind }: Binding): AnyNode | undefined {
  const declarator = parentOf(declared)
  return kind !== 'parameter' &&
    declarator?.type === 'VariableDeclarator' &&
    declarator.id === declared &&
    declarator.init
    ? plain(declarator.init)
    : undefined
}

/** Whether a statement is run once for a module or an object. */
export function isInConstructor(node: AnyNode): boolean {
  const maker = functionAround(node)
  if (!maker) return true
  const method = parentOf(maker)
  return method?.type === 'MethodDefinition' && method.kind === 'constructor'
}

export function functionBehind(binding: Binding): FunctionNode | undefined {
  const parent = parentOf(binding.declared)
  if (parent && isFunctionNode(parent) && parent.type !== 'ArrowFunctionExpression' && parent.id === binding.declared)
    return parent
  const value = initialOf(binding)
  return value && isFunctionNode(value) ? value : undefined
}

export function defaultExport({ program }: SyntaxTree): Binding | FunctionNode | undefined {
  for (const node of program.body) {
    if (node.type !== 'ExportDefaultDeclaration') continue
    const { declaration } = node
    if (isFunctionNode(declaration)) return declaration
    if (declaration.type === 'Identifier') return bindingOf(declaration)
  }
  return undefined
}

/** What `require('…')` is called with. */
export const requiredBy = (node: AnyNode | undefined): string | undefined =>
  node?.type === 'CallExpression' &&
  node.callee.type === 'Identifier' &&
  node.callee.name === 'require' &&
  node.arguments[0]?.type === 'Literal'
    ? String(node.arguments[0].value)
    : undefined

/** `module.exports = function …` */
export function commonExport(tree: SyntaxTree): FunctionNode | undefined {
  for (const key of tree.properties.get('exports') ?? []) {
    const member = parentOf(key)!
    const assignment = parentOf(member)
    if (assignment?.type === 'AssignmentExpression' && assignment.left === member) {
      const found = functionIn(assignment.right)
      if (found) return found
    }
  }
  return undefined
}

/** A function that is written down, or that a variable stands for. */
function functionIn(value: AnyNode): FunctionNode | undefined {
  const node = plain(value)
  if (isFunctionNode(node)) return node
  const binding = node.type === 'Identifier' ? bindingOf(node) : undefined
  return binding && functionBehind(binding)
}

/** Methods of classes, and functions in object literals or that are given to a property, that are called so. */
export function methodsNamed(tree: SyntaxTree, name: string): FunctionNode[] {
  return (tree.properties.get(name) ?? []).flatMap((key) => {
    const parent = parentOf(key)!
    const value =
      parent.type === 'MemberExpression'
        ? valueGiven(parent)
        : (parent.type === 'MethodDefinition' || parent.type === 'Property' || parent.type === 'PropertyDefinition') &&
            parent.key === key &&
            parentOf(parent)?.type !== 'ObjectPattern'
          ? parent.value
          : undefined
    const found = value && functionIn(value)
    return found ? [found] : []
  })
}

function valueGiven(member: MemberExpression): AnyNode | undefined {
  const assignment = parentOf(member)
  return assignment?.type === 'AssignmentExpression' && assignment.left === member ? assignment.right : undefined
}

/** The calls of a function in its own module, by its name. */
export function callsTo(node: FunctionNode, tree: SyntaxTree): CallNode[] {
  const uses = usesOf(node, tree)
  return uses.flatMap((use): CallNode[] => {
    const outer = outermost(use)
    const call = parentOf(outer)
    return (call?.type === 'CallExpression' || call?.type === 'NewExpression') && call.callee === outer ? [call] : []
  })
}

/** Expressions in a function's own module that mean it: by its variable, or as a method by its name. */
export function usesOf(node: FunctionNode, tree: SyntaxTree): AnyNode[] {
  const parent = parentOf(node)
  const id: Identifier | null | undefined =
    node.type === 'ArrowFunctionExpression' || !node.id
      ? parent?.type === 'VariableDeclarator' && parent.id.type === 'Identifier'
        ? parent.id
        : undefined
      : node.id
  if (id) return bindingOf(id)?.references ?? []
  const key =
    parent?.type === 'MethodDefinition' || parent?.type === 'PropertyDefinition' || parent?.type === 'Property'
      ? parent.key
      : parent?.type === 'AssignmentExpression' && parent.left.type === 'MemberExpression'
        ? parent.left.property
        : undefined
  const name = key?.type === 'Identifier' ? key.name : key?.type === 'PrivateIdentifier' ? `#${key.name}` : undefined
  if (name === undefined) return []
  return (tree.properties.get(name) ?? []).flatMap((use) => {
    const member = parentOf(use)!
    return member.type === 'MemberExpression' && member.property === use && use !== key ? [member] : []
  })
}

export const isLoop = (node: AnyNode): boolean =>
  node.type === 'ForStatement' ||
  node.type === 'ForOfStatement' ||
  node.type === 'ForInStatement' ||
  node.type === 'WhileStatement' ||
  node.type === 'DoWhileStatement'

export const contains = (outer: AnyNode, inner: AnyNode): boolean =>
  inner.start >= outer.start && inner.end <= outer.end

/** Whether it is an identifier of that name, or the property that an expression ends in is called so. */
export function isNamed(node: AnyNode, name: string): boolean {
  if (node.type === 'Identifier' || node.type === 'PrivateIdentifier') return node.name === name
  return node.type === 'MemberExpression' && isNamed(node.property, name)
}
