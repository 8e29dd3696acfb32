// Texts as tools compile them, with source maps that say where which part of them comes from.

import { encodedMap, TraceMap } from '@jridgewell/trace-mapping'

export interface Source {
  readonly url: string
  readonly text: string
  /** Whether the map carries its text. */
  readonly carried?: boolean
}

/** What stands in both: in the compiled text, and in a source, perhaps under another name. */
export interface Token {
  readonly ran: string
  /** Left out, it comes from nowhere. */
  readonly source?: string
  /** Which of the sources; the first, unless it is said otherwise. */
  readonly of?: number
  readonly name?: string
}

/** A source map as JSON. Each token is looked for behind the one in front of it in the compiled text. */
export function mapOf(ran: string, sources: readonly Source[], tokens: readonly Token[]): string {
  const names = [...new Set(tokens.flatMap(({ name }) => name ?? []))]
  const mappings: number[][][] = ran.split('\n').map(() => [])
  let from = 0
  for (const { ran: text, source, of = 0, name } of tokens) {
    const at = ran.indexOf(text, from)
    if (at < 0) throw new Error(`${text} is not in ${ran}`)
    from = at + 1
    const place = positionOf(ran, at)
    if (source === undefined) mappings[place.line]!.push([place.column])
    else {
      const there = positionOf(sources[of]!.text, sources[of]!.text.indexOf(source))
      const segment = [place.column, of, there.line, there.column]
      mappings[place.line]!.push(name === undefined ? segment : [...segment, names.indexOf(name)])
    }
  }
  const map = new TraceMap({
    ...{ version: 3, names, sources: sources.map(({ url }) => url) },
    sourcesContent: sources.map(({ text, carried }) => (carried ? text : null)),
    mappings: mappings as [number, number, number, number][][],
  })
  return JSON.stringify(encodedMap(map))
}

/** The compiled text with its map in itself. */
export const withMap = (ran: string, map: string): string =>
  `${ran}\n//# sourceMappingURL=data:application/json;base64,${Buffer.from(map).toString('base64')}\n`

function positionOf(text: string, at: number): { line: number; column: number } {
  const lines = text.slice(0, at).split('\n')
  return { line: lines.length - 1, column: lines.at(-1)!.length }
}

/** 1-based, of what stands in a text. */
export function placeOf(text: string, what: string): { line: number; column: number } {
  const { line, column } = positionOf(text, text.indexOf(what))
  return { line: line + 1, column: column + 1 }
}
