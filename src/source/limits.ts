// What a program does to keep a collection small: a bound on its size, or a lifetime of what is in it, as the source proves it.

import type { AnyNode, BinaryExpression } from 'acorn'
import { callsTo, initialOf, nameOfMember, textOf } from './expressions.ts'
import { type Guard, type Reach, reachOf } from './reach.ts'
import type { Operation, Storage, Trees } from './storage.ts'
import { bindingOf, type CallNode, functionAround, nodesIn, parentOf, plain, type SyntaxTree } from './syntax-tree.ts'

/** The value of a number that goes by a name near the collection, as the heap has it. */
export type NumberNamed = (name: string) => number | undefined

export interface Limit {
  /** `size`: how many it may hold; `lifetime`: how long something may stay, in milliseconds. */
  readonly kind: 'size' | 'lifetime'
  /** Undefined where it cannot be worked out. */
  readonly value: number | undefined
  /** As it is written: `this.max`, `MAX_ENTRIES`, `500`. */
  readonly text: string
  readonly tree: SyntaxTree
  /** Offset of the comparison, or of what takes things out. */
  readonly at: number
}

export interface Upkeep {
  readonly limits: readonly Limit[]
  /** What takes things out while the program works, whatever the conditions are. */
  readonly removals: readonly Operation[]
  /** What would take things out, and is run only when the program ends, or by nothing that can be seen. */
  readonly idle: readonly { readonly operation: Operation; readonly when: Reach['when'] }[]
}

/** More than this is no lifetime: 30 days. A moment is a number of milliseconds as well, since 1970. */
const LONGEST_MS = 30 * 24 * 3600 * 1000

/** @param depth of the collection below what has its name */
export function findUpkeep(
  trees: Trees,
  { operations, sizes }: Storage,
  depth: number,
  numberNamed: NumberNamed = () => undefined,
): Upkeep {
  const limits: Limit[] = []
  const removals: Operation[] = []
  const idle: { operation: Operation; when: Reach['when'] }[] = []
  const evaluate = (tree: SyntaxTree, node: AnyNode): number | undefined => worthOf(trees, tree, node, numberNamed)
  const inserts = operations.filter(({ kind }) => kind === 'insert')
  for (const operation of operations) {
    const { kind, tree, node, limit } = operation
    if ((kind !== 'remove' && kind !== 'clear') || operation.depth > depth) continue
    const reach = reachOf(trees, tree, node)
    if (reach.when !== 'work') {
      idle.push({ operation, when: reach.when })
      continue
    }
    removals.push(operation)
    const distance = behindKey(operation, inserts)
    if (distance)
      limits.push({
        ...{ kind: 'size', value: evaluate(tree, distance), text: textOf(tree, distance) },
        ...{ tree, at: node.start },
      })
    if (limit)
      limits.push({ kind: 'size', value: evaluate(tree, limit), text: textOf(tree, limit), tree, at: node.start })
    for (const { guards, delay } of reach.ways) {
      for (const guard of guards) {
        const bound = boundIn(guard, sizes, evaluate) ?? lifetimeIn(guard, inserts, evaluate)
        if (bound && !(bound.kind === 'lifetime' && (bound.value ?? 0) > LONGEST_MS)) limits.push(bound)
      }
      // What is taken out one by one, again and again, may have been there for any time.
      const value = delay && (kind === 'clear' || !delay.repeats) ? evaluate(delay.tree, delay.node) : undefined
      if (delay && value !== undefined && value < LONGEST_MS)
        limits.push({
          kind: 'lifetime',
          value,
          text: textOf(delay.tree, delay.node),
          tree: delay.tree,
          at: delay.node.start,
        })
    }
  }
  limits.push(...boundsOfInserts(trees, inserts, sizes, evaluate))
  return { limits, removals, idle }
}

/** Of `it.set(n, …)` and `it.delete(n - 100)`: how far behind the newest key everything is taken out. */
function behindKey({ node, tree }: Operation, inserts: readonly Operation[]): AnyNode | undefined {
  const key = keyOf(node)
  if (!key) return undefined
  const keys = inserts.flatMap((insert) => (insert.tree === tree ? (keyOf(insert.node) ?? []) : []))
  const text = tree.source.slice(key.start, key.end)
  for (const part of nodesIn(key)) {
    if (part.type !== 'BinaryExpression' || part.operator !== '-') continue
    const newest = text.slice(0, part.start - key.start) + textOf(tree, part.left) + text.slice(part.end - key.start)
    // Whatever goes by another key would stay; and of moments, hardly one is met again.
    if (
      keys.length === inserts.length &&
      keys.every((each) => textOf(tree, each) === newest) &&
      isCounter(tree, part.left)
    )
      return part.right
  }
  return undefined
}

/** Whether a variable or property is counted up one by one, or is a parameter that is always given such. */
function isCounter(tree: SyntaxTree, expression: AnyNode, steps = 0): boolean {
  const node = plain(expression)
  const binding = node.type === 'Identifier' ? bindingOf(node) : undefined
  const name = node.type === 'MemberExpression' ? nameOfMember(node) : undefined
  const uses = binding?.references ?? (tree.properties.get(name ?? '') ?? []).map((key) => parentOf(key)!)
  if (uses.some((use) => isIncrement(parentOf(use)))) return true
  const maker = binding?.kind === 'parameter' && steps < 3 ? functionAround(binding.declared) : undefined
  const at = maker && binding ? maker.params.indexOf(binding.declared) : -1
  const calls = maker && at >= 0 ? callsTo(maker, tree) : []
  return (
    calls.length > 0 &&
    calls.every((call) => {
      const given = call.type === 'ImportExpression' ? undefined : call.arguments[at]
      return given !== undefined && isCounter(tree, given, steps + 1)
    })
  )
}

const isIncrement = (node: AnyNode | undefined): boolean =>
  (node?.type === 'UpdateExpression' && node.operator === '++') ||
  (node?.type === 'AssignmentExpression' &&
    node.operator === '+=' &&
    node.right.type === 'Literal' &&
    node.right.value === 1)

/** What something is put under, or taken from. */
function keyOf(node: AnyNode): AnyNode | undefined {
  if (node.type === 'CallExpression') return node.arguments[0]
  const member =
    node.type === 'AssignmentExpression' ? node.left : node.type === 'UnaryExpression' ? node.argument : undefined
  return member?.type === 'MemberExpression' && member.computed ? member.property : undefined
}

type Evaluate = (tree: SyntaxTree, node: AnyNode) => number | undefined

/** Where nothing is put in unless there is room: all statements that put something in must ask. */
function boundsOfInserts(
  trees: Trees,
  inserts: readonly Operation[],
  sizes: ReadonlySet<AnyNode>,
  evaluate: Evaluate,
): Limit[] {
  const bounds = inserts
    .map(({ tree, node }) => reachOf(trees, tree, node))
    .filter(({ when }) => when === 'work')
    .flatMap(({ ways }) =>
      ways.map(({ guards }) =>
        guards.map((guard) => boundIn({ ...guard, holds: !guard.holds }, sizes, evaluate, false)).find((each) => each),
      ),
    )
  return bounds.length > 0 && bounds.every((each) => each !== undefined) ? bounds : []
}

const MIRRORED: Readonly<Record<string, string>> = {
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
  '===': '===',
  '==': '==',
}
const OPPOSITE: Readonly<Record<string, string>> = { '<': '>=', '<=': '>', '>': '<=', '>=': '<' }

/**
 * A comparison of the size with something that is true only once it has got so large.
 * @param byCounter whether a variable that is called like a size and counted up will do
 */
function boundIn(
  { tree, test, holds }: Guard,
  sizes: ReadonlySet<AnyNode>,
  evaluate: Evaluate,
  byCounter = true,
): Limit | undefined {
  for (const { node, isTrue } of comparisonsIn(test, holds)) {
    for (const [side, other, operator] of sidesOf(node)) {
      if (side.type === 'PrivateIdentifier' || !isSize(side, tree, sizes, byCounter)) continue
      const seen = isTrue ? operator : OPPOSITE[operator]
      if (seen !== '>' && seen !== '>=' && seen !== '===' && seen !== '==') continue
      // `size - limit > 0`
      const difference = differenceOf(side, tree, sizes)
      const limit = difference ?? other
      const value = evaluate(tree, limit)
      // Whether there is anything in it, or a pair, is asked for other reasons.
      if (value !== undefined && value < 3) continue
      return { kind: 'size', value, text: textOf(tree, limit), tree, at: node.start }
    }
  }
  return undefined
}

/** The comparisons that decide a condition, and whether each is true. */
function* comparisonsIn(test: AnyNode, holds: boolean): Generator<{ node: BinaryExpression; isTrue: boolean }> {
  const waiting = [{ node: plain(test), isTrue: holds }]
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const { node, isTrue } = at
    if (node.type === 'BinaryExpression') yield { node, isTrue }
    else if (node.type === 'UnaryExpression' && node.operator === '!')
      waiting.push({ node: plain(node.argument), isTrue: !isTrue })
    else if (node.type === 'LogicalExpression')
      waiting.push({ node: plain(node.left), isTrue }, { node: plain(node.right), isTrue })
    else if (node.type === 'Identifier') {
      const binding = bindingOf(node)
      const initial = binding && initialOf(binding)
      if (initial && initial.type !== 'Identifier') waiting.push({ node: initial, isTrue })
    }
  }
}

const sidesOf = ({ left, right, operator }: BinaryExpression): [AnyNode, AnyNode, string][] => [
  [left, right, operator],
  [right, left, MIRRORED[operator] ?? operator],
]

/** Whether an expression is about how many there are: their number, a variable that was set to it, or one counted beside it. */
function isSize(node: AnyNode, tree: SyntaxTree, sizes: ReadonlySet<AnyNode>, byCounter = true): boolean {
  for (const each of nodesIn(node)) {
    if (sizes.has(each)) return true
    if (each.type !== 'Identifier') continue
    const binding = bindingOf(each)
    const initial = binding && initialOf(binding)
    if (initial && initial !== node && [...nodesIn(initial)].some((inner) => sizes.has(inner))) return true
  }
  const at = plain(node)
  const name = at.type === 'Identifier' ? at.name : at.type === 'MemberExpression' ? nameOfMember(at) : undefined
  return byCounter && name !== undefined && COUNTER.test(name) && isCounted(at, tree)
}

const COUNTER = /size|count|length|total|bytes|used/i

/** Whether a variable or property is counted up somewhere: `count++`, `this.#bytes += chunk.length`. */
function isCounted(node: AnyNode, tree: SyntaxTree): boolean {
  const isAdded = (use: AnyNode): boolean => {
    const parent = parentOf(use)
    return (
      (parent?.type === 'UpdateExpression' && parent.operator === '++') ||
      (parent?.type === 'AssignmentExpression' && parent.left === use && parent.operator === '+=')
    )
  }
  if (node.type === 'Identifier') return bindingOf(node)?.references.some(isAdded) ?? false
  const name = node.type === 'MemberExpression' ? nameOfMember(node) : undefined
  return name !== undefined && (tree.properties.get(name) ?? []).some((key) => isAdded(parentOf(key)!))
}

function differenceOf(node: AnyNode, tree: SyntaxTree, sizes: ReadonlySet<AnyNode>): AnyNode | undefined {
  const at = plain(node)
  const value = at.type === 'Identifier' && bindingOf(at) ? initialOf(bindingOf(at)!) : at
  return value?.type === 'BinaryExpression' && value.operator === '-' && isSize(value.left, tree, sizes)
    ? value.right
    : undefined
}

const CLOCK = /\b(?:Date\.now|performance\.now|process\.uptime|Date\b)/
const MOMENT =
  /(^|_|\b|[a-z])(now|time|at|expires?|expiry|expiration|deadline|until|stamp|age|seen|used|touched|created|updated|ts|t0)$/i

/** A comparison of a moment with another: how long something may stay. */
function lifetimeIn(guard: Guard, inserts: readonly Operation[], evaluate: Evaluate): Limit | undefined {
  const { tree, test, holds } = guard
  for (const { node } of comparisonsIn(test, holds)) {
    if (!/^[<>]=?$/.test(node.operator)) continue
    const text = textOf(tree, node)
    const moments = [...nodesIn(node)].filter((each) => isMoment(each, tree))
    if (moments.length === 0 && !CLOCK.test(text)) continue
    const own = durationIn(node, tree, evaluate)
    if (own) return { kind: 'lifetime', ...own, tree, at: node.start }
    // `entry.expires < now`: it was worked out where the entry was made.
    for (const insert of inserts) {
      for (const each of nodesIn(functionOrModule(insert.node))) {
        if (each.type !== 'BinaryExpression' || each.operator !== '+' || !CLOCK.test(textOf(insert.tree, each)))
          continue
        const then = durationIn(each, insert.tree, evaluate)
        if (then) return { kind: 'lifetime', ...then, tree: insert.tree, at: each.start }
      }
    }
  }
  return undefined
}

function functionOrModule(node: AnyNode): AnyNode {
  let at = node
  for (let up = parentOf(at); up; up = parentOf(at)) {
    at = up
    if (at.type === 'FunctionDeclaration' || at.type === 'FunctionExpression' || at.type === 'ArrowFunctionExpression')
      break
  }
  return at
}

function isMoment(node: AnyNode, tree: SyntaxTree): boolean {
  if (node.type === 'CallExpression') return CLOCK.test(textOf(tree, node.callee))
  const name =
    node.type === 'Identifier' ? node.name : node.type === 'MemberExpression' ? nameOfMember(node) : undefined
  return name !== undefined && MOMENT.test(name) && !DURATION.test(name)
}

const DURATION = /ttl|max|life|timeout|interval|period|retention|window|limit|_MS$|_SECONDS$/i
const SECONDS = /(^|_|[a-z])(s|secs?|seconds)$|stdTTL/i
const MINUTES = /(^|_|[a-z])(min|mins|minutes)$/i

/** The largest part of an expression that is a number by itself; in milliseconds, as clocks of JavaScript count. */
function durationIn(
  node: AnyNode,
  tree: SyntaxTree,
  evaluate: Evaluate,
): { value: number | undefined; text: string } | undefined {
  const whole = textOf(tree, node)
  // `Math.floor(Date.now() / 1000)`
  const inSeconds = /(?:now\(\)|Date\(\))\s*\/\s*(?:1000|1e3|1_000)\b/.test(whole) || /process\.uptime/.test(whole)
  const waiting: AnyNode[] = [node]
  let unknown: string | undefined
  for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
    const value = isMoment(at, tree) ? undefined : evaluate(tree, at)
    const name = at.type === 'Identifier' ? at.name : at.type === 'MemberExpression' ? nameOfMember(at) : undefined
    if (value !== undefined && value > 0) {
      const unit =
        name !== undefined && SECONDS.test(name) && !/ms$|millis/i.test(name)
          ? 1000
          : name !== undefined && MINUTES.test(name)
            ? 60_000
            : 1
      return { value: value * Math.max(unit, inSeconds ? 1000 : 1), text: textOf(tree, at) }
    }
    if (name !== undefined && DURATION.test(name)) unknown ??= textOf(tree, at)
    if (at.type === 'BinaryExpression' || at.type === 'LogicalExpression')
      waiting.push(plain(at.left as AnyNode), plain(at.right))
  }
  return unknown === undefined ? undefined : { value: undefined, text: unknown }
}

/** What an expression is worth as a number: constants of the source, and what the heap tells of names. */
export function worthOf(
  trees: Trees,
  tree: SyntaxTree,
  node: AnyNode,
  numberNamed: NumberNamed,
  depth = 0,
): number | undefined {
  if (depth > 12) return undefined
  const inner = (each: AnyNode): number | undefined => worthOf(trees, tree, each, numberNamed, depth + 1)
  const at = plain(node)
  switch (at.type) {
    case 'Literal':
      return typeof at.value === 'number' ? at.value : undefined
    case 'UnaryExpression': {
      const value = inner(at.argument)
      return value === undefined ? undefined : at.operator === '-' ? -value : at.operator === '+' ? value : undefined
    }
    case 'BinaryExpression': {
      const [a, b] = [inner(at.left as AnyNode), inner(at.right)]
      return a === undefined || b === undefined ? undefined : calculate(a, at.operator, b)
    }
    case 'LogicalExpression':
      return inner(at.left) ?? inner(at.right)
    case 'AssignmentPattern':
      return inner(at.right)
    case 'CallExpression': {
      const callee = textOf(tree, at.callee)
      const values = at.arguments.map(inner)
      if (/^(Number|parseInt|Number\.parseInt|Math\.(floor|round|ceil|trunc))$/.test(callee)) return values[0]
      const known = values.filter((value) => value !== undefined)
      if (callee === 'Math.min' && known.length > 0) return Math.min(...known)
      return callee === 'Math.max' && known.length === values.length && known.length > 0
        ? Math.max(...known)
        : undefined
    }
    case 'Identifier': {
      const binding = bindingOf(at)
      const known = numberNamed(at.name)
      if (known !== undefined || !binding) return known
      if (binding.kind === 'import') return importedValue(trees, tree, binding, numberNamed, depth)
      if (binding.kind === 'parameter') return parameterValue(trees, tree, binding.declared, numberNamed, depth)
      const initial = initialOf(binding)
      return initial && isNeverChanged(binding.references) ? inner(initial) : undefined
    }
    case 'MemberExpression': {
      const name = nameOfMember(at)
      if (name === undefined) return undefined
      const known = numberNamed(name)
      if (known !== undefined) return known
      const object = plain(at.object)
      const holder = object.type === 'Identifier' && bindingOf(object) ? initialOf(bindingOf(object)!) : undefined
      if (holder?.type === 'ObjectExpression') {
        for (const each of holder.properties)
          if (each.type === 'Property' && each.key.type === 'Identifier' && each.key.name === name)
            return inner(each.value)
      }
      return propertyValue(tree, name, inner)
    }
    default:
      return undefined
  }
}

function calculate(a: number, operator: string, b: number): number | undefined {
  switch (operator) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    case '/':
      return a / b
    case '**':
      return a ** b
    case '<<':
      return a << b
    default:
      return undefined
  }
}

const isNeverChanged = (references: readonly AnyNode[]): boolean =>
  references.every((use) => {
    const parent = parentOf(use)
    return !(parent?.type === 'UpdateExpression' || (parent?.type === 'AssignmentExpression' && parent.left === use))
  })

/** `max = 500`, `this.max = max`: what a property is set to, the first that is a number. */
function propertyValue(
  tree: SyntaxTree,
  name: string,
  inner: (node: AnyNode) => number | undefined,
): number | undefined {
  for (const key of tree.properties.get(name) ?? []) {
    const parent = parentOf(key)!
    const value =
      parent.type === 'PropertyDefinition' && parent.key === key
        ? parent.value
        : parent.type === 'MemberExpression' && parentOf(parent)?.type === 'AssignmentExpression'
          ? assignedTo(parent)
          : undefined
    const number = value ? inner(value) : undefined
    if (number !== undefined) return number
  }
  return undefined
}

function assignedTo(member: AnyNode): AnyNode | undefined {
  const assignment = parentOf(member)
  return assignment?.type === 'AssignmentExpression' && assignment.left === member && assignment.operator === '='
    ? assignment.right
    : undefined
}

function importedValue(
  trees: Trees,
  tree: SyntaxTree,
  { declared, name }: { declared: AnyNode; name: string },
  numberNamed: NumberNamed,
  depth: number,
): number | undefined {
  const specifier = parentOf(declared)
  const declaration = specifier && parentOf(specifier)
  if (declaration?.type !== 'ImportDeclaration') return undefined
  const url = trees.resolve(String(declaration.source.value), tree.url)
  const there = url === undefined ? undefined : trees.tree(url)
  const imported =
    specifier?.type === 'ImportSpecifier' && specifier.imported.type === 'Identifier' ? specifier.imported.name : name
  const binding = there?.moduleScope.bindings.get(imported)
  const initial = binding && initialOf(binding)
  return there && initial ? worthOf(trees, there, initial, numberNamed, depth + 1) : undefined
}

/** What a parameter is given: by the calls that are seen, the most; else what it is by default. */
function parameterValue(
  trees: Trees,
  tree: SyntaxTree,
  declared: AnyNode,
  numberNamed: NumberNamed,
  depth: number,
): number | undefined {
  const pattern = parentOf(declared)
  const parameter = pattern?.type === 'AssignmentPattern' && pattern.left === declared ? pattern : declared
  const byDefault =
    parameter.type === 'AssignmentPattern' ? worthOf(trees, tree, parameter.right, numberNamed, depth + 1) : undefined
  const maker = parentOf(parameter)
  if (
    maker?.type !== 'FunctionExpression' &&
    maker?.type !== 'FunctionDeclaration' &&
    maker?.type !== 'ArrowFunctionExpression'
  )
    return byDefault
  const index = maker.params.indexOf(parameter as never)
  const method = parentOf(maker)
  const holder =
    method?.type === 'MethodDefinition' && method.kind === 'constructor' ? parentOf(parentOf(method)!) : undefined
  const name =
    holder && (holder.type === 'ClassDeclaration' || holder.type === 'ClassExpression')
      ? holder.id?.name
      : maker.type === 'FunctionDeclaration'
        ? maker.id?.name
        : method?.type === 'VariableDeclarator' && method.id.type === 'Identifier'
          ? method.id.name
          : undefined
  if (name === undefined || index < 0) return byDefault
  let most: number | undefined
  for (const there of trees.treesWith(name)) {
    for (const call of there.calls) {
      if (!isCallOf(call, name)) continue
      const given = 'arguments' in call ? call.arguments[index] : undefined
      const value = given ? worthOf(trees, there, given, numberNamed, depth + 1) : byDefault
      if (value !== undefined && (most === undefined || value > most)) most = value
    }
  }
  return most ?? byDefault
}

function isCallOf(call: CallNode, name: string): boolean {
  if (call.type === 'ImportExpression') return false
  const callee = plain(call.callee)
  return callee.type === 'Identifier'
    ? callee.name === name
    : callee.type === 'MemberExpression' && nameOfMember(callee) === name
}
