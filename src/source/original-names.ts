// What a source calls variables, functions and classes that a minifier has given other names, as the script's map says.

import type { AnyNode, Class, Identifier } from 'acorn'
import type { ScriptPlace, ScriptSources } from '../support/script-sources.ts'
import type { Sources } from './app-modules.ts'
import { offsetOf, placeOf } from './source-outline.ts'
import {
  type Binding,
  bindingOf,
  childrenOf,
  classAround,
  type FunctionNode,
  functionAround,
  isFunctionNode,
  parentOf,
  type Scope,
  type SyntaxTree,
  scopeOf,
} from './syntax-tree.ts'

/** Places where a variable is used that are asked for its name. */
const MOST_USES = 20

/** Each answer is undefined where the name is the same in the source, or is not known. */
export class OriginalNames {
  readonly #trees: Sources
  readonly #scripts: ScriptSources

  /** @param trees of the scripts as they ran */
  constructor(trees: Sources, scripts: ScriptSources) {
    this.#trees = trees
    this.#scripts = scripts
  }

  hasMap(url: string): boolean {
    return this.#scripts.hasMap(url)
  }

  /** Of the function or class that V8 says stands at a place of a script. */
  nameAt(place: ScriptPlace, name: string): string | undefined {
    const found = this.#find(place)
    if (name === '' || !found) return undefined
    const { tree, offset } = found
    const made = functionAt(tree, offset)
    const method = made && parentOf(made)
    const isConstructor = method?.type === 'MethodDefinition' && method.kind === 'constructor'
    const declared = identifierOf(!made || isConstructor ? classAt(tree, offset) : made)
    return declared?.name === name ? this.#nameOf(declared, tree) : undefined
  }

  /** Of the function that is called so around a place of a script, or stands there. */
  functionAround(place: ScriptPlace, name: string): string | undefined {
    const found = this.#find(place)
    if (name === '' || !found) return undefined
    const { tree, offset } = found
    for (let node: FunctionNode | undefined = functionAt(tree, offset) ?? innermost(tree, offset); node; ) {
      const declared = identifierOf(node)
      if (declared?.name === name) return this.#nameOf(declared, tree)
      node = functionAround(node)
    }
    return undefined
  }

  /**
   * Of a variable in the scope that a function was made in; null where it cannot be told which scope that is.
   * @param place of the function, as V8 tells it
   * @param all the variables that functions use of that scope
   */
  variableAround(place: ScriptPlace, name: string, all: readonly string[]): string | undefined | null {
    const found = this.#find(place)
    const made = found && functionAt(found.tree, found.offset)
    const binding = made && bindingIn(scopeOf(made), name, all)
    return binding ? this.#nameOf(binding.declared, found.tree) : null
  }

  /** What the source calls a variable of the function at a place; undefined where it says nothing of it. */
  localOf(place: ScriptPlace, name: string): string | undefined {
    const found = this.#find(place)
    if (!found) return undefined
    const { tree, offset } = found
    const owner = functionAt(tree, offset)
    const binding = tree.bindings.get(name)?.find(({ declared }) => functionAround(declared) === owner)
    return binding && this.#nameOf(binding.declared, tree)
  }

  /** Of a private field of the class that V8 says stands at a place, or of one that this extends. */
  privateOf(place: ScriptPlace, name: string): string | undefined {
    const found = this.#find(place)
    if (!found) return undefined
    const { tree, offset } = found
    const keys = (tree.properties.get(`#${name}`) ?? []).filter((key) => parentOf(key)?.type === 'PropertyDefinition')
    const own = classAt(tree, offset)
    const key = keys.find((each) => classAround(each) === own) ?? (keys.length === 1 ? keys[0] : undefined)
    if (!key) return undefined
    const { line, column } = placeOf(this.#trees.outline(tree.url)!, key.start)
    const original = this.#scripts.mapPosition(tree.url, line, column)?.name?.replace(/^#/, '')
    return original === name ? undefined : original
  }

  /** Only what has a map is read for its names. */
  #find({ url, line, column }: ScriptPlace): { tree: SyntaxTree; offset: number } | undefined {
    if (!this.#scripts.mapPosition(url, line, column)) return undefined
    const tree = this.#trees.tree(url)
    const outline = this.#trees.outline(url)
    return tree && outline && { tree, offset: offsetOf(outline, line, column) }
  }

  /** What the map calls a variable: where it is declared, or else where it is used. */
  #nameOf(declared: Identifier, tree: SyntaxTree): string | undefined {
    const outline = this.#trees.outline(tree.url)
    const uses = bindingOf(declared)?.references.slice(0, MOST_USES) ?? []
    for (const { start } of [declared, ...uses]) {
      const { line, column } = placeOf(outline!, start)
      const name = this.#scripts.mapPosition(tree.url, line, column)?.name
      if (name !== undefined) return name === declared.name ? undefined : name
    }
    return undefined
  }
}

/**
 * The variable of a context: of the innermost scope that has all of the context's variables, and in which this one is
 * used by functions. Scopes without such variables have no context.
 */
function bindingIn(from: Scope | undefined, name: string, all: readonly string[]): Binding | undefined {
  for (let scope = from; scope; scope = scope.outer) {
    const { bindings } = scope
    const binding = bindings.get(name)
    if (binding && isCaptured(binding) && all.every((each) => bindings.has(each))) return binding
  }
  return undefined
}

function isCaptured({ scope, references }: Binding): boolean {
  const home = isFunctionNode(scope.node) ? scope.node : functionAround(scope.node)
  return references.some((use) => functionAround(use) !== home)
}

/** The function that V8 says begins at an offset: between its first character and its body. */
function functionAt({ functions }: SyntaxTree, offset: number): FunctionNode | undefined {
  let best: FunctionNode | undefined
  for (const node of functions) {
    if (node.start <= offset && offset <= node.body.start && (!best || node.start > best.start)) best = node
  }
  return best
}

function classAt({ classes }: SyntaxTree, offset: number): Class | undefined {
  let best: Class | undefined
  for (const node of classes) {
    if (node.start <= offset && offset < node.end && (!best || node.start > best.start)) best = node
  }
  return best
}

/** The innermost function around an offset. */
function innermost({ program }: SyntaxTree, offset: number): FunctionNode | undefined {
  let found: FunctionNode | undefined
  for (let node: AnyNode | undefined = program; node; ) {
    if (isFunctionNode(node)) found = node
    node = childrenOf(node).find(({ start, end }) => start <= offset && offset < end)
  }
  return found
}

/** What a function or class is called by: its own name, or the variable that it is given to. */
function identifierOf(node: FunctionNode | Class | undefined): Identifier | undefined {
  if (!node) return undefined
  if ('id' in node && node.id) return node.id
  const parent = parentOf(node as AnyNode)
  const target =
    parent?.type === 'VariableDeclarator'
      ? parent.id
      : parent?.type === 'AssignmentExpression'
        ? parent.left
        : undefined
  return target?.type === 'Identifier' ? target : undefined
}
