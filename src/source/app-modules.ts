// The program's own modules as text: the calls that they make, and where the names in them come from.

import type { ReadSource } from '../support/sources.ts'
import { type Call, callsIn, type Origins, originsIn, outlineOf, packageNamed, startOf } from './module.ts'
import { isOwn } from './origins.ts'
import { blockAt, blockFrom, type Outline, offsetOf, outlineSource, type TextOutline } from './source-outline.ts'
import type { Trees } from './storage.ts'
import { type FunctionNode, readSyntax, type SyntaxTree } from './syntax-tree.ts'

export type { Call } from './module.ts'

export interface AppModule extends Origins {
  readonly url: string
  /** Undefined where the source does not parse. */
  readonly tree: SyntaxTree | undefined
  readonly outline: Outline
  readonly calls: readonly Call[]
}

/** Beyond these nothing more of a program is looked at: bytes of all sources, and calls in one. */
const MAX = { modules: 300, bytes: 32 << 20, calls: 100_000, names: 12, text: 400 }

const KEYWORDS = new Set(
  'if for while switch catch with return typeof function await yield void delete throw in of else do case super class'.split(
    ' ',
  ),
)

/** Sources that were read for one reader, for as long as that is used. */
const SOURCES = new WeakMap<ReadSource, Sources>()

export function sourcesOf(readSource: ReadSource): Sources {
  const known = SOURCES.get(readSource) ?? new Sources(readSource)
  SOURCES.set(readSource, known)
  return known
}

/** What a specifier may leave out. */
const ENDINGS = ['', '.js', '.mjs', '.cjs', '.ts', '.mts', '.cts', '/index.js', '/index.mjs', '/index.ts']

const plainUrl = (url: string): string => url.replace(/[?#].*$/s, '')

/** CommonJS modules go by their paths. */
function resolvePath(specifier: string, from: string): string {
  const isPath = from.startsWith('/')
  try {
    const url = new URL(specifier, isPath ? `file://${from}` : from).href
    return isPath ? url.replace(/^file:\/\//, '') : url
  } catch {
    return specifier
  }
}

/** The function that V8 tells such a place of, in the tree of its script; no node where no function begins there. */
export function functionAt(
  sources: Sources,
  { url, line, column }: { readonly url: string; readonly line: number; readonly column: number },
): { readonly tree: SyntaxTree; readonly node: FunctionNode | undefined } | undefined {
  const tree = sources.tree(url)
  const outline = tree && sources.outline(url)
  if (!tree || !outline) return undefined
  const start = blockFrom(outline, offsetOf(outline, line, column))?.start
  return { tree, node: tree.functions.find((node) => startOf(tree.source, node) === start) }
}

/** Sources and what was read out of them, so that each is read once however many suspects ask for it. */
export class Sources {
  readonly #readSource: ReadSource
  readonly #sources = new Map<string, string | undefined>()
  readonly #modules = new Map<string, AppModule | undefined>()
  readonly #trees = new Map<string, SyntaxTree | undefined>()
  readonly #outlines = new Map<string, Outline | TextOutline | undefined>()
  #bytes = 0

  constructor(readSource: ReadSource) {
    this.#readSource = readSource
  }

  /** The syntax tree of a script; undefined where the source cannot be had, or does not parse. */
  tree(url: string): SyntaxTree | undefined {
    if (this.#trees.has(url)) return this.#trees.get(url)
    const source = this.#read(url)
    const tree = source === undefined ? undefined : readSyntax(source, url)
    this.#trees.set(url, tree)
    return tree
  }

  outline(url: string): Outline | TextOutline | undefined {
    if (this.#outlines.has(url)) return this.#outlines.get(url)
    const source = this.#read(url)
    const tree = this.tree(url)
    const outline = tree ? outlineOf(tree) : source === undefined ? undefined : outlineSource(source)
    this.#outlines.set(url, outline)
    return outline
  }

  module(url: string): AppModule | undefined {
    if (this.#modules.has(url)) return this.#modules.get(url)
    const tree = this.tree(url)
    const outline = this.outline(url)
    const module = outline && {
      ...{ url, tree, outline },
      ...('code' in outline
        ? { calls: findCalls(outline), ...findOrigins(outline) }
        : { calls: callsIn(tree!, outline), ...originsIn(tree!) }),
    }
    this.#modules.set(url, module)
    return module
  }

  #read(url: string): string | undefined {
    if (this.#sources.has(url)) return this.#sources.get(url)
    const source = url.startsWith('node:') || this.#bytes > MAX.bytes ? undefined : this.#readSource(url)
    this.#bytes += source?.length ?? 0
    this.#sources.set(url, source)
    return source
  }

  /** What a search for a collection may look at: the program's scripts and those near what holds it. */
  trees(urls: Iterable<string>): Trees {
    const all = [...new Map([...urls].map((url) => [plainUrl(url), url])).values()].slice(0, MAX.modules)
    const known = new Map(all.map((url) => [plainUrl(url), url]))
    return {
      tree: (url) => this.tree(url),
      treesWith: (text) => all.filter((url) => this.#read(url)?.includes(text)).flatMap((url) => this.tree(url) ?? []),
      resolve: (specifier, from) => {
        if (!/^[./]|^file:/.test(specifier)) return undefined
        const target = plainUrl(resolvePath(specifier, from))
        const candidates = ENDINGS.map((ending) => known.get(target + ending))
        return candidates.find((url) => url !== undefined) ?? known.get(target.replace(/js$/, 'ts'))
      },
    }
  }

  /** The program's own among the scripts. */
  modules(urls: Iterable<string>): AppModule[] {
    // One that was loaded a hundred times has a hundred URLs, which differ behind the question mark.
    const plain = new Map([...urls].filter(isOwn).map((url) => [plainUrl(url), url]))
    const own = [...plain.values()].slice(0, MAX.modules)
    return own.map((url) => this.module(url)).filter((module) => module !== undefined)
  }
}

function findCalls(outline: TextOutline): Call[] {
  const { code } = outline
  const starts = new Set(outline.blocks.map(({ start }) => start))
  const calls: Call[] = []
  for (let from = code.indexOf('('); from >= 0 && calls.length < MAX.calls; from = code.indexOf('(', from + 1)) {
    // The parameters of a function look like the arguments of a call.
    const call = starts.has(from) ? undefined : readCallee(outline, from)
    if (call) calls.push({ ...call, block: blockAt(outline, from) })
  }
  return calls
}

const isBlank = (char: string | undefined): boolean => char !== undefined && /\s/.test(char)
const isWord = (char: string | undefined): boolean => char !== undefined && /[\p{ID_Continue}$#]/u.test(char)

/** Reads what is called backwards from its parenthesis. */
function readCallee({ code, opened }: TextOutline, from: number): Omit<Call, 'block'> | undefined {
  const back = (at: number): number => {
    let to = at
    while (to > 0 && isBlank(code[to - 1])) to--
    return to
  }
  const names: string[] = []
  let last = -1
  let at = back(from)
  if (code.slice(at - 2, at) === '?.') at = back(at - 2)
  while (names.length < MAX.names) {
    while (code[at - 1] === ')' || code[at - 1] === ']') {
      const open = opened.get(at - 1)
      if (open === undefined) return undefined
      if (names.length === 0 && code[at - 1] === ')') return indirect(code, open + 1, at - 1)
      at = back(open)
    }
    let start = at
    while (start > 0 && isWord(code[start - 1])) start--
    if (start === at) break
    const name = code.slice(start, at)
    if (KEYWORDS.has(name) && code[start - 1] !== '.') {
      if (names.length === 0) return undefined
      at = start + name.length
      break
    }
    names.unshift(name)
    if (last < 0) last = start
    at = back(start)
    if (code[at - 1] !== '.') break
    at = back(at - (code[at - 2] === '?' ? 2 : 1))
  }
  if (last < 0) return undefined
  const before = /\b(new|await|function)\s*$/.exec(code.slice(Math.max(0, at - 20), at))?.[1]
  if (before === 'function') return undefined
  const isAwaited = before === 'await' || /\bawait\s+new\s*$/.test(code.slice(Math.max(0, at - 20), at))
  return { names, at: last, isNew: before === 'new', isAwaited }
}

/** `(0, pool_1.createPool)(…)`, as compilers write it. */
function indirect(code: string, from: number, to: number): Omit<Call, 'block'> | undefined {
  const names = /^\s*0\s*,\s*([\w$.]+)\s*$/.exec(code.slice(from, Math.min(to, from + MAX.text)))?.[1]?.split('.')
  return names && { names, at: to - names.at(-1)!.length, isNew: false, isAwaited: false }
}

/** Names that are imported from packages. */
function findOrigins({ source, code }: TextOutline): Origins {
  const origins = new Map<string, Set<string>>()
  const add = (name: string, from: Iterable<string>): void => {
    const known = origins.get(name) ?? new Set()
    for (const each of from) known.add(each)
    origins.set(name, known)
  }
  const imports =
    /\b(?:import|const|let|var)\b([^'"=;()]{1,400}?)(?:\bfrom\s*|=[^'"=;]{0,60}?\b(?:require|import)\s*\()\s*(['"])/g
  for (const found of code.matchAll(imports)) {
    const quote = found.index + found[0].length
    const specifier = source.slice(quote, source.indexOf(found[2]!, quote)).slice(0, MAX.text)
    const origin = packageNamed(specifier)
    if (origin === undefined) continue
    for (const [name] of found[1]!.matchAll(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu)) {
      if (name !== 'as' && name !== 'default' && name !== 'type') add(name, [origin])
    }
  }
  return { origins, madeOf: new Map() }
}
