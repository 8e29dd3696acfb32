// Source text to a syntax tree: JavaScript by acorn, TypeScript by a plugin of acorn's.

import { tsPlugin } from '@sveltejs/acorn-typescript'
import { Parser, type Program } from 'acorn'

/** A tree takes some 25 bytes for each character, so of more than this none is made. */
const MOST_CHARACTERS = 24 << 20

const PARSERS = {
  javascript: Parser,
  typescript: Parser.extend(tsPlugin()),
  // Where JSX is read, `<Type>value` is no cast.
  tsx: Parser.extend(tsPlugin({ jsx: true })),
}

/** The tree of a module or script; undefined for a text that is neither. Offsets count UTF-16 units, as in the text. */
export function parse(text: string, url: string): Program | undefined {
  if (text.length > MOST_CHARACTERS || isDeep(text)) return undefined
  const [, typed, x] = /\.[cm]?(t|j)s(x?)(?:[?#].*)?$/is.exec(url) ?? []
  // A `.ts` file may hold what a tool compiled it to, and a `.js` file may have types: both are tried.
  const order = x ? (['tsx'] as const) : typed?.toLowerCase() === 't' ? TYPED : PLAIN
  for (const parser of order) {
    for (const sourceType of ['module', 'script'] as const) {
      const tree = attempt(text, parser, sourceType)
      if (tree) return tree
    }
  }
  return undefined
}

/**
 * Brackets in brackets that are parsed. The parser recurses, and V8 ends the whole process, rather than to throw, when
 * it has to compile a regular expression where the stack is nearly full.
 */
const MOST_DEPTH = 500

function isDeep(text: string): boolean {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at)
    // ( [ {
    if (character === 0x28 || character === 0x5b || character === 0x7b) {
      if (++depth > MOST_DEPTH) return true
    } else if (character === 0x29 || character === 0x5d || character === 0x7d) depth = Math.max(0, depth - 1)
  }
  return false
}

/** A plain script may have types that a tool will take away. */
const PLAIN = ['javascript', 'typescript'] as const
const TYPED = ['typescript', 'javascript'] as const

function attempt(text: string, parser: keyof typeof PARSERS, sourceType: 'module' | 'script'): Program | undefined {
  try {
    return PARSERS[parser].parse(text, {
      ecmaVersion: 'latest',
      sourceType,
      allowHashBang: true,
      // A CommonJS module is the body of a function.
      allowReturnOutsideFunction: true,
      allowAwaitOutsideFunction: true,
    })
  } catch {
    // It is of another kind, or nested more deeply than the stack allows.
    return undefined
  }
}
