// The findings as workflow commands, which GitHub Actions turns into annotations beside the lines of a change.
// https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions#setting-an-error-message

import type { Report, ReportFinding } from '../findings/report.ts'
import { CHECK_LEVELS, checkText } from './check-text.ts'
import type { FormatOptions } from './formats.ts'
import { placeOf } from './places.ts'
import { verdictOf } from './verdict.ts'

type Level = 'error' | 'warning' | 'notice'

export function reportGithub(report: Report, options: FormatOptions): string {
  const told = report.findings.filter(({ status }) => status !== 'suppressed').map((it) => annotation(it, options))
  const stale = (report.baseline?.stale ?? []).map(({ fingerprint, reason, until, why }) =>
    command(
      'warning',
      { title: 'leakscope' },
      `the suppression of ${fingerprint} (${reason}, until ${until}) is ${why}`,
    ),
  )
  const all = [...checkCommands(report), ...told, ...stale]
  if (all.length > 0) return all.join('\n')
  const verdict = verdictOf(report)
  return command('notice', { title: 'leakscope' }, verdict ? verdict.headline + verdict.rest : 'nothing to tell')
}

function checkCommands({ check }: Report): string[] {
  if (!check) return []
  const { headline, details } = checkText(check)
  const level = CHECK_LEVELS[check.outcome]
  return [command(level === 'note' ? 'notice' : level, { title: 'leakscope check' }, [headline, ...details].join('\n'))]
}

function annotation(finding: ReportFinding, { root, fails }: FormatOptions): string {
  const { pattern, severity, status, title, culprit, advice } = finding
  const level: Level = fails(finding) ? 'error' : severity === 'note' || status === 'known' ? 'notice' : 'warning'
  const where = culprit && {
    file: placeOf(culprit.url, root).path,
    ...(culprit.line > 0 && { line: culprit.line, col: culprit.column }),
  }
  const known = status === 'known' ? ' (known)' : ''
  return command(level, { ...where, title: `${pattern}${known}` }, `${title}\n${advice}`)
}

function command(level: Level, properties: Readonly<Record<string, string | number>>, message: string): string {
  const list = Object.entries(properties).map(([name, value]) => `${name}=${escapeProperty(`${value}`)}`)
  return `::${level} ${list.join(',')}::${escapeData(message)}`
}

/** As the runner reads them: https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts */
const escapeData = (text: string): string => text.replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A')
const escapeProperty = (text: string): string => escapeData(text).replace(/:/g, '%3A').replace(/,/g, '%2C')
