// Which call of the program hands a package the emitter, signal or work for which the package adds what leaks.

import type { AnyNode } from 'acorn'
import type { AppModule, Call, Sources } from '../source/app-modules.ts'
import { argumentsOf, namedBy } from '../source/calls.ts'
import { textOf } from '../source/expressions.ts'
import { bindingOf, nodesIn } from '../source/syntax-tree.ts'
import { nearIn, type Statement, TAKES, within } from './blame.ts'
import type { Clues, Via } from './clues.ts'

/** Less likely ones have nothing to do with it. */
const LEAST = 3
const MOST = 20
/** Characters of a call's arguments that are looked through. */
const MOST_ARGUMENTS = 2000

/** From here on a name is the package's, or is made of what is; below, of a package that needs it. */
const ITS_OWN = 0.7

export interface PackageCall extends Statement {
  /** Whether more than where its names come from speaks for it: what it is called, what it is given, what waits in it. */
  readonly isTold: boolean
}

/** The program's calls that lead to what a package does, the likeliest first; none where no call is tied to it. */
export function rankPackageCalls(sources: Sources, clues: Clues, via: Via): PackageCall[] {
  const modules = sources.modules(clues.scripts)
  const found: PackageCall[] = []
  for (const module of modules) {
    const weights = new Weights(module, modules, via)
    const near = nearIn(module, clues)
    for (const call of module.calls) {
      const origin = Math.max(0, ...call.names.map((name) => weights.of(name)))
      const verb = call.names.at(-1)!
      const at = via.functions.indexOf(verb)
      const called = at < 0 ? 0 : 1 - 0.1 * Math.min(at, 5)
      const given = fitOfArguments(module, call, via.given)
      const inside = within(call.block, near)
      // A method of that name may be anybody's, unless it is given what the package was given, or waits with it.
      if (origin === 0 && (called === 0 || given + inside < 1)) continue
      const made = via.makesOne ? fitOfMaker(call, clues) : 0
      const handed = near.handedTo.get(call)
      const isTold = called + given + made > 0 || inside >= 1 || handed !== undefined
      if (origin < ITS_OWN && !isTold) continue
      let score = 6 * origin + (origin > 0 ? 4 : 3) * called + 4 * given + inside
      score += call.block ? 2 : -3
      if (call.block?.around) score += 0.5
      // What comes with the leak, one for one, is made there.
      if (origin > 0) score += 2 * made
      // A function of the program's that what leaks leads to.
      if (handed) score += 5 - 0.3 * handed.distance
      if (TAKES.test(verb) && called === 0) score -= 4
      if (score >= LEAST) found.push({ module, call, score, isTold })
    }
  }
  return found.sort((a, b) => b.score - a.score).slice(0, MOST)
}

const FACTORY = /^(?:create|make|build|open|connect|init|get)([A-Z]\w*)?$/

/** Whether a call makes something, and whether that is what came with the leak; up to 2. */
function fitOfMaker({ names, isNew }: Call, { classes }: Clues): number {
  const verb = names.at(-1)!
  const factory = isNew ? undefined : FACTORY.exec(verb)
  if (!isNew && !factory) return 0
  const noun = factory?.[1]?.toLowerCase()
  let fit = 0
  for (const [name, weight] of classes) {
    if (isNew ? name === verb : noun !== undefined && name.toLowerCase().includes(noun)) fit = Math.max(fit, weight)
  }
  return 1 + fit
}

/** Whether a call is given something by its whole name, or by its last one. */
function fitOfArguments({ tree }: AppModule, call: Call, given: string | undefined): number {
  if (given === undefined || !tree) return 0
  const names = new Set(
    Array.from(argumentNodes(call, MOST_ARGUMENTS), (node) =>
      node.type === 'Identifier' || node.type === 'MemberExpression' ? textOf(tree, node).replace(/^this\./, '') : '',
    ),
  )
  if (names.has(given)) return 1
  const last = given.replace(/^.*\./, '')
  return last !== given && names.has(last) ? 0.4 : 0
}

/** What stands in a call's arguments, up to so many characters of them. */
function* argumentNodes({ node: call, at }: Call, most: number): Generator<AnyNode> {
  for (const argument of call ? argumentsOf(call) : []) {
    for (const node of nodesIn(argument)) {
      if (node.start > at + most) return
      yield node
    }
  }
}

/** How much of a name in a module is the package's; from 0 to 1. */
class Weights {
  readonly #module: AppModule
  readonly #all: readonly AppModule[]
  readonly #via: Via
  readonly #known = new Map<string, number>()
  /** By the last name of a call: how much of the package it is given. */
  readonly #given = new Map<string, number>()

  constructor(module: AppModule, all: readonly AppModule[], via: Via) {
    this.#module = module
    this.#all = all
    this.#via = via
    for (const call of module.calls) {
      const verb = call.names.at(-1)!
      for (const node of argumentNodes(call, 200)) {
        const weight = node.type === 'Identifier' && bindingOf(node) ? 0.8 * this.#imported(module, node.name) : 0
        if (weight > (this.#given.get(verb) ?? 0)) this.#given.set(verb, weight)
      }
    }
  }

  of(name: string): number {
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const made = (this.#module.madeOf.get(name) ?? []).map((part) => this.#given.get(part) ?? 0)
    const weight = Math.max(this.#imported(this.#module, name), this.#fromOther(name), ...made)
    this.#known.set(name, weight)
    return weight
  }

  #imported({ origins }: AppModule, name: string): number {
    let weight = 0
    for (const origin of origins.get(name) ?? []) weight = Math.max(weight, this.#via.packages.get(origin) ?? 0)
    return weight
  }

  /** What another module of the program's makes of the package and exports. */
  #fromOther(name: string): number {
    const binding = this.#module.tree?.moduleScope.bindings.get(name)
    if (!binding || !/^[./#]/.test(namedBy(binding.declared).from ?? '')) return 0
    return Math.max(0, ...this.#all.map((other) => (other === this.#module ? 0 : this.#imported(other, name))))
  }
}
