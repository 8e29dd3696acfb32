// Scripts by the URL that V8 knows them by: their text, and the package that they belong to.

import { readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Gives a source file's text for its URL, or undefined if that cannot be had. */
export type ReadSource = (url: string) => string | undefined

const MAX_SOURCE_BYTES = 16 << 20

/** Reads sources from this machine's disk: `file:` URLs and absolute paths, as Node names its scripts. */
export const readLocalSource: ReadSource = (url) => readLocalFile(url, MAX_SOURCE_BYTES)

/** The text of a file that a `file:` URL or an absolute path names, unless it is larger than `maxBytes`. */
export function readLocalFile(url: string, maxBytes: number): string | undefined {
  try {
    const path = url.startsWith('file:') ? fileURLToPath(url) : url
    if (!path.startsWith('/') && !/^[a-z]:[\\/]/i.test(path)) return undefined
    // A snapshot can name anything, also a pipe that never says a word or a device that never ends.
    const stats = statSync(path)
    return stats.isFile() && stats.size <= maxBytes ? readFileSync(path, 'utf8') : undefined
  } catch {
    return undefined
  }
}

/** Characters of sources that are kept at hand. */
const MAX_REMEMBERED = 64 << 20

/** The same, each source read once for all who ask. */
export function rememberingSources(readSource: ReadSource): ReadSource {
  const known = new Map<string, string | undefined>()
  let length = 0
  return (url) => {
    if (known.has(url)) return known.get(url)
    const source = readSource(url)
    length += source?.length ?? 0
    if (length <= MAX_REMEMBERED) known.set(url, source)
    return source
  }
}

/** `@scope/name` or `name` behind the last `node_modules/` of a URL. */
export function packageOf(url: string): string | null {
  return /^.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//s.exec(url)?.[1] ?? null
}
