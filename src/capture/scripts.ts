// The scripts of an isolate as V8 has them, where no file says the same: what a tool compiled on the way has its text, and
// its source map, in the process only.

import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import { LeakscopeError } from '../errors.ts'
import { packers } from '../support/compression.ts'
import { createPartialFile } from '../support/files.ts'
import { hasLength, type RunningScript } from '../support/script-sources.ts'
import { unpackDataUrl } from '../support/source-maps.ts'
import { packageOf, readLocalSource } from '../support/sources.ts'
import { ANSWER_MS, type InspectorSession, type ProtocolClient } from '../target/session.ts'
import { attachWorkers } from '../target/workers.ts'
import { listIsolates } from './isolates.ts'

/** What V8 tells of a script, as far as it is of interest; checked by hand, as a program may have many thousands. */
interface ParsedScript {
  readonly scriptId: string
  readonly url: string
  readonly length: number
  readonly startLine: number
  readonly startColumn: number
  /** The map, as a `data:` URL; undefined where there is none, or it is a file. */
  readonly mapUrl: string | undefined
}

/** Scripts that are told of, and characters: of one text and of all that are fetched, and of all maps. */
const MOST = { scripts: 1000, characters: 16 << 20, allCharacters: 32 << 20, mapCharacters: 64 << 20 }

/** Names of what is of the runtime's own. */
const INTERNAL = /^(?:node|ext|electron|internal|wasm|checkin):|^$/

/**
 * The program's own scripts, and packages' that came with a map; the text of those that differ from their file, or have
 * none. Costs the isolate what enabling V8's debugger does, some 50 to 400 ms for 10 MB of scripts, as before each
 * snapshot; leaves nothing enabled.
 */
export async function readScripts(client: Pick<ProtocolClient, 'send' | 'on'>): Promise<RunningScript[]> {
  // One URL may have been loaded many times: the last is told.
  const parsed = new Map<string, ParsedScript>()
  let mapsLeft = MOST.mapCharacters
  const off = client.on('Debugger.scriptParsed', (params) => {
    const script = parsedScript(params)
    mapsLeft -= script?.mapUrl?.length ?? 0
    if (script) parsed.set(script.url, mapsLeft < 0 ? { ...script, mapUrl: undefined } : script)
  })
  try {
    await client.send('Debugger.enable', {}, { timeoutMs: ANSWER_MS })
    off()
    const scripts: RunningScript[] = []
    let left = MOST.allCharacters
    for (const script of inOrder([...parsed.values()])) {
      const { url, length, mapUrl } = script
      const map = mapUrl === undefined ? null : (unpackDataUrl(mapUrl) ?? null)
      let text: string | null = null
      if (length <= Math.min(left, MOST.characters) && (map !== null || !isInFile(script))) {
        left -= length
        const { scriptId } = script
        const answer = await client.send('Debugger.getScriptSource', { scriptId }, { timeoutMs: ANSWER_MS })
        const { scriptSource } = answer as { readonly scriptSource?: unknown }
        if (typeof scriptSource === 'string') text = fromStart(withoutMap(scriptSource), script)
      }
      scripts.push({ url, length, text, map })
    }
    return scripts
  } finally {
    off()
    await client.send('Debugger.disable', {}, { timeoutMs: ANSWER_MS }).catch(() => {})
  }
}

/** The scripts of the main thread and of all workers that answer; of one that several have loaded, the first tells. */
export async function readProcessScripts(session: InspectorSession): Promise<RunningScript[]> {
  const workers = await attachWorkers(session)
  try {
    const isolates = listIsolates(session, workers)
    return joinScripts(await Promise.all(isolates.map(({ client }) => readScripts(client).catch(() => []))))
  } finally {
    await workers.leave()
  }
}

export function joinScripts(lists: readonly (readonly RunningScript[])[]): RunningScript[] {
  const all = new Map<string, RunningScript>()
  for (const script of lists.flat()) if (!all.has(script.url)) all.set(script.url, script)
  return [...all.values()]
}

function parsedScript(params: unknown): ParsedScript | undefined {
  const { scriptId, url, length, startLine, startColumn, sourceMapURL } = params as Record<string, unknown>
  if (typeof scriptId !== 'string' || typeof url !== 'string' || typeof length !== 'number') return undefined
  const mapUrl = typeof sourceMapURL === 'string' && sourceMapURL.startsWith('data:') ? sourceMapURL : undefined
  if (INTERNAL.test(url) || (packageOf(url) !== null && mapUrl === undefined)) return undefined
  return { scriptId, url, length, startLine: Number(startLine) || 0, startColumn: Number(startColumn) || 0, mapUrl }
}

/** The program's own first, and of those the ones that came with a map. */
function inOrder(scripts: readonly ParsedScript[]): ParsedScript[] {
  const rank = ({ url, mapUrl }: ParsedScript): number => (packageOf(url) !== null ? 2 : mapUrl === undefined ? 1 : 0)
  return scripts.toSorted((a, b) => rank(a) - rank(b)).slice(0, MOST.scripts)
}

function isInFile({ url, length }: ParsedScript): boolean {
  const text = readLocalSource(url)
  return text !== undefined && hasLength(text, length)
}

/** The map is told by itself. */
const withoutMap = (text: string): string => text.replace(/(\/[/*][#@] sourceMappingURL=)data:[^\s*]*/g, '$1')

/**
 * The text from where V8 begins to count its lines and columns. Test runners and bundlers wrap a module in a function,
 * and tell V8 to count from behind the wrapper's head; then its end goes as well.
 */
export function fromStart(
  text: string,
  { startLine, startColumn }: Pick<ParsedScript, 'startLine' | 'startColumn'>,
): string {
  let start = startLine === 0 ? Math.max(0, -startColumn) : 0
  for (let line = startLine; line < 0; line++) start = text.indexOf('\n', start) + 1
  if (start === 0) return '\n'.repeat(Math.max(0, startLine)) + ' '.repeat(Math.max(0, startColumn)) + text
  let open = 0
  for (const bracket of text.slice(0, start)) open += '([{'.includes(bracket) ? 1 : ')]}'.includes(bracket) ? -1 : 0
  let end = text.length
  for (; open > 0; open--) {
    while (end > start && /[\s;]/.test(text[end - 1]!)) end--
    if (!')]}'.includes(text[end - 1]!)) break
    end--
  }
  return text.slice(start, end)
}

/** Without the program's texts: what is left tells where lines come from, and whether a file has changed since. */
export function withoutTexts(scripts: readonly RunningScript[]): RunningScript[] {
  return scripts
    .filter(({ url, map }) => map !== null || url.startsWith('file:'))
    .map(({ url, length, map }) => ({
      ...{ url: url.replace(/[?#].*$/s, ''), length, text: null },
      map: map === null ? null : withoutContents(map),
    }))
}

/** What a map needs to tell of places and names: https://tc39.es/ecma426/#sec-source-map-format */
const OF_PLACES = [
  'version',
  'file',
  'sourceRoot',
  'sources',
  'names',
  'mappings',
  'sections',
  'offset',
  'map',
  'line',
  'column',
]

function withoutContents(map: string): string | null {
  try {
    return JSON.stringify(JSON.parse(map), OF_PLACES)
  } catch {
    return null
  }
}

const ScriptsSchema = z.object({
  schemaVersion: z.literal(1),
  scripts: z.array(
    z.object({
      url: z.string(),
      length: z.number().int(),
      text: z.string().nullable(),
      map: z.string().nullable(),
    }),
  ),
})

/** Of a file that is unpacked, as a bundle may come from anywhere. */
const MAX_BYTES = 512 << 20

export function writeScripts(path: string, scripts: readonly RunningScript[]): void {
  const file = createPartialFile(path, false, packers(path))
  try {
    file.write('{"schemaVersion":1,"scripts":[')
    for (const [i, script] of scripts.entries()) file.write(`${i > 0 ? ',' : ''}\n${JSON.stringify(script)}`)
    file.write(']}\n')
    file.commit()
  } finally {
    file.discard()
  }
}

/** @param path of a file that is packed with gzip */
export function readScriptsFile(path: string): RunningScript[] {
  try {
    const text = gunzipSync(readFileSync(path), { maxOutputLength: MAX_BYTES }).toString()
    return ScriptsSchema.parse(JSON.parse(text)).scripts
  } catch (cause) {
    throw new LeakscopeError('file-unreadable', `${path}: ${(cause as Error).message}`, { cause })
  }
}
