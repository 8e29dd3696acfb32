// Where a source is, as those who review a change know it: relative to the folder that they have checked out.

import { isAbsolute, relative, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export interface Place {
  /** With `/` between folders; relative to the root where the file is below it, else as it was. */
  readonly path: string
  readonly belowRoot: boolean
  /** The same as a URI reference. */
  readonly uri: string
}

/** @param url as Node names a script: a `file:` URL, an absolute path, or a name such as `node:internal/timers` */
export function placeOf(url: string, root: string): Place {
  const file = localPath(url)
  if (file === undefined) return { path: url, belowRoot: false, uri: encodeURI(url) }
  const below = relative(root, file)
  if (below === '' || below.startsWith(`..${sep}`) || below === '..' || isAbsolute(below)) {
    return { path: file, belowRoot: false, uri: pathToFileURL(file).href }
  }
  const path = below.split(sep).join('/')
  return { path, belowRoot: true, uri: path.split('/').map(encodeURIComponent).join('/') }
}

/** `:14:3`; empty where no line is known. */
export const positionText = ({ line, column }: { readonly line: number; readonly column: number }): string =>
  line === 0 ? '' : `:${line}:${column}`

/** Why there is no line; lines of code beside it are what ran. */
export const differsText = ({ line }: { readonly line: number }, frame: readonly unknown[]): string =>
  line > 0 ? '' : frame.length > 0 ? ', which differs from what ran:' : ', which differs from what ran'

function localPath(url: string): string | undefined {
  if (isAbsolute(url)) return url
  if (!url.startsWith('file:')) return undefined
  try {
    return fileURLToPath(url)
  } catch {
    // `file://host/…`, or an escape that stands for no character.
    return undefined
  }
}
