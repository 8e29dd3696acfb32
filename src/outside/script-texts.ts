// The program's scripts, with the text of those that differ from their file or have none: a tool may have compiled them on
// the way. V8 keeps the text of every script.

import { pathToFileURL } from 'node:url'
import { hasLength, type RunningScript } from '../support/script-sources.ts'
import { unpackDataUrl } from '../support/source-maps.ts'
import { packageOf, readLocalSource } from '../support/sources.ts'
import type { Heap } from './heap.ts'
import type { Texts } from './texts.ts'

/** Names of what is of the runtime's own. */
const INTERNAL = /^(?:node|ext|electron|internal|wasm|checkin):|^$|^evalmachine\./
/** Scripts that are told of, and units: of one text, and of all. */
const MOST = { scripts: 1000, units: 16 << 20, allUnits: 32 << 20 }
/** A source map at the end of a text. */
const MAP = /(\/[/*][#@] sourceMappingURL=)(data:[^\s*]*)/g

export function readScriptTexts(heap: Heap, texts: Texts): RunningScript[] {
  const { types, fields } = heap.layout
  // One URL may have been loaded many times: the last is told.
  const scripts = new Map<string, RunningScript>()
  let left = MOST.allUnits
  for (let word = heap.nextObject(0); word >= 0 && scripts.size < MOST.scripts; word = heap.nextObject(word + 1)) {
    if (heap.typeAt(word) !== types.SCRIPT) continue
    const named = heap.target(word + fields.scriptName)
    const name = named >= 0 && texts.isString(named) ? texts.text(named) : ''
    const url = name.startsWith('/') ? pathToFileURL(name).href : name
    if (INTERNAL.test(url)) continue
    const source = heap.target(word + fields.scriptSource)
    if (source < 0 || !texts.isString(source)) continue
    const length = texts.length(source)
    const file = readLocalSource(url)
    let [text, map]: [string | null, string | null] = [null, null]
    if (!(file !== undefined && hasLength(file, length)) && length <= Math.min(left, MOST.units)) {
      const whole = texts.text(source, length)
      const found = [...whole.matchAll(MAP)].at(-1)
      map = found ? (unpackDataUrl(found[2]!) ?? null) : null
      // As the inspector's way: of packages only what came with a map.
      if (packageOf(url) !== null && map === null) continue
      text = whole.replace(MAP, '$1')
      left -= length
    }
    scripts.set(url, { url, length, text, map })
  }
  return [...scripts.values()]
}
