// From a place in a script that runs to the place in the source that it was made of, by the script's source map.

import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  FlattenMap,
  LEAST_UPPER_BOUND,
  originalPositionFor,
  sourceContentFor,
  type TraceMap,
  traceSegment,
} from '@jridgewell/trace-mapping'
import { readLocalFile } from './sources.ts'

/** A place in a source, 1-based. */
export interface OriginalPosition {
  /** As scripts are named: a `file:` URL or a path, as the script has it; else what the map says, `webpack://…`. */
  readonly url: string
  readonly line: number
  readonly column: number
  /** What the source calls the identifier that starts exactly here, where the map says so. */
  readonly name: string | undefined
}

/** A source map as text, and the URL that its sources are relative to. */
export interface FoundMap {
  readonly json: string
  readonly base: string
}

/** Finds the map of a script; may throw where there is none. */
export type FindMap = (url: string) => FoundMap | undefined

const MAX_SCRIPT_BYTES = 1 << 26
const MAX_MAP_BYTES = 1 << 27
/** Places a map may have; each takes some 100 bytes. A bundle of ten megabytes has two million. */
const MAX_SEGMENTS = 6_000_000
/** Segments of all maps that are kept at a time. */
const MAX_KEPT = 2 * MAX_SEGMENTS

interface LoadedMap {
  readonly map: TraceMap
  readonly segments: number
  /** Whether the script is named by a path. */
  readonly path: boolean
}

/** The maps of scripts, each read when it is first asked for; what was read stays in memory for the next question. */
export class SourceMaps {
  readonly #find: FindMap
  /** By script URL, the one used last at the end; null where there is no map to use. */
  readonly #maps = new Map<string, LoadedMap | null>()
  #kept = 0

  constructor(find: FindMap) {
    this.#find = find
  }

  /**
   * The place in the source of the place in a script. Undefined where there is no map, or it says nothing of the place.
   * Never throws.
   * @param line 1-based, as `column`
   */
  at(url: string, line: number, column: number): OriginalPosition | undefined {
    return this.#at(url, line, column - 1)
  }

  /** Whether a script has a map that can be used. */
  has(url: string): boolean {
    return this.#load(url) !== null
  }

  /** The place in the source of the first thing that stands on a line of a script. */
  line(url: string, line: number): OriginalPosition | undefined {
    return this.#at(url, line, 0, LEAST_UPPER_BOUND)
  }

  /** The text of a source that a script's map carries in itself, as those of bundlers do. */
  content(scriptUrl: string, sourceUrl: string): string | undefined {
    const loaded = this.#load(scriptUrl)
    if (!loaded) return undefined
    const index = loaded.map.resolvedSources.findIndex((source) => nameOf(source, loaded.path) === sourceUrl)
    const source = loaded.map.sources[index]
    try {
      return (source != null && sourceContentFor(loaded.map, source)) || undefined
    } catch {
      return undefined
    }
  }

  #at(url: string, line: number, column: number, bias?: typeof LEAST_UPPER_BOUND): OriginalPosition | undefined {
    if (!(line >= 1 && column >= 0)) return undefined
    const loaded = this.#load(url)
    if (!loaded) return undefined
    try {
      const needle = bias === undefined ? { line, column } : { line, column, bias }
      const found = originalPositionFor(loaded.map, needle)
      if (found.source === null || found.line < 1) return undefined
      const startsHere = traceSegment(loaded.map, line - 1, column)?.[0] === column
      return {
        url: nameOf(found.source, loaded.path),
        line: found.line,
        column: found.column + 1,
        name: (startsHere && found.name) || undefined,
      }
    } catch {
      // Its numbers lead nowhere.
      return undefined
    }
  }

  #load(url: string): LoadedMap | null {
    const known = this.#maps.get(url)
    if (known !== undefined) {
      this.#maps.delete(url)
      this.#maps.set(url, known)
      return known
    }
    const loaded = this.#read(url)
    this.#kept += loaded?.segments ?? 0
    for (const [other, map] of this.#maps) {
      if (this.#kept <= MAX_KEPT) break
      this.#maps.delete(other)
      this.#kept -= map?.segments ?? 0
    }
    this.#maps.set(url, loaded)
    return loaded
  }

  #read(url: string): LoadedMap | null {
    try {
      const found = this.#find(url)
      if (found === undefined) return null
      const { json: text, base } = found
      // Some servers put this in front, so that no page can run the map as a script.
      const json = JSON.parse(text.startsWith(")]}'") ? text.slice(text.indexOf('\n')) : text)
      const segments = countSegments(json)
      return segments > MAX_SEGMENTS ? null : { map: FlattenMap(json, base), segments, path: isPath(url) }
    } catch {
      // No map, as far as we can tell: the places in the script are true all the same.
      return null
    }
  }
}

/** The map of a script on this machine, by what its text names: a file, or a `data:` URL. */
export const findMapOnDisk: FindMap = (url) => {
  const script = readLocalFile(url, MAX_SCRIPT_BYTES)
  return script === undefined ? undefined : mapNamedIn(script, url)
}

/** Of the scripts that lie on this machine's disk, as they are now. */
export const localMaps = new SourceMaps(findMapOnDisk)

/**
 * The map that the last `//# sourceMappingURL=` of a script names.
 * @param filesToo whether it may be a file beside the script
 */
export function mapNamedIn(script: string, url: string, filesToo = true): FoundMap | undefined {
  const name = mapUrlOf(script)
  if (name === undefined) return undefined
  const base = isPath(url) ? pathToFileURL(url).href : url
  if (name.startsWith('data:')) {
    const json = unpackDataUrl(name)
    return json === undefined ? undefined : { json, base }
  }
  const file = filesToo ? new URL(name, base).href : undefined
  const json = file === undefined ? undefined : readLocalFile(file, MAX_MAP_BYTES)
  return json === undefined ? undefined : { json, base: file! }
}

const isPath = (url: string): boolean => url.startsWith('/') || /^[a-z]:[\\/]/i.test(url)

/** What the last `//# sourceMappingURL=` of a script says. */
function mapUrlOf(script: string): string | undefined {
  const mark = /[#@] sourceMappingURL=$/
  for (let at = script.length; at > 0; ) {
    at = script.lastIndexOf('sourceMappingURL=', at - 1)
    if (at < 0) return undefined
    const start = at + 'sourceMappingURL='.length
    if (!mark.test(script.slice(Math.max(0, at - 2), start))) continue
    const rest = script.indexOf('\n', start)
    return (
      script
        .slice(start, rest < 0 ? script.length : rest)
        .trim()
        .split(/[\s*]/, 1)[0] || undefined
    )
  }
  return undefined
}

/** What a `data:` URL holds, as text; undefined where it is too large. */
export function unpackDataUrl(url: string): string | undefined {
  const comma = url.indexOf(',')
  if (comma < 0 || url.length - comma > MAX_MAP_BYTES) return undefined
  const data = url.slice(comma + 1)
  return /;base64$/i.test(url.slice(0, comma)) ? Buffer.from(data, 'base64').toString() : decodeURIComponent(data)
}

/** How many places a map, or all sections of one, would have once they are decoded. */
function countSegments({ mappings, sections }: { mappings?: unknown; sections?: unknown }): number {
  let count = 0
  if (typeof mappings === 'string') {
    for (let i = 0; i < mappings.length; i++) {
      const code = mappings.charCodeAt(i)
      if (code === 0x2c || code === 0x3b) count++
    }
  }
  if (Array.isArray(sections)) for (const { map } of sections) count += countSegments(map)
  return count
}

/** A source as the script is named, by URL or by path; what is no file stays as the map has it. */
function nameOf(source: string, path: boolean): string {
  if (!path || !source.startsWith('file:')) return source
  try {
    return fileURLToPath(source)
  } catch {
    return source
  }
}
