// How places are shown: detectors speak of scripts as they ran, people read the sources that these were made of.

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

/** A class as the source has it. Those of packages stay where V8 says: there may be thousands, and each has to be read. */
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

// Unicode leaves these to programs, for use inside: no text that is shown has them.
const [BEGIN, NEXT, END] = ['\ufdd0', '\ufdd1', '\ufdd2']
const MARK = new RegExp(`${BEGIN}([^${NEXT}]*)${NEXT}(\\d+)${NEXT}(\\d+)${NEXT}(place|line|text)${END}`, 'g')

const PLACES = new RegExp(`(${BEGIN}[^${END}]*${END})`)

/** A place in a script as a detector puts it into a text; `withPlaces` turns it into one in the source. */
export const placeMark = (
  { url, line, column = 1 }: Partial<ScriptPlace> & Omit<ScriptPlace, 'column'>,
  form: Form,
): string => [`${BEGIN}${url}`, line, column, `${form}${END}`].join(NEXT)

const MOST_TEXT = 80

/** The text with each place as it is shown: `leaky.mjs:14`, `line 14`, or what stands there. */
export function withPlaces(text: string, sources: ScriptSources): string {
  return text.replace(MARK, (_, script: string, scriptLine: string, scriptColumn: string, form: Form) => {
    const place = { url: script, line: Number(scriptLine), column: Number(scriptColumn) }
    const { url, line, codeFrame } = sources.show(place)
    if (form === 'text') return (codeFrame.find((each) => each.line === line)?.text ?? '…').trim().slice(0, MOST_TEXT)
    const file = url.replace(/[?#].*$/, '').replace(/^.*[\\/]/, '')
    return line === 0 ? file : form === 'line' ? `line ${line}` : `${file}:${line}`
  })
}

/** Words of the texts here that a minifier may call a variable by. */
const WORDS = new Set(
  'a an and are as at be by do for go he if in is it its let me more my new no not of off on once one or out put set so than that the to up us use we with'.split(
    ' ',
  ),
)

const UNITS = new Set(['B', 's', 'ms'])

const escaped = (name: string): string => name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

/** The text with names as the source has them; one that is a word as well, is quoted, or may be a unit, stays. */
export function withNames(text: string, names: ReadonlyMap<string, string>): string {
  // Private names stand behind a dot, and look like nothing else.
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

/** Evidence as it is shown: its texts by `say`, and the place of each object that has a `url` and a `line`. */
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
