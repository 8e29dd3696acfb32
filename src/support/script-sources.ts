// Scripts as V8 ran them, and the sources that they were made of: a place in a script is analysed in the text that ran,
// and shown in the source.

import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type FoundMap, findMapOnDisk, mapNamedIn, type OriginalPosition, SourceMaps } from './source-maps.ts'
import { packageOf, type ReadSource, readLocalSource, rememberingSources } from './sources.ts'

/** A script as the process told of it. */
export interface RunningScript {
  /** A `file:` URL, also where V8's heap has a path; what a piece of text that was evaluated calls itself. */
  readonly url: string
  /** UTF-16 units of the text that V8 compiled. */
  readonly length: number
  /** That text, as lines and columns count in it; null where the file has the same, or it was not to be told. */
  readonly text: string | null
  /** The source map that came with it, as JSON; null where there is none, or a file has it. */
  readonly map: string | null
}

/** A place in a script, 1-based, as V8 tells it: never one in a source. */
export interface ScriptPlace {
  readonly url: string
  readonly line: number
  readonly column: number
}

/** A place as it is shown to people: in the source. What stands there is not to be asked of scripts any more. */
export interface ShownPlace {
  readonly url: string
  /** 1-based, as `column`; both 0 where the file is not the text that ran, so that no line of it is known. */
  readonly line: number
  readonly column: number
  /** The lines around it. Where `line` is 0, they are of the text that ran, by its numbers. */
  readonly codeFrame: readonly { readonly line: number; readonly text: string }[]
}

export interface ScriptSources {
  /** The text of a script that V8 ran; undefined where it cannot be had. */
  readonly readScript: ReadSource
  /** The place in the source; undefined where the script has no map, or that says nothing of the place. */
  readonly mapPosition: (url: string, line: number, column: number) => OriginalPosition | undefined
  readonly hasMap: (url: string) => boolean
  readonly show: (place: ScriptPlace) => ShownPlace
}

export interface ScriptSourcesOptions {
  /** What the process told, of all isolates; those that it told nothing of are looked for on disk. */
  readonly scripts?: readonly RunningScript[] | undefined
  /** The folder that the program runs in, where sources may be that a bundler names by relative paths. */
  readonly cwd?: string | null | undefined
  /** Reads a file; from this machine's disk, unless it is said otherwise. */
  readonly readFile?: ReadSource | undefined
  /** Whether a file has the text that ran, of a script that the process told nothing of. */
  readonly isWhatRan?: ((url: string, text: string) => boolean) | undefined
}

export function createScriptSources({
  scripts = [],
  cwd,
  readFile: readAnyFile = readLocalSource,
  isWhatRan = () => true,
}: ScriptSourcesOptions = {}): ScriptSources {
  const readFile = rememberingSources(readAnyFile)
  const told = new Map(scripts.map((script) => [keyOf(script.url), script]))
  /** By script: whether its file has what ran. */
  const same = new Map<string, boolean>()

  /** The file of a script, if that has the text that ran. */
  function fileOf(url: string): string | undefined {
    const file = readFile(url)
    if (file === undefined) return undefined
    const known = told.get(keyOf(url))
    const isSame = same.get(url) ?? (known ? hasLength(file, known.length) : isWhatRan(url, file))
    same.set(url, isSame)
    return isSame ? file : undefined
  }

  const readScript: ReadSource = (url) => told.get(keyOf(url))?.text ?? fileOf(url)

  const maps = new SourceMaps((url): FoundMap | undefined => {
    const known = told.get(keyOf(url))
    if (known?.map != null) return { json: known.map, base: known.url }
    if (known?.text != null) return mapNamedIn(known.text, url, false)
    fileOf(url)
    // The map beside a file that was written anew since is not the map of what runs.
    return same.get(url) === false ? undefined : findMapOnDisk(url)
  })

  /** By script and source as its map names it: where that is on this machine, and its text as the map carries it. */
  const originals = new Map<string, { readonly url: string; readonly content: Lines | undefined }>()
  function originalOf(source: string, script: string) {
    const key = `${script}\n${source}`
    const known = originals.get(key)
    if (known) return known
    const content = maps.content(script, source)
    const url = isBundlers(source) ? locate(source, script, content, cwd, readFile) : source
    const original = { url, content: content === undefined ? undefined : new Lines(content) }
    originals.set(key, original)
    return original
  }

  function mapPosition(url: string, line: number, column: number): OriginalPosition | undefined {
    const found = maps.at(url, line, column)
    return found && { ...found, url: originalOf(found.url, url).url }
  }

  /** By how they are read: texts, with where their lines begin. */
  const texts = new Map<string, Lines>()
  function linesOf(kind: 'file' | 'script', url: string): Lines | undefined {
    const key = `${kind} ${url}`
    const text = texts.has(key) ? undefined : (kind === 'file' ? readFile : readScript)(url)
    if (text !== undefined) texts.set(key, new Lines(text))
    return texts.get(key)
  }

  function show(place: ScriptPlace): ShownPlace {
    const found = maps.at(place.url, place.line, place.column)
    const original = found && originalOf(found.url, place.url)
    const at: ScriptPlace = found && original ? { url: original.url, line: found.line, column: found.column } : place
    const compiled = original ? original.content : linesOf('script', place.url)
    const file = linesOf('file', at.url)
    if (compiled === undefined) {
      if (file === undefined) return { ...at, codeFrame: [] }
      // Where the map carries no text, the file is what was compiled, as far as anybody knows.
      return original && file.has(at) ? shownIn(file, at) : nowhere(at.url)
    }
    if (!compiled.has(at)) return nowhere(at.url)
    if (file === undefined) return (original ? undefined : inBundlersFile(at, compiled)) ?? shownIn(compiled, at)
    if (sameText(file.text, compiled.text)) return shownIn(compiled, at)
    const again = findAgain(compiled, file, at)
    return again ? shownIn(file, { url: at.url, ...again }) : { ...nowhere(at.url), codeFrame: frameOf(compiled, at) }
  }

  /** A module of a bundle that has no map, named by the file that it was made of: told by what reads the same there. */
  function inBundlersFile(place: ScriptPlace, compiled: Lines): ShownPlace | undefined {
    if (!isBundlers(place.url)) return undefined
    const url = locate(place.url, place.url, undefined, cwd, readFile, true)
    const file = linesOf('file', url)
    const again = file && findAgain(compiled, file, place)
    return again && shownIn(file, { url, ...again })
  }

  return { readScript, mapPosition, hasMap: (url) => maps.has(url), show }
}

/** A text by its lines, which are counted from 1. */
class Lines {
  readonly text: string
  #starts: readonly number[] | undefined

  constructor(text: string) {
    this.text = text
  }

  get #from(): readonly number[] {
    if (this.#starts) return this.#starts
    const starts = [0]
    for (let at = this.text.indexOf('\n'); at >= 0; at = this.text.indexOf('\n', at + 1)) starts.push(at + 1)
    this.#starts = starts
    return starts
  }

  get count(): number {
    return this.#from.length
  }

  /** Without what ends it; empty where there is none. */
  line(line: number): string {
    const start = this.#from[line - 1]
    if (start === undefined) return ''
    return this.text.slice(start, this.#from[line] ?? this.text.length).replace(/\r?\n$/, '')
  }

  /** Whether there is such a line, and in it that column, or its end. */
  has({ line, column }: Pick<ScriptPlace, 'line' | 'column'>): boolean {
    return line >= 1 && line <= this.count && column >= 1 && column <= this.line(line).length + 1
  }
}

const nowhere = (url: string): ShownPlace => ({ url, line: 0, column: 0, codeFrame: [] })

const shownIn = (lines: Lines, { url, line, column }: ScriptPlace): ShownPlace => ({
  ...{ url, line, column },
  codeFrame: frameOf(lines, { line, column }),
})

const FRAME = { before: 2, after: 2, width: 200 }

function frameOf(lines: Lines, { line, column }: Pick<ScriptPlace, 'line' | 'column'>): ShownPlace['codeFrame'] {
  const from = Math.max(1, line - FRAME.before)
  const to = Math.min(lines.count, line + FRAME.after)
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => ({
    line: from + i,
    text: from + i === line ? textAround(lines.line(line), column) : lines.line(from + i).slice(0, FRAME.width),
  }))
}

/** A line of a script that was minified has everything in it. */
function textAround(text: string, column: number): string {
  if (column <= 0.8 * FRAME.width) return text.slice(0, FRAME.width)
  const start = column - 1 - FRAME.width / 4
  return `…${text.slice(start, start + FRAME.width - 1)}`
}

/** Heaps name CommonJS modules by path and ES modules by URL, which may have a query; the debugger makes URLs of all. */
function keyOf(url: string): string {
  const plain = /^[a-z][\w+.-]+:/i.test(url) ? url.replace(/[?#].*$/s, '') : url
  if (!plain.startsWith('file:')) return plain
  try {
    return fileURLToPath(plain)
  } catch {
    return plain
  }
}

/** Whether a file is as long as what was compiled of it: Node takes the mark off that a file may begin with. */
export const hasLength = (text: string, length: number): boolean =>
  text.length === length || (text.startsWith('\ufeff') && text.length - 1 === length)

const sameText = (a: string, b: string): boolean =>
  a === b || a.replace(/^\ufeff|\r/g, '') === b.replace(/^\ufeff|\r/g, '')

/** A line with fewer characters, blanks left out, is like too many others to be found again. */
const TELLING = 8
/** Of a line with types, at least so much is left without them. */
const LEFT = 0.3

/**
 * The same place in a file that differs from the text that ran: in the same line, where only blanks were written over
 * parts of it, as Node does with types, or parts were taken out; else in a line that reads the same, the nearest of them.
 */
function findAgain(
  ran: Lines,
  file: Lines,
  { line, column }: ScriptPlace,
): { line: number; column: number } | undefined {
  if ([line - 1, line, line + 1].every((at) => isBlanked(ran.line(at), file.line(at)))) return { line, column }
  const text = ran.line(line)
  const bare = text.replace(/\s/g, '')
  if (bare.length < TELLING) return undefined
  const beside = file.line(line)
  const within = bare.length >= LEFT * beside.replace(/\s/g, '').length ? columnsWithin(bare, beside) : undefined
  if (within) return { line, column: within[text.slice(0, column - 1).replace(/\s/g, '').length] ?? beside.length + 1 }
  let nearest: number | undefined
  for (let at = 1; at <= file.count; at++) {
    const isNearer = nearest === undefined || Math.abs(at - line) < Math.abs(nearest - line)
    if (isNearer && file.line(at).trim() === text.trim()) nearest = at
  }
  return nearest === undefined ? undefined : { line: nearest, column: columnIn(file.line(nearest), text, column) }
}

/** Whether a line became another by blanks over parts of it. */
function isBlanked(text: string, whole: string): boolean {
  const end = text.trimEnd().length
  for (let at = 0; at < end; at++) if (text[at] !== ' ' && text[at] !== whole[at]) return false
  return true
}

/** Where the characters of a text follow each other in a longer one, 1-based; undefined where they do not. */
function columnsWithin(text: string, whole: string): number[] | undefined {
  const columns: number[] = []
  for (let i = 0; i < text.length; i++) {
    const at = whole.indexOf(text[i]!, columns.at(-1) ?? 0)
    if (at < 0) return undefined
    columns.push(at + 1)
  }
  return columns
}

/** Where a line has what stands at a column of another one; 1-based. */
function columnIn(line: string, other: string, column: number): number {
  const word = /^(?:[\w$#]+|.)/.exec(other.slice(column - 1))?.[0]
  const shift = line.search(/\S/) - other.search(/\S/)
  const wanted = column - 1 + shift
  let best = -1
  for (let at = word === undefined ? -1 : line.indexOf(word); at >= 0; at = line.indexOf(word!, at + 1)) {
    if (best < 0 || Math.abs(at - wanted) < Math.abs(best - wanted)) best = at
  }
  return (best < 0 ? Math.max(0, line.search(/\S/)) : best) + 1
}

/** Whether a source is named by a bundler, by a scheme of its own and a path from a folder that nobody tells. */
const isBundlers = (url: string): boolean => /^[\w-]+:\/\//.test(url) && !/^(?:file|https?):/.test(url)

/** Folders above a script in which its sources are looked for. */
const MOST_FOLDERS = 16

/**
 * The file of a source that a bundler names: `webpack://app/./src/store.ts`, `turbopack:///[project]/src/store.ts`. The
 * folder that such paths start in is not told; it is one above the bundle, or above where the program runs. A file must
 * have the text that the map carries, but for one in the bundle's own package, which may have changed since. Sources of
 * a package's bundle are the package's, whether they were published or not.
 * @param anyText whether it is for the caller to see that the file has the right text
 */
function locate(
  source: string,
  script: string,
  content: string | undefined,
  cwd: string | null | undefined,
  readFile: ReadSource,
  anyText = false,
): string {
  const path = source
    .replace(/^[\w-]+:\/\/[^/]*\/(?:\([^)]*\)\/)?/, '')
    .replace(/[?#].*$/s, '')
    .replace(/^(?:\.?\/)+|^\[[^\]]*\]\//, '')
  const isUrl = script.startsWith('file:')
  const home = isUrl ? keyOf(script) : script.startsWith('/') || /^[a-z]:[\\/]/i.test(script) ? script : undefined
  const name = (file: string) => (isUrl || home === undefined ? pathToFileURL(file).href : file)
  const inside = home === undefined ? null : packageOf(home.replaceAll('\\', '/'))
  // `node_modules/.cache` and the like are a tool's, which put the program's own code there.
  const root = inside === null || inside.startsWith('.') ? undefined : packageRoot(home!, inside)
  let edited: string | undefined
  for (const [start, isNear] of [[home && dirname(home), true] as const, [cwd, false] as const]) {
    let ownPackage = isNear
    let folder = start
    for (let i = 0; folder && i < MOST_FOLDERS; i++) {
      const file = join(folder, path)
      const text = readFile(file)
      if (text !== undefined) {
        if (anyText || (content === undefined ? ownPackage : sameText(text, content))) return name(file)
        if (ownPackage) edited ??= file
      }
      if (folder === root) return name(edited ?? file)
      if (ownPackage && readFile(join(folder, 'package.json')) !== undefined) ownPackage = false
      const above = dirname(folder)
      if (above === folder) break
      folder = above
    }
  }
  return edited === undefined ? source : name(edited)
}

/** The folder of a package, whose name stands behind the last `node_modules`. */
function packageRoot(file: string, name: string): string {
  const at = file.replaceAll('\\', '/').lastIndexOf(`/node_modules/${name}/`)
  return file.slice(0, at + '/node_modules/'.length + name.length)
}
