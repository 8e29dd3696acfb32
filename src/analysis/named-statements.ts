// Where the program puts things into what it calls by a name of its own.

import type { AppModule, Sources } from './app-modules.ts'
import type { Clues } from './clues.ts'
import { blockAt, type Outline } from './source-outline.ts'

export interface Put {
  readonly url: string
  readonly outline: Outline
  readonly offset: number
  /** Whether something is put there; else it is only declared. */
  readonly sure: boolean
}

/** Methods that put something into a collection. */
const PUTS = 'push|unshift|set|add|append|enqueue|splice|addLast|addFirst|insert'
/** Statements that are looked at, of one kind. */
const MAX_MATCHES = 1000
/** What makes a string that keeps another one. */
const SLICES = /\.\s*(?:slice|substring|substr|match|exec|split|trim\w*|at|replace)\s*\(/

/**
 * `logs.push(`, `sessions[id] =`, `latest = new …(… latest)`, `transcript +=`, `stopped` in `Promise.race(`: the
 * likeliest first, and those in functions, which run again and again, before those at the top of the module.
 *
 * A path that starts at the global object does not say which module to look in, so all of the program's are tried.
 */
export function findPut(sources: Sources, clues: Clues): Put | undefined {
  const { container: name, home, scripts, className } = clues
  if (name === undefined) return undefined
  const it = `(?<![\\w$#])${name.replace(/[$.]/g, '\\$&')}(?![\\w$])`
  const kinds: readonly (readonly [pattern: RegExp, sure: boolean, inside: boolean])[] = [
    [new RegExp(`${it}\\s*(?:\\?\\.|\\.)\\s*(?:${PUTS})\\s*\\(`, 'g'), true, false],
    [new RegExp(`${it}\\s*\\[[^\\]]{1,200}\\]\\s*(?:\\?\\?|\\|\\|)?=(?![=>])`, 'g'), true, false],
    [new RegExp(`${it}\\s*(?:\\+|\\?\\?|\\|\\|)?=(?![=>])`, 'g'), true, true],
    [new RegExp(`${it}\\s*(?:\\?\\.|\\.)\\s*(?:then|catch|finally|concat|write|on|once)\\s*\\(`, 'g'), true, true],
    [new RegExp(`\\bawait\\s+${it}|[(,[]\\s*(?:this\\s*\\.\\s*)?${it}\\s*[,)\\]]`, 'g'), true, true],
    [new RegExp(`${it}\\s*(?:\\?\\?|\\|\\|)?[=:](?![=>])`, 'g'), false, false],
  ]
  const own = home === undefined ? undefined : sources.module(home)
  // What one module exports, others use as well.
  const isImported = own !== undefined && new RegExp(`\\bimport\\b[^;'"]*${it}`).test(own.outline.code)
  const all = home === undefined || isImported ? sources.modules(scripts) : []
  const modules = home === undefined ? all : [own, ...all.filter((module) => module !== own)]
  for (const [pattern, sure, inside] of kinds) {
    if (!sure && home === undefined) continue
    for (const module of modules) {
      const offset = module && search(module, pattern, inside)
      if (offset === undefined) continue
      const { url, outline } = module!
      const made = className === '(sliced string)' ? sliceIn(outline, offset) : undefined
      return { url, outline, offset: made ?? offset, sure }
    }
  }
  return undefined
}

/** @param inside whether it must be in a function */
function search({ outline }: AppModule, pattern: RegExp, inside: boolean): number | undefined {
  let first: number | undefined
  let seen = 0
  for (const { index } of outline.code.matchAll(pattern)) {
    if (++seen > MAX_MATCHES) break
    const block = blockAt(outline, index)
    const declared = /\b(?:const|let|var)\s+$/.test(outline.code.slice(Math.max(0, index - 20), index))
    if (block?.kind === 'function' && !declared) return index
    if (!inside) first ??= index
  }
  return first
}

/** What is put may be cut off a text in the statement itself, or in a function of the module's that it calls. */
function sliceIn({ code, blocks, closed }: Outline, offset: number): number | undefined {
  const from = code.indexOf('(', offset)
  const text = code.slice(offset, Math.min(closed.get(from) ?? offset + 300, offset + 2000))
  const own = SLICES.exec(text)
  if (own) return offset + own.index
  for (const [, called] of text.matchAll(/(?<![\w$.])([\w$]+)\s*\(/g)) {
    const declared = new RegExp(
      `\\bfunction\\s+${called!.replace(/\$/g, '\\$')}\\s*\\(|\\b${called!.replace(/\$/g, '\\$')}\\s*=[^=]`,
    ).exec(code)
    if (!declared) continue
    const block = blocks.find(({ body, kind }) => kind === 'function' && body > declared.index)
    const found = block && SLICES.exec(code.slice(block.body, Math.min(block.end, block.body + 5000)))
    if (found) return block.body + found.index + 1
  }
  return undefined
}
