// Fields that the evidence of many detectors has.

import { z } from 'zod'

/** A whole number of things. */
export const count = (what: string) => z.number().int().describe(what)

export const bytes = (what: string) => z.number().describe(`${what}, in bytes`)

export const perSecond = (what: string) => z.number().describe(`${what} each second`)

export const name = (what: string) => z.string().describe(what)

/** Null where the program has no name for it, or it could not be found out. */
export const nameOrNull = (what: string) => z.string().nullable().describe(what)

export const counts = (what = 'how many there were in each snapshot; `countsOf` says of what, where it is there') =>
  z.array(z.number()).describe(what)

export const countsOf = () =>
  z
    .enum(['entries', 'class', 'place', 'bytes'])
    .describe('what `counts` counts: entries of the container, objects of the class, objects at the place, or bytes')

export const stayedPerStep = () =>
  z.array(z.number()).describe('how many came between two snapshots and are still there; empty where that is not known')

/** A place in the source; null where none was found. */
export const place = (what: string) =>
  z.strictObject({ url: z.string(), line: z.number().int(), column: z.number().int() }).nullable().describe(what)

/** A line of the source with its text; null where none was found. */
export const line = (what: string) =>
  z.strictObject({ url: z.string(), line: z.number().int(), text: z.string() }).nullable().describe(what)
