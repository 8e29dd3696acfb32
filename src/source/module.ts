// A module of the program by its syntax tree: its functions and classes, its calls, and where the names in it come from.

import { builtinModules } from 'node:module'
import type { AnyNode, CallExpression, Pattern } from 'acorn'
import { nodeModule } from './origins.ts'
import { type Block, blockAt, type Outline } from './source-outline.ts'
import {
  type CallNode,
  childrenOf,
  type FunctionNode,
  isFunctionNode,
  parentOf,
  plain,
  type SyntaxTree,
} from './syntax-tree.ts'

/** `await redis.set(key, value)`: a call in the source. */
export interface Call {
  /** `redis`, `set`; `new Agent()` is `Agent`. Names that a call or index stands behind are among them. */
  readonly names: readonly string[]
  /** Offset of the last name. */
  readonly at: number
  readonly isNew: boolean
  readonly isAwaited: boolean
  /** The innermost function or class that it stands in. */
  readonly block: Block | undefined
  /** Undefined where the source does not parse. */
  readonly node?: CallNode
}

export interface Origins {
  /** By a name: the packages (or `node:` modules) that what it stands for comes from. */
  readonly origins: ReadonlyMap<string, ReadonlySet<string>>
  /** By a variable: what is called for its value; `orders` of `const changes = orders.pipe(…)`. */
  readonly madeOf: ReadonlyMap<string, readonly string[]>
}

/** Names of one chain of calls that are kept. */
const MOST_NAMES = 12

/** Functions and classes by where they begin and end. */
export function outlineOf(tree: SyntaxTree): Outline {
  const { source } = tree
  const lines = [0]
  for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1)) lines.push(at + 1)
  return { source, blocks: blocksOf(tree), lines }
}

function blocksOf({ source, functions, classes }: SyntaxTree): Block[] {
  type Draft = { -readonly [key in keyof Block]: Block[key] }
  const blocks: Draft[] = [
    ...functions.map((node) => {
      const braced = node.body.type === 'BlockStatement'
      const end = braced ? node.end : node.body.end
      return { kind: 'function' as const, start: startOf(source, node), body: node.body.start, end, around: undefined }
    }),
    ...classes.map(({ start, end, body }) => ({
      ...{ kind: 'class' as const, start, body: body.start, end },
      around: undefined,
    })),
  ].sort((a, b) => a.body - b.body || b.end - a.end)
  const open: Draft[] = []
  for (const block of blocks) {
    while (open.length > 0 && open.at(-1)!.end <= block.body) open.pop()
    block.around = open.at(-1)
    open.push(block)
  }
  return blocks
}

/** Where V8 says that a function is: at its parameters. */
export function startOf(source: string, node: FunctionNode): number {
  if (node.type === 'ArrowFunctionExpression') {
    return node.async
      ? node.start + /^async\s*/.exec(source.slice(node.start, node.start + 100))![0].length
      : node.start
  }
  return Math.max(node.start, source.indexOf('(', node.id?.end ?? node.start))
}

/** All calls, in the order of their names. */
export function callsIn(tree: SyntaxTree, outline: Outline): Call[] {
  const calls = tree.calls.flatMap((node): Call[] => {
    const chain = node.type === 'ImportExpression' ? { names: ['import'], at: node.start } : namesOf(node.callee)
    if (!chain) return []
    const isNew = node.type === 'NewExpression'
    const isAwaited = parentOf(node)?.type === 'AwaitExpression'
    return [{ ...chain, isNew, isAwaited, block: blockAt(outline, chain.at), node }]
  })
  return calls.sort((a, b) => a.at - b.at)
}

/** The names that a call's callee, or a value, is written with: those of calls inside are among them. */
function namesOf(value: AnyNode): { names: string[]; at: number } | undefined {
  const names: string[] = []
  let at = -1
  let node = plain(value)
  while (names.length < MOST_NAMES) {
    if (node.type === 'MemberExpression') {
      const { property, computed } = node
      if (!computed && (property.type === 'Identifier' || property.type === 'PrivateIdentifier')) {
        names.unshift(property.type === 'Identifier' ? property.name : `#${property.name}`)
        if (at < 0) at = property.start
      }
      node = plain(node.object)
    } else if (node.type === 'CallExpression' || node.type === 'NewExpression') node = plain(node.callee)
    else break
  }
  if (node.type === 'Identifier' || node.type === 'ThisExpression') {
    names.unshift(node.type === 'Identifier' ? node.name : 'this')
    if (at < 0) at = node.start
  }
  return at < 0 ? undefined : { names, at }
}

/** Imports, and variables that are made of what was imported: `const pool = createPool()` is of the pool's package. */
export function originsIn({ program }: SyntaxTree): Origins {
  const origins = new Map<string, Set<string>>()
  const add = (name: string, from: Iterable<string>): void => {
    const known = origins.get(name) ?? new Set()
    for (const each of from) known.add(each)
    origins.set(name, known)
  }
  const madeOf = new Map<string, string[]>()
  const derive = (name: string | undefined, value: AnyNode | null | undefined): void => {
    const chain = value ? namesOf(value)?.names : undefined
    if (name === undefined || chain === undefined) return
    madeOf.set(name, [...(madeOf.get(name) ?? []), ...chain].slice(0, MOST_NAMES))
  }
  const waiting: AnyNode[] = [program]
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    waiting.push(...childrenOf(node))
    if (node.type === 'ImportDeclaration') {
      const origin = packageNamed(String(node.source.value))
      if (origin !== undefined) for (const { local } of node.specifiers) add(local.name, [origin])
    } else if (node.type === 'VariableDeclarator') {
      const specifier = node.init && loadedBy(node.init)
      const origin = specifier ? packageNamed(specifier) : undefined
      for (const name of namesIn(node.id)) {
        if (origin !== undefined) add(name, [origin])
        else if (node.init && isMade(node.init)) derive(name, node.init)
      }
    } else if (node.type === 'AssignmentExpression' && isMade(node.right)) {
      derive(namesOf(node.left)?.names.at(-1), node.right)
    } else if (node.type === 'PropertyDefinition' && node.value && isMade(node.value)) {
      const { key } = node
      derive(
        key.type === 'PrivateIdentifier' ? `#${key.name}` : key.type === 'Identifier' ? key.name : undefined,
        node.value,
      )
    } else if (node.type === 'ForOfStatement') {
      const { left, right } = node
      const pattern = left.type === 'VariableDeclaration' ? left.declarations[0]!.id : left
      for (const name of namesIn(pattern)) derive(name, right)
    } else if (node.type === 'CallExpression') {
      // `server.on('connection', (socket) =>`: what a callback is given is of what it was given to.
      for (const argument of node.arguments) {
        if (!isFunctionNode(argument)) continue
        for (const parameter of argument.params.slice(0, 2)) for (const name of namesIn(parameter)) derive(name, node)
      }
    }
  }
  // What is made of something else that was made: three levels are followed.
  for (let round = 0; round < 3; round++) {
    for (const [name, parts] of madeOf) {
      for (const part of parts) {
        const from = origins.get(part)
        if (from && part !== name) add(name, from)
      }
    }
  }
  return { origins, madeOf }
}

const isMade = (value: AnyNode): boolean => {
  const node = plain(value)
  return node.type === 'CallExpression' || node.type === 'NewExpression' || node.type === 'MemberExpression'
}

/** The specifier in `require('…')`, `await import('…')` and in members of those. */
export function loadedBy(value: AnyNode): string | undefined {
  let node = plain(value)
  while (node.type === 'MemberExpression') node = plain(node.object)
  if (node.type === 'ImportExpression') return textOf(node.source)
  return node.type === 'CallExpression' && isRequire(node) ? textOf(node.arguments[0]) : undefined
}

const isRequire = ({ callee }: CallExpression): boolean => callee.type === 'Identifier' && callee.name === 'require'

const textOf = (node: AnyNode | undefined): string | undefined =>
  node?.type === 'Literal' && typeof node.value === 'string' ? node.value : undefined

/** Variables, or the property, that a pattern gives values to. */
export function namesIn(pattern: Pattern | AnyNode): string[] {
  const names: string[] = []
  const waiting: AnyNode[] = [pattern]
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    if (at.type === 'Identifier') names.push(at.name)
    else if (at.type === 'ObjectPattern')
      for (const each of at.properties) waiting.push(each.type === 'Property' ? each.value : each.argument)
    else if (at.type === 'ArrayPattern') waiting.push(...at.elements.filter((each) => each !== null))
    else if (at.type === 'AssignmentPattern') waiting.push(at.left)
    else if (at.type === 'RestElement') waiting.push(at.argument)
  }
  return names
}

/** `@scope/name` or `node:net` for what an import names; undefined for a file. */
export function packageNamed(specifier: string): string | undefined {
  if (specifier.startsWith('node:')) return nodeModule(specifier.slice(5))
  if (/^[./#]|^[a-z]+:/.test(specifier)) return undefined
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0]
  return name !== undefined && builtinModules.includes(name) ? nodeModule(name) : name
}
