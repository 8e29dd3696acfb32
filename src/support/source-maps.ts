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

/** By script URL, the one used last at the end; null where there is no map to use. */
const maps = new Map<string, LoadedMap | null>()
let kept = 0

/**
 * The place in the source of the place in a script. Only files of this machine are read: the script, and the map that
 * its `sourceMappingURL` names, as a file or a `data:` URL. Undefined where there is no map, or it says nothing of the
 * place. Never throws; what was read stays in memory for the next question.
 * @param line 1-based, as `column`
 */
export function mapPosition(url: string, line: number, column: number): OriginalPosition | undefined {
  return find(url, line, column - 1)
}

/** The place in the source of the first thing that stands on a line of a script. */
export function mapLine(url: string, line: number): OriginalPosition | undefined {
  return find(url, line, 0, LEAST_UPPER_BOUND)
}

/** The text of a source that a script's map carries in itself, as those of bundlers do. */
export function embeddedSource(scriptUrl: string, sourceUrl: string): string | undefined {
  const loaded = load(scriptUrl)
  if (!loaded) return undefined
  const index = loaded.map.resolvedSources.findIndex((source) => nameOf(source, loaded.path) === sourceUrl)
  const source = loaded.map.sources[index]
  try {
    return (source != null && sourceContentFor(loaded.map, source)) || undefined
  } catch {
    return undefined
  }
}

function find(url: string, line: number, column: number, bias?: typeof LEAST_UPPER_BOUND) {
  if (!(line >= 1 && column >= 0)) return undefined
  const loaded = load(url)
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

function load(url: string): LoadedMap | null {
  const path = !url.startsWith('file:')
  if (path && !url.startsWith('/') && !/^[a-z]:[\\/]/i.test(url)) return null
  const known = maps.get(url)
  if (known !== undefined) {
    maps.delete(url)
    maps.set(url, known)
    return known
  }
  const loaded = read(url, path)
  kept += loaded?.segments ?? 0
  for (const [other, map] of maps) {
    if (kept <= MAX_KEPT) break
    maps.delete(other)
    kept -= map?.segments ?? 0
  }
  maps.set(url, loaded)
  return loaded
}

function read(url: string, path: boolean): LoadedMap | null {
  try {
    const script = readLocalFile(url, MAX_SCRIPT_BYTES)
    const name = script === undefined ? undefined : mapUrlOf(script)
    if (name === undefined) return null
    const base = path ? pathToFileURL(url).href : url
    const text = name.startsWith('data:') ? unpackDataUrl(name) : readLocalFile(new URL(name, base).href, MAX_MAP_BYTES)
    if (text === undefined) return null
    // Some servers put this in front, so that no page can run the map as a script.
    const json = JSON.parse(text.startsWith(")]}'") ? text.slice(text.indexOf('\n')) : text)
    const segments = countSegments(json)
    if (segments > MAX_SEGMENTS) return null
    const map = FlattenMap(json, name.startsWith('data:') ? base : new URL(name, base).href)
    return { map, segments, path }
  } catch {
    // No map, as far as we can tell: the places in the script are true all the same.
    return null
  }
}

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

function unpackDataUrl(url: string): string | undefined {
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
