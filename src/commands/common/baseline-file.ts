// The baseline on disk: read, held against a Report, and brought up to date.

import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { LeakscopeError } from '../../errors.ts'
import { judgeByBaseline, NO_BASELINE, updatedBaseline } from '../../findings/baseline.ts'
import { type Baseline, BaselineSchema } from '../../findings/baseline-schema.ts'
import type { Report } from '../../findings/report.ts'
import { createPartialFile, requireWritable } from '../../support/files.ts'
import { DEFAULT_BASELINE } from './options.ts'

export interface BaselineWish {
  readonly file: string
  readonly baseline: Baseline
  readonly update: boolean
}

export interface BaselineOptions {
  readonly baseline?: string
  readonly updateBaseline?: boolean
  /** Of the config file: there a baseline is looked for that nobody has named. */
  readonly configFolder?: string
}

/**
 * Reads what was asked for, before any long work; undefined where there is no baseline.
 * @param byItself takes the default file if it is there, though nobody has named it
 */
export function baselineWish(
  { baseline: named, updateBaseline: update = false, configFolder: folder }: BaselineOptions,
  byItself = false,
): BaselineWish | undefined {
  const file = named ?? (folder === undefined ? DEFAULT_BASELINE : relative('', join(folder, DEFAULT_BASELINE)))
  const there = existsSync(file)
  if (named === undefined && !update && !(byItself && there)) return undefined
  if (!there && !update) {
    throw new LeakscopeError('file-not-found', `${file}: no such file`, { hint: '--update-baseline makes one.' })
  }
  if (update) requireWritable(file, true)
  return { file, baseline: there ? readBaseline(file) : NO_BASELINE, update }
}

function readBaseline(file: string): Baseline {
  let json: unknown
  try {
    json = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new LeakscopeError('file-unreadable', `${file}: ${(cause as Error).message}`, { cause })
  }
  const result = BaselineSchema.safeParse(json)
  if (result.success) return result.data
  const { path, message } = result.error.issues[0]!
  throw new LeakscopeError('file-unreadable', `${file} is no baseline: ${path.join('.') || 'it'}: ${message}`, {
    cause: result.error,
    hint: 'Mend it by hand, or delete it and run with --update-baseline.',
  })
}

export function judge(report: Report, { file, baseline }: BaselineWish): Report {
  const { findings, outcome } = judgeByBaseline(report.findings, baseline, file, today())
  return { ...report, findings, baseline: outcome }
}

export function writeBaseline(report: Report, { file, baseline }: BaselineWish): void {
  const partial = createPartialFile(file, true)
  try {
    partial.write(`${JSON.stringify(updatedBaseline(report.findings, baseline, today()), null, 2)}\n`)
    partial.commit()
  } finally {
    partial.discard()
  }
}

const today = (): string => new Date().toISOString().slice(0, 10)
