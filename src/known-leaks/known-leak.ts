// What is known of a published leak: in which versions of which package it is, how it looks in a heap, and what fixed it.

import { z } from 'zod'
import { parseRange } from './versions.ts'

const names = z.array(z.string().min(1)).min(1)

/** All that is given must be so; of each list, what it says. */
export const LooksSchema = z
  .object({
    /** leakscope's patterns; any of them. */
    patterns: names.optional(),
    /** Names of references, or classes of objects, that the path to what leaks passes; all of them. */
    path: names.optional(),
    /** Classes of what leaks, or of what came with it; any of them. */
    classes: names.optional(),
    /** Files inside the package, as its functions, classes or modules on the path say; any of them, by the end of its name. */
    files: names.optional(),
    /** Functions of the package that add what leaks, or lead to what does; any of them. */
    functions: names.optional(),
  })
  .strict()
  .refine(({ path, classes, functions }) => path ?? classes ?? functions, 'a pattern or a file alone is no look')

export const KnownLeakSchema = z
  .object({
    /**
     * On GitHub: `owner/repository#number` of the issue, or of the change that fixed it; `owner/repository@commit` where
     * that has no number; or the id of an advisory.
     */
    id: z.string().regex(/^([\w.-]+\/[\w.-]+(#\d+|@[0-9a-f]{7,40})|GHSA(-[23456789cfghjmpqrvwx]{4}){3})$/),
    /** What leaks, in a few words. */
    title: z.string().min(10).max(160),
    /** As on npm, or `node`. */
    package: z.string().min(1),
    affected: z.string().refine((range) => parseRange(range) !== undefined, 'no range of versions'),
    /** First versions without it, lowest first; empty where there is none yet. */
    fixedIn: z.array(z.string().regex(/^\d+\.\d+\.\d+/)),
    looks: LooksSchema,
    /** What to do where there is no fixed version, or beside an upgrade. */
    instead: z.string().optional(),
    /** Seen in heaps of processes that ran an affected version and a fixed one. */
    verified: z
      .object({ node: z.string(), version: z.string(), date: z.string().regex(/^\d{4}-\d{2}-\d{2}$/) })
      .optional(),
  })
  .strict()

export type KnownLeak = z.infer<typeof KnownLeakSchema>
