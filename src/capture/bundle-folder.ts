// How a folder is told to be a bundle; apart from what reads one, which takes longer to load.

import { existsSync } from 'node:fs'
import { join } from 'node:path'

export const MANIFEST = 'capture.json'
export const SCRIPTS = 'scripts.json.gz'
const OURS = /^(main|worker-\d+)(-\d+)?\.heap(snapshot(\.\w+)?|profile)$/

/** Whether a folder with these entries is a bundle and nothing else, so that it may be replaced. */
export function holdsBundle(entries: readonly string[]): boolean {
  return entries.includes(MANIFEST) && entries.every((name) => name === MANIFEST || name === SCRIPTS || OURS.test(name))
}

/** Whether `path` is a folder with a capture in it. */
export function isBundle(path: string): boolean {
  return existsSync(join(path, MANIFEST))
}
