// A leak's name that outlives the run: the same for the same references, whatever else has changed.

import { createHash } from 'node:crypto'

/** 16 hex digits. @param parts what makes the leak this one; numbers in them count as alike */
export function fingerprint(parts: readonly string[]): string {
  const text = parts.map((part) => part.replace(/\d[\d,.]*/g, '#')).join('\n')
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
