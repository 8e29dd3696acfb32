// Looks for statements in the source of the modules that have to do with a leak.

import { sourcesOf } from '../analysis/app-modules.ts'
import { type Culprit, packageOf, type ReadSource } from '../analysis/culprit.ts'
import type { Outline } from '../analysis/source-outline.ts'
import type { Lead } from './detector.ts'

/** Modules that are read at most. */
const MOST_MODULES = 100

export const escaped = (name: string): string => name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

/** The program's modules that have to do with a lead: those on the path first, the nearest to what leaks ahead; then all others. */
export function modulesOf({ of: { graph }, way }: Lead): string[] {
  const onWay = way.toReversed().map((node) => graph.moduleScopes.get(node) ?? graph.sourceLocation(node)?.url)
  const all = [...onWay, ...graph.moduleScopes.values()]
  const isProgram = (url: string | undefined): url is string =>
    url !== undefined && !url.startsWith('node:') && packageOf(url) === null
  // A module that was loaded under many queries is one file.
  return [...new Set(all.filter(isProgram).map((url) => url.replace(/[?#].*$/s, '')))].slice(0, MOST_MODULES)
}

/** The first line in which a pattern is found, in the first module that has one; comments and texts do not count. */
export function findLine(
  readSource: ReadSource,
  urls: readonly string[],
  pattern: RegExp,
  { from = 1, to = Number.POSITIVE_INFINITY }: { from?: number; to?: number } = {},
): Culprit | undefined {
  for (const url of urls) {
    const lines = readSource(url)?.split('\n') ?? []
    const outline = lines.length > 0 ? sourcesOf(readSource).outline(url) : undefined
    for (let at = from - 1; at < Math.min(lines.length, to); at++) {
      const found = pattern.exec(lines[at]!)
      if (!found || (outline && isText(outline, outline.lines[at]! + found.index, found[0]))) continue
      return { function: null, url, line: at + 1, column: found.index + 1, package: packageOf(url), basis: 'retainer' }
    }
  }
  return undefined
}

/** Whether what was found begins inside of a comment or of a text. */
const isText = ({ code }: Outline, offset: number, found: string): boolean => {
  const first = offset + Math.max(0, found.search(/\S/))
  return code[first] === ' '
}

/** How far below a function the statement is looked for that hands it over. */
const NEAR = 40

/**
 * The statement that hands a function over, for one that is declared first (`const onTrade = …; exchange.on('trade',
 * onTrade)`); where the function stands if there is none.
 * @param calls what it is handed to, as part of a regular expression: `on|once`
 */
export function whereGiven(readSource: ReadSource, place: Culprit, calls: string): Culprit {
  const call = `(?<![\\w$])(?:${calls})\\s*(?:<[^>]*>)?\\(`
  const { url, line } = place
  if (findLine(readSource, [url], new RegExp(call), { from: line, to: line })) return place
  const named = place.function && /^[\w$]+$/.test(place.function) ? place.function : undefined
  if (named) {
    const handsOver = new RegExp(`${call}.*(?<![\\w$])${escaped(named)}(?![\\w$(])`)
    const found =
      findLine(readSource, [url], handsOver, { from: line, to: line + NEAR }) ?? findLine(readSource, [url], handsOver)
    if (found) return { ...found, function: named, basis: place.basis }
  }
  const above = named
    ? undefined
    : findLine(readSource, [url], new RegExp(call), { from: Math.max(1, line - 3), to: line })
  return above ? { ...above, function: place.function, basis: place.basis } : place
}

/** The last line of the declaration that begins in a line, as it is indented: 12 lines further at most. */
export function endOf(readSource: ReadSource, { url, line }: Culprit): number {
  const lines = readSource(url)?.split('\n') ?? []
  const indent = /^\s*/.exec(lines[line - 1] ?? '')![0]
  const end = lines.findIndex((text, at) => at >= line && text.startsWith(`${indent}}`))
  return Math.min(line + 12, end < 0 ? lines.length : end + 1)
}

/** The statement that puts something into what is called `name`. */
export function wherePut(readSource: ReadSource, urls: readonly string[], name: string): Culprit | undefined {
  const it = `(?<![\\w$])${escaped(name.replace(/^.*\./, ''))}`
  return (
    findLine(readSource, urls, new RegExp(`${it}\\s*\\??\\.\\s*(?:push|unshift|set|add|append|enqueue)\\s*\\(`)) ??
    findLine(readSource, urls, new RegExp(`${it}\\s*\\[[^\\]]+\\]\\s*(?:\\?\\?|\\|\\|)?=(?!=)`))
  )
}

/** Some text of the function that begins at a place: up to where its brackets close, 4,000 characters at most. */
export function textOf(readSource: ReadSource, { url, line, column }: Culprit): string | undefined {
  const lines = readSource(url)
    ?.split('\n')
    .slice(line - 1)
  if (!lines) return undefined
  const text = lines
    .slice(0, 200)
    .join('\n')
    .slice(column - 1, column + 4000)
  let depth = 0
  let body = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!
    if ('([{'.includes(character)) {
      depth++
      // A body in braces, rather than the pattern of a parameter.
      if (character === '{' && depth === 1) body = true
    } else if (')]}'.includes(character)) {
      depth--
      if (depth < 0 || (depth === 0 && body && character === '}')) return text.slice(0, at)
    } else if (depth === 0 && at > 0 && (character === ';' || character === ',')) return text.slice(0, at)
    else if (depth === 0 && character === '\n' && !/(=>|[=+\-*/?:&|.])\s*$/.test(text.slice(0, at))) {
      return text.slice(0, at)
    }
  }
  return text
}

/**
 * The statement of the program's that makes something of a package, for objects of a package that hold nothing of the
 * program's: a call of what was imported, one that creates something if there is such.
 */
export function whereUsed(readSource: ReadSource, urls: readonly string[], name: string): Culprit | undefined {
  for (const url of urls) {
    const source = readSource(url)
    if (source === undefined) continue
    const it = `['"]${escaped(name)}(?:/[^'"]*)?['"]`
    const clause =
      new RegExp(`import\\s+([^'"]+?)\\s+from\\s+${it}`).exec(source)?.[1] ??
      new RegExp(`(?:const|let|var)\\s+([^=;]+?)\\s*=\\s*(?:await\\s+import|require)\\s*\\(\\s*${it}`).exec(source)?.[1]
    const names = clause?.match(/[\w$]+/g)?.filter((word) => !['as', 'default', 'type'].includes(word)) ?? []
    if (names.length === 0) continue
    const any = `(?<![\\w$.])(?:${names.map(escaped).join('|')})`
    const patterns = [
      `${any}(?:\\.[\\w$]+)*\\.(?:create|make|connect|open|build|get|add|register|schedule)[\\w$]*\\s*\\(`,
      `new\\s+${any}(?:\\.[\\w$]+)*\\s*\\(`,
      `${any}(?:\\.[\\w$]+)*\\s*\\(`,
    ]
    for (const pattern of patterns) {
      const found = findLine(readSource, [url], new RegExp(pattern))
      if (found) return found
    }
  }
  return undefined
}
