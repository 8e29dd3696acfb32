// Links a syntax tree: each node to the one around it, each identifier to the variable that it means, functions and calls listed.

import type {
  AnonymousFunctionDeclaration,
  AnyNode,
  ArrowFunctionExpression,
  CallExpression,
  Class,
  FunctionDeclaration,
  FunctionExpression,
  Identifier,
  ImportExpression,
  NewExpression,
  Program,
} from 'acorn'
import { parse } from './parse.ts'

export type FunctionNode =
  | FunctionDeclaration
  | AnonymousFunctionDeclaration
  | FunctionExpression
  | ArrowFunctionExpression
export type CallNode = CallExpression | NewExpression | ImportExpression

export interface Scope {
  readonly kind: 'module' | 'function' | 'class' | 'block'
  readonly node: AnyNode
  readonly outer: Scope | undefined
  readonly bindings: Map<string, Binding>
}

/** A variable, parameter, function, class or import of a scope. */
export interface Binding {
  readonly name: string
  readonly kind: 'variable' | 'constant' | 'parameter' | 'function' | 'class' | 'import'
  readonly scope: Scope
  /** Where it is declared. */
  readonly declared: Identifier
  /** All other places where it is meant, in the order of the source. */
  readonly references: Identifier[]
}

export interface SyntaxTree {
  readonly url: string
  readonly source: string
  readonly program: Program
  readonly moduleScope: Scope
  readonly functions: readonly FunctionNode[]
  readonly classes: readonly Class[]
  readonly calls: readonly CallNode[]
  /** By name: property names as they are used and declared, `#private` ones with their `#`. */
  readonly properties: ReadonlyMap<string, readonly AnyNode[]>
  /** By name: all bindings called so. */
  readonly bindings: ReadonlyMap<string, readonly Binding[]>
}

interface Links {
  parent?: AnyNode
  binding?: Binding
  scope?: Scope
}

/** The node around a node; undefined for the program. */
export const parentOf = (node: AnyNode): AnyNode | undefined => (node as Links).parent
/** The variable that an identifier declares or means; undefined for a global one, or for the name of a property. */
export const bindingOf = (node: Identifier): Binding | undefined => (node as Links).binding
/** The scope that a node stands in. */
export const scopeOf = (node: AnyNode): Scope | undefined => (node as Links).scope

/** Child nodes by type, in the order of the source. What is missing has none that runs, as types have. */
const CHILDREN: Readonly<Record<string, readonly string[]>> = {
  Program: ['body'],
  ExpressionStatement: ['expression'],
  BlockStatement: ['body'],
  StaticBlock: ['body'],
  WithStatement: ['object', 'body'],
  ReturnStatement: ['argument'],
  LabeledStatement: ['body'],
  IfStatement: ['test', 'consequent', 'alternate'],
  SwitchStatement: ['discriminant', 'cases'],
  SwitchCase: ['test', 'consequent'],
  ThrowStatement: ['argument'],
  TryStatement: ['block', 'handler', 'finalizer'],
  CatchClause: ['param', 'body'],
  WhileStatement: ['test', 'body'],
  DoWhileStatement: ['body', 'test'],
  ForStatement: ['init', 'test', 'update', 'body'],
  ForInStatement: ['left', 'right', 'body'],
  ForOfStatement: ['left', 'right', 'body'],
  FunctionDeclaration: ['id', 'params', 'body'],
  FunctionExpression: ['id', 'params', 'body'],
  ArrowFunctionExpression: ['params', 'body'],
  VariableDeclaration: ['declarations'],
  VariableDeclarator: ['id', 'init'],
  ArrayExpression: ['elements'],
  ObjectExpression: ['properties'],
  Property: ['key', 'value'],
  UnaryExpression: ['argument'],
  UpdateExpression: ['argument'],
  BinaryExpression: ['left', 'right'],
  AssignmentExpression: ['left', 'right'],
  LogicalExpression: ['left', 'right'],
  MemberExpression: ['object', 'property'],
  ConditionalExpression: ['test', 'consequent', 'alternate'],
  CallExpression: ['callee', 'arguments'],
  NewExpression: ['callee', 'arguments'],
  SequenceExpression: ['expressions'],
  YieldExpression: ['argument'],
  AwaitExpression: ['argument'],
  TemplateLiteral: ['expressions'],
  TaggedTemplateExpression: ['tag', 'quasi'],
  SpreadElement: ['argument'],
  RestElement: ['argument'],
  AssignmentPattern: ['left', 'right'],
  ObjectPattern: ['properties'],
  ArrayPattern: ['elements'],
  ClassDeclaration: ['decorators', 'id', 'superClass', 'body'],
  ClassExpression: ['decorators', 'id', 'superClass', 'body'],
  ClassBody: ['body'],
  MethodDefinition: ['decorators', 'key', 'value'],
  PropertyDefinition: ['decorators', 'key', 'value'],
  AccessorProperty: ['decorators', 'key', 'value'],
  ImportDeclaration: ['specifiers'],
  ImportSpecifier: ['local'],
  ImportDefaultSpecifier: ['local'],
  ImportNamespaceSpecifier: ['local'],
  ExportNamedDeclaration: ['declaration', 'specifiers'],
  ExportSpecifier: ['local'],
  ExportDefaultDeclaration: ['declaration'],
  ImportExpression: ['source'],
  ChainExpression: ['expression'],
  ParenthesizedExpression: ['expression'],
  TSAsExpression: ['expression'],
  TSSatisfiesExpression: ['expression'],
  TSNonNullExpression: ['expression'],
  TSTypeAssertion: ['expression'],
  TSInstantiationExpression: ['expression'],
  TSParameterProperty: ['parameter'],
  TSExportAssignment: ['expression'],
  TSModuleDeclaration: ['body'],
  TSModuleBlock: ['body'],
  Decorator: ['expression'],
  JSXElement: ['openingElement', 'children'],
  JSXFragment: ['children'],
  JSXOpeningElement: ['attributes'],
  JSXAttribute: ['value'],
  JSXSpreadAttribute: ['argument'],
  JSXExpressionContainer: ['expression'],
}

/** Without what changes nothing of its value: casts of TypeScript, parentheses, `?.`, `await`, and `(0, f)`, as compilers write it. */
export function plain(node: AnyNode): AnyNode {
  let at: AnyNode = node
  for (;;) {
    const inner = valueIn(at)
    if (inner === undefined) return at
    at = inner
  }
}

/** What an expression has its value from, if that is another one and nothing is done with it. */
function valueIn(node: AnyNode): AnyNode | undefined {
  // Bundlers put statements into conditions: `if (put(it), size > MOST)`.
  if (node.type === 'SequenceExpression') return node.expressions.at(-1)
  if (!WRAPPERS.has(node.type)) return undefined
  return childNode(node, node.type === 'AwaitExpression' ? 'argument' : 'expression')
}

const WRAPPERS: ReadonlySet<string> = new Set([
  'ChainExpression',
  'ParenthesizedExpression',
  'AwaitExpression',
  'TSAsExpression',
  'TSSatisfiesExpression',
  'TSNonNullExpression',
  'TSTypeAssertion',
])

/** A node with all around it that changes nothing of its value; see {@link plain}. */
export function outermost(node: AnyNode): AnyNode {
  let at = node
  for (let up = parentOf(at); up && valueIn(up) === at; up = parentOf(at)) at = up
  return at
}

const childNode = (node: AnyNode, key: string): AnyNode | undefined =>
  (node as unknown as Record<string, AnyNode | undefined>)[key]

export const isFunctionNode = (node: AnyNode): node is FunctionNode =>
  node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression'

/** The function around a node; undefined at the top of a module. */
export function functionAround(node: AnyNode): FunctionNode | undefined {
  let at = parentOf(node)
  while (at && !isFunctionNode(at)) at = parentOf(at)
  return at
}

/** The class whose `this` a node would have; undefined where that is no instance of a class that is written down. */
export function classAround(node: AnyNode): Class | undefined {
  for (let at = parentOf(node); at; at = parentOf(at)) {
    if (at.type === 'ClassDeclaration' || at.type === 'ClassExpression') return at
    const ownsThis = at.type === 'FunctionDeclaration' || at.type === 'FunctionExpression'
    if (ownsThis && parentOf(at)?.type !== 'MethodDefinition') return undefined
  }
  return undefined
}

/** All nodes below one, itself first, in the order of the source. */
export function* nodesIn(root: AnyNode): Generator<AnyNode> {
  const waiting = [root]
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    yield node
    pushChildren(node, waiting)
  }
}

/** The nodes directly below one, the last first. */
export function childrenOf(node: AnyNode): AnyNode[] {
  const children: AnyNode[] = []
  pushChildren(node, children)
  return children
}

function pushChildren(node: AnyNode, waiting: AnyNode[]): number {
  const keys = CHILDREN[node.type]
  const before = waiting.length
  if (keys === undefined) return 0
  for (let i = keys.length - 1; i >= 0; i--) {
    const child = (node as unknown as Record<string, AnyNode | readonly (AnyNode | null)[] | null | undefined>)[
      keys[i]!
    ]
    if (child == null) continue
    if (!Array.isArray(child)) {
      waiting.push(child as AnyNode)
      continue
    }
    for (let at = child.length - 1; at >= 0; at--) {
      const each: AnyNode | null = child[at]
      if (each !== null) waiting.push(each)
    }
  }
  return waiting.length - before
}

/** Parses and links a source; undefined for a text that is no JavaScript and no TypeScript. Linear in its length. */
export function readSyntax(source: string, url: string): SyntaxTree | undefined {
  const program = parse(source, url)
  return program && new Linker(url, source, program).link()
}

class Linker {
  readonly #functions: FunctionNode[] = []
  readonly #classes: Class[] = []
  readonly #calls: CallNode[] = []
  readonly #properties = new Map<string, AnyNode[]>()
  readonly #bindings = new Map<string, Binding[]>()
  /** Identifiers that mean a variable, and where. */
  readonly #uses: Identifier[] = []
  readonly #url: string
  readonly #source: string
  readonly #program: Program

  constructor(url: string, source: string, program: Program) {
    this.#url = url
    this.#source = source
    this.#program = program
  }

  link(): SyntaxTree {
    const program = this.#program
    const moduleScope: Scope = { kind: 'module', node: program, outer: undefined, bindings: new Map() }
    ;(program as Links).scope = moduleScope
    const waiting: AnyNode[] = [program]
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      const scope = (node as Links).scope!
      const inner = this.#visit(node, scope)
      const count = pushChildren(node, waiting)
      for (let i = waiting.length - count; i < waiting.length; i++) {
        const child = waiting[i] as Links
        child.parent = node
        child.scope = inner
      }
    }
    // Functions and `var` are known in front of where they stand.
    for (const use of this.#uses) this.#resolve(use)
    return {
      url: this.#url,
      source: this.#source,
      program,
      moduleScope,
      functions: this.#functions,
      classes: this.#classes,
      calls: this.#calls,
      properties: this.#properties,
      bindings: this.#bindings,
    }
  }

  /** @returns the scope of what is in the node */
  #visit(node: AnyNode, scope: Scope): Scope {
    switch (node.type) {
      case 'Identifier':
        this.#identifier(node)
        return scope
      case 'PrivateIdentifier':
        this.#property(`#${node.name}`, node)
        return scope
      case 'Literal': {
        const around = parentOf(node)
        if (typeof node.value === 'string' && around?.type === 'MemberExpression' && around.property === node)
          this.#property(node.value, node)
        return scope
      }
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression': {
        this.#functions.push(node)
        const inner = scopeIn('function', node, scope)
        if (node.type === 'FunctionDeclaration' && node.id) this.#declare(node.id, 'function', scope)
        if (node.type === 'FunctionExpression' && node.id) this.#declare(node.id, 'function', inner)
        for (const param of node.params) this.#declareAll(param, 'parameter', inner)
        return inner
      }
      case 'ClassDeclaration':
      case 'ClassExpression': {
        this.#classes.push(node)
        const inner = scopeIn('class', node, scope)
        if (node.id) this.#declare(node.id, 'class', node.type === 'ClassDeclaration' ? scope : inner)
        return inner
      }
      case 'BlockStatement':
        return isFunctionNode(parentOf(node)!) ? scope : scopeIn('block', node, scope)
      case 'ForStatement':
      case 'ForInStatement':
      case 'ForOfStatement':
      case 'SwitchStatement':
      case 'StaticBlock':
        return scopeIn('block', node, scope)
      case 'CatchClause': {
        const inner = scopeIn('block', node, scope)
        if (node.param) this.#declareAll(node.param, 'parameter', inner)
        return inner
      }
      case 'VariableDeclaration': {
        const home = node.kind === 'var' ? functionScope(scope) : scope
        for (const { id } of node.declarations)
          this.#declareAll(id, node.kind === 'const' ? 'constant' : 'variable', home)
        return scope
      }
      case 'ImportDeclaration':
        for (const { local } of node.specifiers) this.#declare(local, 'import', scope)
        return scope
      case 'CallExpression':
      case 'NewExpression':
      case 'ImportExpression':
        this.#calls.push(node)
        return scope
      default:
        return scope
    }
  }

  #identifier(node: Identifier): void {
    const links = node as Links
    if (links.binding) return
    const parent = links.parent!
    switch (parent.type) {
      case 'MemberExpression':
        if (parent.property !== node || parent.computed) break
        this.#property(node.name, node)
        return
      case 'MethodDefinition':
      case 'PropertyDefinition':
        if (parent.key !== node || parent.computed) break
        this.#property(node.name, node)
        return
      case 'Property':
        if (parent.key === node && !parent.computed) {
          this.#property(node.name, node)
          // `{ sessions }` is both a name and a variable.
          if (!parent.shorthand) return
        }
        break
      case 'ImportSpecifier':
      case 'LabeledStatement':
      case 'BreakStatement':
      case 'ContinueStatement':
        return
    }
    this.#uses.push(node)
  }

  #property(name: string, node: AnyNode): void {
    const known = this.#properties.get(name)
    if (known) known.push(node)
    else this.#properties.set(name, [node])
  }

  #declareAll(pattern: AnyNode, kind: Binding['kind'], scope: Scope): void {
    const waiting = [pattern]
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      if (at.type === 'Identifier') this.#declare(at, kind, scope)
      else if (at.type === 'ObjectPattern')
        for (const each of at.properties) waiting.push(each.type === 'Property' ? each.value : each.argument)
      else if (at.type === 'ArrayPattern') waiting.push(...at.elements.filter((each) => each !== null))
      else if (at.type === 'AssignmentPattern') waiting.push(at.left)
      else if (at.type === 'RestElement') waiting.push(at.argument)
      else if ((at.type as string) === 'TSParameterProperty') waiting.push(childNode(at, 'parameter')!)
    }
  }

  #declare(declared: Identifier, kind: Binding['kind'], scope: Scope): void {
    const links = declared as Links
    if (links.binding) return
    const known = scope.bindings.get(declared.name)
    const binding: Binding = known ?? { name: declared.name, kind, scope, declared, references: [] }
    links.binding = binding
    if (known) return
    scope.bindings.set(declared.name, binding)
    const alike = this.#bindings.get(declared.name)
    if (alike) alike.push(binding)
    else this.#bindings.set(declared.name, [binding])
  }

  #resolve(use: Identifier): void {
    const links = use as Links
    if (links.binding) return
    for (let scope = links.scope; scope; scope = scope.outer) {
      const binding = scope.bindings.get(use.name)
      if (!binding) continue
      links.binding = binding
      binding.references.push(use)
      return
    }
  }
}

const scopeIn = (kind: Scope['kind'], node: AnyNode, outer: Scope): Scope => ({
  kind,
  node,
  outer,
  bindings: new Map(),
})

function functionScope(scope: Scope): Scope {
  let at = scope
  while (at.outer && at.kind !== 'function' && at.kind !== 'module') at = at.outer
  return at
}
