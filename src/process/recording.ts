// A recording: one line of JSON for each look at a process, in a file that grows while `leakscope watch` runs.

import { closeSync, fstatSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { z } from 'zod'
import { LeakscopeError } from '../errors.ts'
import { attempt, requireWritable } from '../support/files.ts'

/** Within a version, fields are only ever added. */
export const LookSchema = z.object({
  schemaVersion: z.literal(1),
  /** By the clock of the machine that looked, which somebody may set. */
  at: z.iso.datetime(),
  pid: z.number().int(),
  nodeVersion: z.string(),
  /** By id: `rss`, `heap`, `external`, `threads`, …, and each line of the ledger; null where it can't be had. */
  values: z.record(z.string(), z.number().nullable()),
  /** What a value may come up to, by the same ids, where that is known. */
  limits: z.record(z.string(), z.number()),
})

/** One look at a process. */
export type Look = z.infer<typeof LookSchema>

export interface Recorder {
  add(look: Look): void
  close(): void
}

const HEAD_BYTES = 1 << 16

/** Goes on with the recording `path`, or begins it, readable by its owner only. A file of anything else is refused. */
export function openRecording(path: string): Recorder {
  requireWritable(path, true)
  const file = attempt(path, () => openSync(path, 'a+', 0o600))
  const { size } = fstatSync(file)
  const head = Buffer.alloc(Math.min(size, HEAD_BYTES))
  readSync(file, head, 0, head.length, 0)
  if (size > 0 && !parseLook(head.toString().split('\n')[0]!)) {
    closeSync(file)
    throw new LeakscopeError('file-exists', `${path} is there already, and no recording of leakscope`, {
      hint: 'Give --record the name of a new file, or of a recording to go on with.',
    })
  }
  const end = Buffer.alloc(Math.min(size, 1))
  readSync(file, end, 0, end.length, Math.max(0, size - 1))
  // Who was cut off in the middle of a line has left it without its end.
  let between = size > 0 && end.toString() !== '\n' ? '\n' : ''
  return {
    add(look) {
      attempt(path, () => writeSync(file, `${between}${JSON.stringify(look)}\n`))
      between = ''
    },
    close: () => closeSync(file),
  }
}

export interface Recording {
  readonly looks: readonly Look[]
  /** Lines that are no looks, as a killed writer or a full disk leaves one. */
  readonly skipped: number
}

/** Reads a whole recording; throws when there is no look in it. */
export function readRecording(path: string): Recording {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    if (missing) throw new LeakscopeError('file-not-found', `there is no ${path}`, { cause })
    throw new LeakscopeError('file-unreadable', `cannot read ${path}: ${(cause as Error).message}`, { cause })
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const looks = lines.flatMap((line) => parseLook(line) ?? [])
  if (looks.length > 0) return { looks, skipped: lines.length - looks.length }
  throw new LeakscopeError('file-unreadable', `${path} is no recording of leakscope`, {
    hint: '`leakscope watch <target> --record FILE` makes one.',
  })
}

function parseLook(line: string): Look | undefined {
  try {
    return LookSchema.safeParse(JSON.parse(line)).data
  } catch {
    return undefined
  }
}
