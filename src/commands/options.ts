// Parsers of option values that several commands share; each refuses what it does not understand.

import { LeakscopeError } from '../errors.ts'

/** A whole number from 1; commander passes the raw text. */
export function positiveInteger(name: string): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new LeakscopeError('usage-invalid', `${name} takes a whole number from 1, not '${text}'`)
    }
    return value
  }
}
