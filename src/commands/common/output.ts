// Where a Report goes, and in which formats: one to standard output, others to files, and what a CI server shows by itself.

import { appendFileSync } from 'node:fs'
import { LeakscopeError } from '../../errors.ts'
import { FAIL_ON, type FailOn } from '../../findings/fail-on.ts'
import type { Report, ReportFinding } from '../../findings/report.ts'
import type { FormatName } from '../../report/format-names.ts'
import { FORMATS, type FormatOptions } from '../../report/formats.ts'
import { createPartialFile, requireWritable } from '../../support/files.ts'
import type { BaselineOptions, BaselineWish } from './baseline-file.ts'
import type { Context } from './context.ts'
import type { FormatWish } from './options.ts'

export interface Outputs {
  readonly stdout: FormatName
  readonly files: readonly { readonly format: FormatName; readonly file: string }[]
  /** Whether anything wants more than a person reads. */
  readonly detailed: boolean
}

/** Settles what was asked for, before any long work. Throws where it cannot be. */
export function outputsOf({ json, format }: { readonly json?: true; readonly format: readonly FormatWish[] }): Outputs {
  const wishes = json ? [...format, { format: 'json' as const, file: undefined }] : format
  const onStdout = [...new Set(wishes.filter(({ file }) => file === undefined).map((it) => it.format))]
  if (onStdout.length > 1) {
    throw new LeakscopeError(
      'usage-invalid',
      `only one format can go to standard output, not ${onStdout.join(' and ')}`,
      {
        hint: `--format ${onStdout[1]}=FILE writes the other to a file.`,
      },
    )
  }
  const files = wishes.flatMap(({ format: name, file }) => (file === undefined ? [] : [{ format: name, file }]))
  for (const [i, { file }] of files.entries()) {
    if (files.findIndex((it) => it.file === file) < i) {
      throw new LeakscopeError('usage-invalid', `two formats cannot go to the same file, ${file}`)
    }
    requireWritable(file, true)
  }
  return { stdout: onStdout[0] ?? 'terminal', files, detailed: wishes.some((it) => it.format === 'json') }
}

/** What a baseline is to be asked, if one is wished for: what reads them takes longer to load than many a snapshot. */
export async function wishedBaseline(options: BaselineOptions): Promise<BaselineWish | undefined> {
  if (options.baseline === undefined && !options.updateBaseline) return undefined
  return (await import('./baseline-file.ts')).baselineWish(options)
}

export interface PrintOptions {
  readonly outputs: Outputs
  /** Rows of each table in formats for people. */
  readonly limit: number
  readonly failOn?: FailOn
  readonly baseline?: BaselineWish | undefined
}

/** Prints the Report in every format; the exit code will be 1 if there is a finding that is a reason to fail. */
export async function printReport(context: Context, found: Report, options: PrintOptions): Promise<Report> {
  const { outputs, limit, failOn = 'never', baseline } = options
  // Where nobody has looked, nothing is fixed.
  const looked = found.explained !== null || found.check?.verdict === 'steady'
  const kept = baseline && looked ? await import('./baseline-file.ts') : undefined
  const report = baseline && kept ? kept.judge(found, baseline) : found
  if (!baseline?.update && report.findings.some((finding) => isReason(finding, failOn))) context.fail()
  const formatOptions: FormatOptions = {
    ...{ color: await context.colors(), width: context.width, limit },
    root: process.env.GITHUB_WORKSPACE ?? process.cwd(),
    rules: await rulesFor(outputs),
    // A list of failed tests says something even where nobody wants the exit code to.
    fails: (finding) => isReason(finding, failOn === 'never' ? 'warning' : failOn),
  }
  const render = async (format: FormatName, more: Partial<FormatOptions> = {}) =>
    (await FORMATS[format]())(report, { ...formatOptions, ...more })
  for (const { format, file } of outputs.files) writeWhole(file, await render(format, { color: await noColors() }))
  context.out(await render(outputs.stdout))
  if (baseline?.update) kept?.writeBaseline(report, baseline)
  if (process.env.GITHUB_ACTIONS === 'true' && (looked || report.check)) await tellGithub(context, outputs, render)
  return report
}

/** Whether the exit code should tell of it. */
export function isReason({ severity, status }: ReportFinding, failOn: FailOn): boolean {
  return (status === undefined || status === 'new') && FAIL_ON.indexOf(severity) >= FAIL_ON.indexOf(failOn)
}

async function rulesFor({ stdout, files }: Outputs): Promise<FormatOptions['rules']> {
  if (![stdout, ...files.map(({ format }) => format)].includes('sarif')) return []
  const { listPatterns, readPattern } = await import('../../detectors/texts.ts')
  return listPatterns().map(({ id, summary }) => ({ id, summary: summary || id, help: readPattern(id) }))
}

async function noColors(): Promise<FormatOptions['color']> {
  const { Chalk } = await import('chalk')
  return new Chalk({ level: 0 })
}

function writeWhole(path: string, text: string): void {
  const file = createPartialFile(path, true)
  try {
    file.write(`${text}\n`)
    file.commit()
  } finally {
    file.discard()
  }
}

type Render = (format: FormatName, more?: Partial<FormatOptions>) => Promise<string>

/** The server reads annotations from either stream; on standard error they spoil nothing. */
async function tellGithub(context: Context, { stdout }: Outputs, render: Render): Promise<void> {
  if (stdout !== 'github') context.note(await render('github'))
  const summary = process.env.GITHUB_STEP_SUMMARY
  if (!summary) return
  try {
    appendFileSync(summary, `${await render('markdown')}\n\n`)
  } catch (error) {
    context.note(`leakscope: the step summary could not be written: ${(error as Error).message}`)
  }
}
