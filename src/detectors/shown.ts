// Places and names as they are shown: detectors have those of the scripts that ran, people read the sources of these.

import type { Culprit } from '../analysis/culprit.ts'
import type { ReportFinding } from '../findings/report.ts'
import type { OriginalNames } from '../source/original-names.ts'
import { isOwn } from '../source/origins.ts'
import type { ScriptPlace, ScriptSources } from '../support/script-sources.ts'
import { packageOf } from '../support/sources.ts'

export interface ShownCulprit {
  readonly culprit: Culprit
  readonly codeFrame: ReportFinding['codeFrame']
}

export function shown(culprit: Culprit, sources: ScriptSources): ShownCulprit {
  const { url, line, column, codeFrame } = sources.show(culprit)
  return { culprit: { ...culprit, url, line, column, package: packageOf(url) }, codeFrame: [...codeFrame] }
}

/** The file and the function of a culprit: what stays the same when lines are added above it. */
export const identityOf = ({ url, function: name }: Culprit): string[] => [
  url.replace(/[?#].*$/, '').replace(/^.*\//, ''),
  name ?? '',
]

export interface ShownClass {
  readonly name: string
  readonly location: ScriptPlace | null
}

/** A class as the source has it. Classes of packages stay as V8 has them: there may be thousands, each in a file to be read. */
export function shownClass(
  { name, location }: { readonly name: string; readonly location?: ScriptPlace | null | undefined },
  names: OriginalNames,
  sources: ScriptSources,
): ShownClass {
  if (!location || !isOwn(location.url)) return { name, location: location ?? null }
  const { url, line, column } = sources.show(location)
  return { name: names.nameAt(location, name) ?? name, location: { url, line, column } }
}

type Form = 'place' | 'line' | 'text'

// Noncharacters of Unicode, which are for internal use: no text that is shown has them.
const [BEGIN, NEXT, END] = ['\ufdd0', '\ufdd1', '\ufdd2']
const MARK = new RegExp(`${BEGIN}([^${NEXT}]*)${NEXT}(\\d+)${NEXT}(\\d+)${NEXT}(place|line|text)${END}`, 'g')

const PLACES = new RegExp(`(${BEGIN}[^${END}]*${END})`)

/** Stands for a place in a script, in a text; `withPlaces` puts in how the place is shown. */
export const placeMark = (
  { url, line, column = 1 }: Partial<ScriptPlace> & Omit<ScriptPlace, 'column'>,
  form: Form,
): string => [`${BEGIN}${url}`, line, column, `${form}${END}`].join(NEXT)

const MOST_TEXT = 80

/** The text with each place as it is shown: `leaky.mjs:14`, `line 14`, or the text of the line. */
export function withPlaces(text: string, sources: ScriptSources): string {
  return text.replace(MARK, (_, script: string, scriptLine: string, scriptColumn: string, form: Form) => {
    const place = { url: script, line: Number(scriptLine), column: Number(scriptColumn) }
    const { url, line, codeFrame } = sources.show(place)
    if (form === 'text') return (codeFrame.find((each) => each.line === line)?.text ?? '…').trim().slice(0, MOST_TEXT)
    const file = url.replace(/[?#].*$/, '').replace(/^.*[\\/]/, '')
    return line === 0 ? file : form === 'line' ? `line ${line}` : `${file}:${line}`
  })
}

/** Words of our texts that a minifier may use as names: they are not replaced. */
const WORDS = new Set(
  'a an and are as at be by do for go he if in is it its let me more my new no not of off on once one or out put set so than that the to up us use we with'.split(
    ' ',
  ),
)

const UNITS = new Set(['B', 's', 'ms'])

const escaped = (name: string): string => name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

/** The text with names as the source has them; a name that is a word of ours, is quoted, or may be a unit, stays. */
export function withNames(text: string, names: ReadonlyMap<string, string>): string {
  // Only private names may stand behind a dot: their # makes them unmistakable.
  const known = [...names.keys()]
    .filter((name) => !WORDS.has(name))
    .map((name) =>
      name.startsWith('#')
        ? `(?<![\\p{ID_Continue}#])${escaped(name)}`
        : `(?<![\\p{ID_Continue}$.'"’#@/\\\\-])${UNITS.has(name) ? '(?<!\\d )' : ''}${escaped(name)}`,
    )
  if (known.length === 0) return text
  const name = new RegExp(`(?:${known.join('|')})(?![\\p{ID_Continue}$'"’])`, 'gu')
  return text
    .split(PLACES)
    .map((part) => (part.startsWith(BEGIN!) ? part : part.replace(name, (it) => names.get(it)!)))
    .join('')
}

/** Evidence as it is shown: its texts as `say` has them, and, in each object with a `url` and a `line`, the place in the source. */
export function evidenceShown(value: unknown, sources: ScriptSources, say: (text: string) => string): unknown {
  if (typeof value === 'string') return say(value)
  if (Array.isArray(value)) return value.map((each) => evidenceShown(each, sources, say))
  if (typeof value !== 'object' || value === null) return value
  const known = Object.fromEntries(Object.entries(value).map(([key, each]) => [key, evidenceShown(each, sources, say)]))
  const { url, line, column, text } = value as { url?: unknown; line?: unknown; column?: unknown; text?: unknown }
  if (typeof url !== 'string' || typeof line !== 'number') return known
  const place = sources.show({ url, line, column: typeof column === 'number' ? column : 1 })
  const shownText = place.codeFrame.find((each) => each.line === place.line)?.text.trim()
  return {
    ...known,
    ...{ url: place.url, line: place.line },
    ...(typeof column === 'number' && { column: place.column }),
    ...(typeof text === 'string' && shownText !== undefined && { text: shownText }),
  }
}
