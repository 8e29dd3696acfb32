// The list of all output formats: each a file of its own that turns a Report into text, loaded when it is asked for.

import type { ChalkInstance } from 'chalk'
import type { Report, ReportFinding } from '../findings/report.ts'
import type { FormatName } from './format-names.ts'

/** What a pattern is, for formats that bring explanations along. */
export interface Rule {
  readonly id: string
  /** One sentence. */
  readonly summary: string
  /** Markdown. */
  readonly help: string
}

/** What a Report cannot know: who reads it, and where. */
export interface FormatOptions {
  readonly color: ChalkInstance
  /** Columns that lines may take in a terminal. */
  readonly width: number
  /** Rows of each table, and findings, at most where people read them. */
  readonly limit: number
  /** The folder, absolute, that paths of sources are told relative to. */
  readonly root: string
  readonly rules: readonly Rule[]
  /** Whether a finding is a reason to fail. */
  readonly fails: (finding: ReportFinding) => boolean
}

export type Formatter = (report: Report, options: FormatOptions) => string

export const FORMATS: Readonly<Record<FormatName, () => Promise<Formatter>>> = {
  terminal: async () => (await import('./terminal.ts')).reportTerminal,
  json: async () => (await import('./json.ts')).reportJson,
  markdown: async () => (await import('./markdown.ts')).reportMarkdown,
  junit: async () => (await import('./junit.ts')).reportJunit,
  sarif: async () => (await import('./sarif.ts')).reportSarif,
  github: async () => (await import('./github.ts')).reportGithub,
}
