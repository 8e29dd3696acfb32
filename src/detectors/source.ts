// What the source says: whether anything is ever taken out of a collection, and where something of a kind is done.

import { type Culprit, packageOf, type ReadSource } from '../analysis/culprit.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'
import { escaped } from './statements.ts'

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
  const it = `(?<![\\w$#])(?:this\\.|self\\.)?${escaped(name)}(?![\\w$])`
  const patterns = [
    new RegExp(`${it}\\s*(\\?\\.|\\.)\\s*(delete|shift|pop|splice|clear|remove|removeAll|evict|prune)\\s*\\(`),
    new RegExp(`(?<![\\w$])delete\\s+${it}\\s*[.[]`),
    new RegExp(`${it}\\.length\\s*=(?!=)`),
    new RegExp(`${it}\\s*\\[[^\\]]*%[^\\]]*\\]\\s*=(?!=)`),
    new RegExp(
      `^(?!\\s*(?:export\\s+)?(?:const|let|var)\\b).*${it}\\s*=\\s*(\\[|new\\s|\\{|null|undefined|${it}\\s*\\.\\s*(slice|filter))`,
    ),
  ]
  let isSetUp = false
  for (const { at, text } of linesWith(source, name)) {
    const isComment = /^\s*(\/\/|\*)/.test(text)
    const found = patterns.findIndex((pattern) => pattern.test(text))
    // A field that is declared, or set up by the constructor, is no removal.
    if (!isComment && found >= 0 && (found < 4 || isSetUp))
      return { url, line: lineNumber(source, at), text: text.trim().slice(0, 80) }
    isSetUp ||= patterns[4]!.test(text)
  }
  return undefined
}

/**
 * The first statement in the module that compares the size of what is called `name` with something, as what makes room
 * does, and what that is: a number, or its name.
 */
export function findLimit(
  readSource: ReadSource,
  url: string | undefined,
  name: string,
): (SourceLine & { limit: string }) | undefined {
  const source = url === undefined || url.startsWith('node:') ? undefined : readSource(url)
  if (url === undefined || source === undefined) return undefined
  const it = `(?<![\\w$#])(?:this\\.|self\\.)?${escaped(name)}`
  const size = `(?:${it}\\??\\.(?:length|size)|Object\\.keys\\(\\s*${it}\\s*\\)\\.length)(?![\\w$(])`
  const patterns = [
    new RegExp(`${size}\\s*(?:[<>]=?|===?)\\s*([\\w$.#]+)`),
    new RegExp(`([\\w$.#]+)\\s*(?:[<>]=?|===?)\\s*${size}`),
  ]
  for (const { at, text } of linesWith(source, name)) {
    if (/^\s*(\/\/|\*)/.test(text)) continue
    for (const pattern of patterns) {
      const limit = pattern.exec(text)?.[1]
      // Whether there is anything, or more than a few, is asked for other reasons.
      if (limit === undefined || limit.length < 3 || /^0|^\d\.?\d?$|\.(?:length|size)$/.test(limit)) continue
      return { url, line: lineNumber(source, at), text: text.trim().slice(0, 80), limit }
    }
  }
  return undefined
}

/** The number that a constant of the module is set to; undefined where it is not written down there. */
export function constantIn(readSource: ReadSource, url: string, name: string): number | undefined {
  const written = new RegExp(
    `(?:const|let|var)\\s+${escaped(name)}\\s*=\\s*([\\d_]+(?:\\s*\\*\\s*[\\d_]+)*)\\s*(?:[;,/]|$)`,
    'm',
  )
  const factors = written
    .exec(readSource(url) ?? '')?.[1]
    ?.replaceAll('_', '')
    .split('*')
  return factors?.reduce((product, factor) => product * Number(factor), 1)
}

/** The lines that have `text` in them, and where they start; a source may be megabytes in which it stands twice. */
function* linesWith(source: string, text: string): Generator<{ at: number; text: string }> {
  for (let at = source.indexOf(text); at >= 0 && at < source.length; ) {
    const start = source.lastIndexOf('\n', at - 1) + 1
    const end = source.indexOf('\n', at)
    yield { at: start, text: source.slice(start, end < 0 ? source.length : end) }
    at = end < 0 ? -1 : source.indexOf(text, end + 1)
  }
}

/** 1-based number of the line that starts at `at`. */
function lineNumber(source: string, at: number): number {
  let line = 1
  for (let end = source.indexOf('\n'); end >= 0 && end < at; end = source.indexOf('\n', end + 1)) line++
  return line
}

/** Whether a script is the program's own, neither Node's nor a dependency's. */
export const isProgram = (url: string): boolean => !url.startsWith('node:') && packageOf(url) === null

/** The lines of a source, comments left out, that a pattern fits. */
export function linesOf(url: string, source: string, pattern: RegExp): SourceLine[] {
  return source.split('\n').flatMap((text, i) => {
    const code = text.replace(/(^|\s)\/\/.*$/, '')
    return /^\s*\*/.test(code) || !pattern.test(code) ? [] : [{ url, line: i + 1, text }]
  })
}

export const lineAsCulprit = ({ url, line, text }: SourceLine): Culprit => ({
  ...{ function: null, url, line, column: 1 + Math.max(0, text.search(/\S/)) },
  ...{ package: packageOf(url), basis: 'retainer' },
})

/**
 * The first line in the program's own modules that does something, by the first pattern that fits any; what a function
 * does over and over again goes before what a module does once.
 */
export function findDoing(
  graph: HeapGraph,
  readSource: ReadSource,
  patterns: readonly RegExp[],
): SourceLine | undefined {
  const sources = [...new Set(graph.moduleScopes.values())]
    .filter(isProgram)
    .map((url) => ({ url, source: readSource(url) }))
  for (const pattern of patterns) {
    const lines = sources.flatMap(({ url, source }) => (source === undefined ? [] : linesOf(url, source, pattern)))
    const done = lines.filter(
      ({ text }) => !/^\s*(import|export \*|export \{)|\bfunction\s+\w+\s*\([^)]*\)\s*\{?$/.test(text),
    )
    const line = done.find(({ text }) => /^\s/.test(text)) ?? done[0]
    if (line) return line
  }
  return undefined
}
