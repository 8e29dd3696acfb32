// Finds the expressions of a program that mean one collection, under whatever name, and what is done with it.

import type { AnyNode, AssignmentExpression, CallExpression, Class, MemberExpression, Pattern } from 'acorn'
import {
  callsTo,
  commonExport,
  defaultExport,
  functionBehind,
  initialOf,
  isInConstructor,
  methodsNamed,
  nameOfMember,
  requiredBy,
  textOf,
} from './expressions.ts'
import {
  type Binding,
  bindingOf,
  type CallNode,
  classAround,
  type FunctionNode,
  functionAround,
  isFunctionNode,
  nodesIn,
  outermost,
  parentOf,
  plain,
  type SyntaxTree,
} from './syntax-tree.ts'
import { isChainOf, isNothing, isSetUp, modulus, shortens, valuesBeside } from './values.ts'

/** How the program reaches a collection, as the heap tells it. */
export interface StoragePath {
  /** The script in whose scope the path starts; undefined where it starts at the global object. */
  readonly home: string | undefined
  /** Outermost first; the last one is what the collection, or what it is kept in, is called. */
  readonly names: readonly StoredName[]
  /** Entries and elements between what has the last name and the collection: 0 for itself. */
  readonly depth: number
}

export interface StoredName {
  /** `#private` names have their `#`. */
  readonly name: string
  /** Undefined where that is not known. */
  readonly kind?: 'variable' | 'property' | undefined
  /** Of a variable, whether it is the module's; of one of a function, false. */
  readonly ofModule?: boolean | undefined
  /** The class of the object whose property it is. */
  readonly className?: string | undefined
  /** The name is what a symbol is described by. */
  readonly isSymbol?: boolean | undefined
}

/** Gives the trees that a search may need. */
export interface Trees {
  tree(url: string): SyntaxTree | undefined
  /** The trees of the program's modules, and of those near the path, that have a text in them. */
  treesWith(text: string): readonly SyntaxTree[]
  /** The script that a specifier means in another script, as far as it is one of the program's. */
  resolve(specifier: string, from: string): string | undefined
}

/**
 * - `insert`: puts something in: `push`, `set`, `[key] =`, a copy with one more;
 * - `link`: sets a reference of what is in it: `last.next =`, `head =`;
 * - `remove`: takes something out, or writes over it; `clear`: takes out all, or begins anew;
 * - `declare`: where it is set up; `use`: something else that may make it longer: `then`, `on`, an argument.
 */
export type OperationKind = 'insert' | 'link' | 'remove' | 'clear' | 'declare' | 'use'

export interface Operation {
  readonly kind: OperationKind
  readonly tree: SyntaxTree
  /** The call, assignment or deletion. */
  readonly node: AnyNode
  /** Offset of the expression that means the collection. */
  readonly at: number
  /** 0 for the collection itself, 1 for what is kept in it, and so on. */
  readonly depth: number
  /** What is put in; empty where that is not written down. */
  readonly values: readonly AnyNode[]
  /** The number of places that the statement itself allows: of a ring, or of `slice(-100)`. */
  readonly limit?: AnyNode | undefined
  /** Calls by which the collection is handed on to where this is done, the outermost first. */
  readonly via: readonly CallNode[]
}

export interface Storage {
  readonly operations: readonly Operation[]
  /** Expressions that tell how many are in it. */
  readonly sizes: ReadonlySet<AnyNode>
  /** Calls of methods of the thing itself, or of what it has: of a stream, rather than of a collection. */
  readonly calls: readonly MethodCall[]
}

export interface MethodCall {
  readonly name: string
  readonly call: CallExpression
  readonly tree: SyntaxTree
}

const INSERTS =
  /^(push|unshift|set|add|append|prepend|enqueue|insert|addLast|addFirst|put|offer|register|addAll|pushAll|store)$/
const REMOVES = /^(delete|shift|pop|remove|removeAll|dequeue|poll|discard|evict|prune|expire|drop)([A-Z]\w*)?$/
const ELEMENTS = /^(get|at|find|findLast|values|entries|keys|pop|shift|next|peek|slice|filter)$/
const VISITS = /^(forEach|map|filter|some|every|find|findLast|reduce|flatMap)$/
const SAME = /^(sort|reverse|fill|set|add|on|once|addListener|getWriter|getReader)$/
const USES = /^(then|catch|finally|concat|write|on|once|addListener|addEventListener)$/
/** Expressions that are followed, at most, and how far what is kept in what is kept is looked at. */
const MOST = { occurrences: 4000, depth: 3, calls: 3, methods: 3 }

interface Occurrence {
  readonly node: AnyNode
  readonly tree: SyntaxTree
  readonly depth: number
  readonly via: readonly CallNode[]
}

/** Follows a collection through the program. Linear in how often its names are used. */
export function findStorage(trees: Trees, path: StoragePath): Storage {
  return new Search(trees, path).run()
}

class Search {
  readonly #trees: Trees
  readonly #path: StoragePath
  readonly #waiting: Occurrence[] = []
  readonly #seen = new Set<AnyNode>()
  readonly #bindings = new Set<Binding>()
  /** Variables that the heap names. */
  readonly #roots = new Set<Binding>()
  readonly #operations: Operation[] = []
  readonly #sizes = new Set<AnyNode>()
  readonly #calls: MethodCall[] = []

  constructor(trees: Trees, path: StoragePath) {
    this.#trees = trees
    this.#path = path
  }

  run(): Storage {
    this.#begin()
    for (let i = 0; i < this.#waiting.length && i < MOST.occurrences; i++) this.#look(this.#waiting[i]!)
    return { operations: this.#operations, sizes: this.#sizes, calls: this.#calls }
  }

  #begin(): void {
    const { home, names } = this.#path
    const last = names.at(-1)
    if (!last) return
    const near = home === undefined ? undefined : this.#trees.tree(home)
    if (last.kind !== 'property') this.#beginWithVariable(near, last)
    if (last.kind === 'variable' && (this.#waiting.length > 0 || home !== undefined)) return
    if (last.isSymbol) this.#membersBySymbol(last.name)
    for (const tree of this.#trees.treesWith(last.name.replace(/^#/, ''))) this.#members(tree, last, names.at(-2))
  }

  #beginWithVariable(near: SyntaxTree | undefined, { name, ofModule }: StoredName): void {
    if (!near) {
      // It is exported by some module.
      for (const tree of this.#trees.treesWith(name)) {
        const binding = tree.moduleScope.bindings.get(name)
        if (binding && binding.kind !== 'import') this.#beginWithVariable(tree, { name, ofModule: true })
      }
      return
    }
    const all = near.bindings.get(name) ?? []
    const fits = all.filter(({ scope }) => ofModule === undefined || (scope === near.moduleScope) === ofModule)
    for (const binding of fits.length > 0 ? fits : all) {
      this.#roots.add(binding)
      this.#binding(binding, near, 0, [])
    }
    // What a module exports is filled in others as well.
    for (const tree of this.#trees.treesWith(name)) {
      if (tree === near) continue
      for (const binding of tree.bindings.get(name) ?? []) {
        if (binding.kind === 'import' && this.#importedFrom(binding, tree) === near.url)
          this.#binding(binding, tree, 0, [])
      }
    }
  }

  #importedFrom(binding: Binding, tree: SyntaxTree): string | undefined {
    const declaration = parentOf(parentOf(binding.declared)!)
    if (declaration?.type !== 'ImportDeclaration') return undefined
    return this.#trees.resolve(String(declaration.source.value), tree.url)
  }

  /** Where a property goes by a symbol: `it[items]`, with `const items = Symbol('items')` here or in another module. */
  #membersBySymbol(description: string): void {
    const symbols = new Set<string>()
    for (const tree of this.#trees.treesWith(description)) {
      for (const binding of [...tree.bindings.values()].flat()) {
        if (!isSymbolOf(initialOf(binding), description)) continue
        symbols.add(binding.name)
        this.#bySymbol(binding, tree)
      }
    }
    for (const name of symbols) {
      for (const tree of this.#trees.treesWith(name)) {
        for (const binding of tree.bindings.get(name) ?? [])
          if (binding.kind === 'import') this.#bySymbol(binding, tree)
      }
    }
  }

  #bySymbol({ references }: Binding, tree: SyntaxTree): void {
    for (const key of references) {
      const parent = parentOf(key)!
      const it = { node: parent, tree, depth: 0, via: [] }
      if (parent.type === 'MemberExpression' && parent.computed && parent.property === key) this.#add(it)
      else if ((parent.type === 'Property' || parent.type === 'PropertyDefinition') && parent.key === key)
        this.#operation('declare', it, parent)
    }
  }

  /** All places where a property is used that may be the one looked for. */
  #members(tree: SyntaxTree, stored: StoredName, owner: StoredName | undefined): void {
    for (const key of tree.properties.get(stored.name) ?? []) {
      const parent = parentOf(key)!
      if (parent.type === 'MemberExpression' && parent.property === key) {
        if (this.#isOwners(parent, tree, stored, owner)) this.#add({ node: parent, tree, depth: 0, via: [] })
      } else if (parent.type === 'PropertyDefinition') {
        const holder = parentOf(parentOf(parent)!) as Class
        if (fitsClass(holder, stored.className, tree))
          this.#operation('declare', { node: parent, tree, depth: 0, via: [] }, parent)
      } else if (parent.type === 'Property') {
        const pattern = parentOf(parent)!
        if (pattern.type === 'ObjectPattern') this.#alias(parent.value, { node: key, tree, depth: 0, via: [] })
        else if (parent.key === key && !parent.method && isSetUp(parent.value))
          this.#operation('declare', { node: parent, tree, depth: 0, via: [] }, parent)
      }
    }
  }

  /** Whether the object in front of the dot may be the one that has the property. */
  #isOwners(member: MemberExpression, tree: SyntaxTree, stored: StoredName, owner: StoredName | undefined): boolean {
    const object = plain(member.object)
    if (object.type === 'ThisExpression') {
      const holder = classAround(member)
      return !holder || fitsClass(holder, stored.className, tree)
    }
    if (object.type === 'MemberExpression') {
      const name = nameOfMember(object)
      return owner === undefined || name === undefined || name === owner.name || owner.name === ''
    }
    if (object.type !== 'Identifier') return object.type !== 'Super'
    const binding = bindingOf(object)
    if (!binding) return GLOBAL.test(object.name) || object.name === owner?.name
    if (binding.name === owner?.name) return true
    if (binding.kind === 'class' || binding.kind === 'function') return binding.name === stored.className
    const made = initialOf(binding)
    if (!made) return binding.kind === 'parameter' || binding.kind === 'variable' || owner === undefined
    // One that was made as something else is something else.
    if (made.type === 'NewExpression') {
      const name = made.callee.type === 'Identifier' ? made.callee.name : undefined
      return stored.className === undefined || name === undefined || name === stored.className
    }
    return !(owner?.kind === 'variable' && (made.type === 'ObjectExpression' || made.type === 'ArrayExpression'))
  }

  #add(occurrence: Occurrence): void {
    if (occurrence.depth > MOST.depth || this.#seen.has(occurrence.node)) return
    this.#seen.add(occurrence.node)
    this.#waiting.push(occurrence)
  }

  #binding(binding: Binding, tree: SyntaxTree, depth: number, via: readonly CallNode[]): void {
    if (this.#bindings.has(binding)) return
    this.#bindings.add(binding)
    const declarator = parentOf(binding.declared)
    if (depth === 0 && declarator?.type === 'VariableDeclarator' && declarator.id === binding.declared)
      this.#operation('declare', { node: binding.declared, tree, depth, via }, declarator)
    for (const node of binding.references) this.#add({ node, tree, depth, via })
  }

  /** What a pattern gives the value to. */
  #alias(pattern: Pattern | AnyNode, from: Occurrence): void {
    const { tree, depth, via } = from
    if (pattern.type === 'Identifier') {
      const binding = bindingOf(pattern)
      if (binding) this.#binding(binding, tree, depth, via)
    } else if (pattern.type === 'AssignmentPattern') this.#alias(pattern.left, from)
    else if (pattern.type === 'ArrayPattern') {
      for (const each of pattern.elements) if (each) this.#alias(each, { ...from, depth: depth + 1 })
    } else if (pattern.type === 'ObjectPattern') {
      for (const each of pattern.properties)
        this.#alias(each.type === 'Property' ? each.value : each.argument, { ...from, depth: depth + 1 })
    } else if (pattern.type === 'MemberExpression') this.#aliasProperty(pattern, from)
  }

  /** `this.map = sessions`: from then on the property is the collection. */
  #aliasProperty(member: MemberExpression, { tree, depth, via }: Occurrence): void {
    const name = nameOfMember(member)
    if (name === undefined) return
    const receiver = textOf(tree, member.object)
    const holder = plain(member.object).type === 'ThisExpression' ? classAround(member) : undefined
    for (const key of tree.properties.get(name) ?? []) {
      const parent = parentOf(key)!
      if (parent.type !== 'MemberExpression' || parent === member) continue
      const alike = holder ? classAround(parent) === holder : textOf(tree, parent.object) === receiver
      if (alike) this.#add({ node: parent, tree, depth, via })
    }
  }

  #operation(
    kind: OperationKind,
    { node, tree, depth, via }: Occurrence,
    statement: AnyNode,
    { values = [], limit }: { values?: readonly AnyNode[]; limit?: AnyNode | undefined } = {},
  ): void {
    const name = node.type === 'MemberExpression' ? node.property : node
    this.#operations.push({ kind, tree, node: statement, at: name.start, depth, values, limit, via })
  }

  #look(it: Occurrence): void {
    const { depth } = it
    const node = outermost(it.node)
    if (parentOf(it.node)?.type === 'AwaitExpression') this.#operation('use', it, parentOf(it.node)!)
    const parent = parentOf(node)
    switch (parent?.type) {
      case 'MemberExpression':
        if (parent.object === node) this.#member(it, parent)
        return
      case 'AssignmentExpression':
        if (parent.left === node) this.#assigned(it, parent)
        else if (parent.operator !== '+=') this.#alias(parent.left, it)
        return
      case 'VariableDeclarator':
        if (parent.init === node) this.#alias(parent.id, it)
        return
      case 'AssignmentPattern':
        if (parent.right === node) this.#alias(parent.left, it)
        return
      case 'ArrayExpression': {
        // `Promise.race([stopped, work])`
        const call = parentOf(outermost(parent))
        if (call?.type === 'CallExpression' && depth === 0) this.#operation('use', it, call)
        return
      }
      case 'LogicalExpression':
      case 'SequenceExpression':
        this.#add({ ...it, node: parent })
        return
      case 'ConditionalExpression':
        if (parent.test !== node) this.#add({ ...it, node: parent })
        return
      case 'ForOfStatement': {
        if (parent.right !== node) return
        const left = parent.left.type === 'VariableDeclaration' ? parent.left.declarations[0]!.id : parent.left
        this.#alias(left, { ...it, depth: depth + (left.type === 'ArrayPattern' ? 0 : 1) })
        return
      }
      case 'Property':
        if (parent.value === node && parentOf(parent)?.type === 'ObjectExpression') this.#inObject(it, parent.key)
        return
      case 'CallExpression':
      case 'NewExpression':
        if (parent.callee !== node) this.#argument(it, parent, parent.arguments.indexOf(node as never))
        return
      case 'ArrowFunctionExpression':
        if (parent.body === node) this.#returned(it, parent)
        return
      case 'ReturnStatement': {
        const maker = functionAround(parent)
        if (maker) this.#returned(it, maker)
        return
      }
      case 'UpdateExpression':
        this.#operation('use', it, parent)
        return
      case 'ExportSpecifier':
      case 'ExportDefaultDeclaration':
        return
    }
  }

  /** `it.name`, `it[key]`. */
  #member(it: Occurrence, member: MemberExpression): void {
    const { tree, depth } = it
    const name = nameOfMember(member)
    const outer = outermost(member)
    const user = parentOf(outer)
    if (user?.type === 'CallExpression' && user.callee === outer) {
      this.#method(it, user, name)
      return
    }
    if (name === 'length' || name === 'size') {
      if (user?.type === 'AssignmentExpression' && user.left === outer) {
        const isZero = user.right.type === 'Literal' && user.right.value === 0
        this.#operation(isZero ? 'clear' : 'remove', it, user, { limit: isZero ? undefined : user.right })
      } else if (user?.type === 'UpdateExpression' && user.operator === '--') this.#operation('remove', it, user)
      else if (depth <= this.#path.depth) this.#sizes.add(member)
      return
    }
    if (user?.type === 'AssignmentExpression' && user.left === outer) {
      if (isNothing(user.right)) this.#operation('remove', it, user)
      else if (member.computed && name === undefined) {
        const limit = modulus(member.property, tree)
        this.#operation(limit ? 'remove' : 'insert', it, user, { values: [user.right], limit })
        if (limit) this.#operation('insert', it, user, { values: [user.right] })
      } else this.#operation('link', it, user, { values: [user.right] })
      return
    }
    if (user?.type === 'UnaryExpression' && user.operator === 'delete') {
      this.#operation('remove', it, user)
      return
    }
    // `counts[key]++` makes the key.
    if (user?.type === 'UpdateExpression' && member.computed) this.#operation('insert', it, user)
    this.#add({ ...it, node: member, depth: depth + 1 })
  }

  #method(it: Occurrence, call: CallExpression, name: string | undefined): void {
    const { depth } = it
    const { arguments: given } = call
    if (name === undefined) return
    if (depth <= 1) this.#calls.push({ name, call, tree: it.tree })
    if (name === 'splice' || name === 'toSpliced') {
      const none = given[1]?.type === 'Literal' && given[1].value === 0
      if (given.length > 2) this.#operation('insert', it, call, { values: given.slice(2) })
      if (!none) this.#operation('remove', it, call)
    } else if (name === 'clear') this.#operation('clear', it, call)
    else if (INSERTS.test(name)) this.#operation('insert', it, call, { values: given })
    else if (REMOVES.test(name)) this.#operation('remove', it, call)
    else if (USES.test(name)) this.#operation('use', it, call)
    if (VISITS.test(name) && given[0] && isFunctionNode(given[0])) {
      const first = given[0].params[name === 'reduce' ? 1 : 0]
      if (first) this.#alias(first, { ...it, depth: depth + 1 })
    }
    if (SAME.test(name)) this.#add({ ...it, node: call })
    else if (ELEMENTS.test(name)) this.#add({ ...it, node: call, depth: depth + 1 })
  }

  /** `it = …`: a copy with one more, a shorter one, or another one. */
  #assigned(it: Occurrence, assignment: AssignmentExpression): void {
    const { tree, depth } = it
    const target = plain(it.node)
    // A variable that only stands for it for a while, such as the node that a loop has got to, is given another value.
    if (target.type === 'Identifier' && !this.#roots.has(bindingOf(target)!)) return
    const { operator } = assignment
    const right = plain(assignment.right)
    if (operator === '+=') {
      this.#operation('insert', it, assignment, { values: [right] })
      return
    }
    if (operator === '??=' || operator === '||=') {
      this.#operation('declare', it, assignment)
      return
    }
    const own = textOf(tree, it.node)
    const again = [...nodesIn(right)].find(
      (node) => (node.type === 'MemberExpression' || node.type === 'Identifier') && textOf(tree, node) === own,
    )
    if (again) {
      const shortened = shortens(right, again)
      if (shortened) this.#operation('remove', it, assignment, { limit: shortened.limit })
      // `head = head.next`
      else if (right.type === 'MemberExpression' || isChainOf(right, again)) this.#operation('remove', it, assignment)
      else this.#operation('insert', it, assignment, { values: valuesBeside(right, again) })
      return
    }
    if (isSetUp(right) || isNothing(right)) {
      this.#operation(isInConstructor(assignment) || depth > 0 ? 'declare' : 'clear', it, assignment)
      return
    }
    this.#operation('link', it, assignment, { values: [right] })
  }

  /** `{ map: it }` */
  #inObject(it: Occurrence, key: AnyNode): void {
    if (it.depth > 0 || key.type !== 'Identifier') return
    for (const use of it.tree.properties.get(key.name) ?? []) {
      const parent = parentOf(use)!
      if (parent.type === 'MemberExpression' && plain(parent.object).type !== 'ThisExpression')
        this.#add({ ...it, node: parent })
    }
  }

  #argument(it: Occurrence, call: CallNode & { arguments: readonly AnyNode[] }, index: number): void {
    const { tree, depth, via } = it
    if (call.type === 'ImportExpression' || index < 0) return
    const callee = plain(call.callee)
    const path = textOf(tree, callee)
    if (index === 0 && depth === 0) {
      if (path === 'Object.assign' || /\.(push|unshift|add|set)\.(apply|call)$/.test(path))
        this.#operation('insert', it, call, { values: call.arguments.slice(1) })
      if (path === 'Reflect.deleteProperty') this.#operation('remove', it, call)
      if (/^Object\.(keys|values|entries)$/.test(path)) {
        // As many as it has itself.
        this.#add({ ...it, node: call })
      }
    }
    const functions = via.length < MOST.calls ? this.#calledBy(call, tree) : []
    for (const { node, tree: there } of functions) {
      const parameter = node.params[index]
      if (parameter) this.#alias(parameter, { node: parameter, tree: there, depth, via: [...via, call] })
    }
    if (functions.length === 0) this.#operation('use', it, call)
  }

  /** The functions that a call may run. */
  #calledBy(call: CallNode, tree: SyntaxTree): { node: FunctionNode; tree: SyntaxTree }[] {
    if (call.type === 'ImportExpression') return []
    const callee = plain(call.callee)
    if (isFunctionNode(callee)) return [{ node: callee, tree }]
    if (callee.type === 'Identifier') {
      const binding = bindingOf(callee)
      const found = binding && this.#functionOf(binding, tree)
      if (found) return [found]
      // `const { stash } = require('./stores')`
      const taken = binding && parentOf(binding.declared)
      const name = taken?.type === 'Property' && taken.key.type === 'Identifier' ? taken.key.name : undefined
      return name === undefined ? [] : this.#methods(name)
    }
    if (callee.type !== 'MemberExpression') return []
    const name = nameOfMember(callee)
    return name === undefined || INSERTS.test(name) || REMOVES.test(name) ? [] : this.#methods(name)
  }

  #methods(name: string): { node: FunctionNode; tree: SyntaxTree }[] {
    const methods = this.#trees
      .treesWith(name.replace(/^#/, ''))
      .flatMap((each) => methodsNamed(each, name).map((node) => ({ node, tree: each })))
    return methods.length <= MOST.methods ? methods : []
  }

  #functionOf(binding: Binding, tree: SyntaxTree): { node: FunctionNode; tree: SyntaxTree } | undefined {
    const required = requiredBy(initialOf(binding))
    if (required !== undefined) {
      const url = this.#trees.resolve(required, tree.url)
      const there = url === undefined ? undefined : this.#trees.tree(url)
      const node = there && commonExport(there)
      return node && { node, tree: there }
    }
    if (binding.kind === 'import') {
      const specifier = parentOf(binding.declared)!
      const url = this.#importedFrom(binding, tree)
      const there = url === undefined ? undefined : this.#trees.tree(url)
      if (!there) return undefined
      const name =
        specifier.type === 'ImportSpecifier' && specifier.imported.type === 'Identifier'
          ? specifier.imported.name
          : undefined
      const exported = name === undefined ? defaultExport(there) : there.moduleScope.bindings.get(name)
      if (!exported) return undefined
      if (isFunctionNode(exported as AnyNode)) return { node: exported as FunctionNode, tree: there }
      const node = functionBehind(exported as Binding)
      return node && { node, tree: there }
    }
    const node = functionBehind(binding)
    return node && { node, tree }
  }

  /** Where a function's result is used that is the collection. */
  #returned(it: Occurrence, maker: FunctionNode): void {
    const { tree } = it
    for (const call of callsTo(maker, tree)) this.#add({ ...it, node: call })
  }
}

/** `Symbol('items')`, `Symbol.for('items')` */
function isSymbolOf(node: AnyNode | undefined, description: string): boolean {
  if (node?.type !== 'CallExpression') return false
  const callee = plain(node.callee)
  const made = callee.type === 'MemberExpression' && nameOfMember(callee) === 'for' ? plain(callee.object) : callee
  const [first] = node.arguments
  return (
    made.type === 'Identifier' && made.name === 'Symbol' && first?.type === 'Literal' && first.value === description
  )
}

const GLOBAL = /^(globalThis|global|self|window|module|exports|process)$/

/** Whether a class is the one of that name, or one that it extends. */
function fitsClass(holder: Class, className: string | undefined, tree: SyntaxTree): boolean {
  const name = holder.id?.name
  if (className === undefined || name === undefined || name === className) return true
  const known = tree.classes.find(({ id }) => id?.name === className)
  // A class of another module may extend this one.
  if (!known) return className !== 'Object'
  let at: Class | undefined = known
  for (let depth = 0; at && depth < 20; depth++) {
    const parent: AnyNode | null | undefined = at.superClass
    if (parent?.type !== 'Identifier') return false
    if (parent.name === name) return true
    at = tree.classes.find(({ id }) => id?.name === parent.name)
  }
  return false
}
