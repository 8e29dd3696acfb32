// What the source says of a collection: whether anything is ever taken out of it.

import type { ReadSource } from '../analysis/culprit.ts'

export interface SourceLine {
  readonly url: string
  /** 1-based. */
  readonly line: number
  readonly text: string
}

/**
 * The first statement in the module that takes something out of what is called `name`, writes over it (a ring), or puts
 * something new in its place.
 */
export function findRemoval(readSource: ReadSource, url: string | undefined, name: string): SourceLine | undefined {
  if (url === undefined || url.startsWith('node:')) return undefined
  const source = readSource(url)
  if (source === undefined) return undefined
  const it = `(?<![\\w$#])(?:this\\.|self\\.)?${name.replace(/[$#]/g, '\\$&')}(?![\\w$])`
  const patterns = [
    new RegExp(`${it}\\s*(\\?\\.|\\.)\\s*(delete|shift|pop|splice|clear|remove|removeAll|evict|prune)\\s*\\(`),
    new RegExp(`(?<![\\w$])delete\\s+${it}\\s*[.[]`),
    new RegExp(`${it}\\.length\\s*=(?!=)`),
    new RegExp(`${it}\\s*\\[[^\\]]*%[^\\]]*\\]\\s*=(?!=)`),
    new RegExp(
      `^(?!\\s*(?:export\\s+)?(?:const|let|var)\\b).*${it}\\s*=\\s*(\\[|new\\s|\\{|null|undefined|${it}\\s*\\.\\s*(slice|filter))`,
    ),
  ]
  for (const [i, text] of source.split('\n').entries()) {
    if (/^\s*(\/\/|\*)/.test(text)) continue
    // A field that is declared, or set up by the constructor, is no removal.
    const found = patterns.findIndex((pattern) => pattern.test(text))
    if (found < 0 || (found === 4 && isFirst(source, i, patterns[4]!))) continue
    return { url, line: i + 1, text: text.trim().slice(0, 80) }
  }
  return undefined
}

const isFirst = (source: string, line: number, pattern: RegExp): boolean =>
  !source
    .split('\n')
    .slice(0, line)
    .some((text) => pattern.test(text))
