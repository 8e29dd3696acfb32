// Where in the program's source something of a kind is done.

import { type Culprit, packageOf, type ReadSource } from '../analysis/culprit.ts'
import type { HeapGraph } from '../graph/heap-graph.ts'

export interface SourceLine {
  readonly url: string
  /** 1-based. */
  readonly line: number
  /** 1-based: where what was looked for stands in it. */
  readonly column: number
  readonly text: string
}

/** Whether a script is the program's own, neither Node's nor a dependency's. */
export const isProgram = (url: string): boolean => !url.startsWith('node:') && packageOf(url) === null

/** The lines of a source, comments left out, that a pattern fits. */
export function linesOf(url: string, source: string, pattern: RegExp): SourceLine[] {
  return source.split('\n').flatMap((text, i) => {
    const code = text.replace(/(^|\s)\/\/.*$/, '')
    const found = /^\s*\*/.test(code) ? null : pattern.exec(code)
    return found === null ? [] : [{ url, line: i + 1, column: found.index + 1, text }]
  })
}

export const lineAsCulprit = ({ url, line, column }: SourceLine): Culprit => ({
  ...{ function: null, url, line, column },
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
