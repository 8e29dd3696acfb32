// The Report as Markdown: for a pull request's comment, a job's summary, a ticket.

import type { Report, ReportCulprit, ReportFinding, ReportLeakPathStep } from '../findings/report.ts'
import { formatBytes, formatBytesDelta, formatCount, formatCountDelta, printable } from '../support/format.ts'
import { baselineLines } from './baseline-lines.ts'
import { checkText } from './check-text.ts'
import type { FormatOptions } from './formats.ts'
import { packageLine } from './package-line.ts'
import { differsText, placeOf, positionText } from './places.ts'
import { verdictOf } from './verdict.ts'

export function reportMarkdown(report: Report, options: FormatOptions): string {
  const { check, baseline, findings, explained } = report
  const shown = findings.slice(0, options.limit)
  const hidden = findings.length - shown.length
  return [
    `## leakscope ${report.command}`,
    ...(check ? checkParts(check) : []),
    ...verdictParts(report),
    ...(baseline
      ? [
          baselineLines(baseline)
            .map((line) => `- ${plain(line)}`)
            .join('\n'),
        ]
      : []),
    ...shown.map((finding, i) => findingText(finding, i + 1, options)),
    ...(hidden > 0 ? [`… and ${formatCount(hidden)} more.`] : []),
    ...(explained !== null && findings.length > 0 ? [] : [tableOf(report, options.limit)]),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

function verdictParts(report: Report): string[] {
  const verdict = verdictOf(report)
  return verdict ? [`**${plain(verdict.headline)}**${plain(verdict.rest)}`] : []
}

function checkParts(check: NonNullable<Report['check']>): string[] {
  const { headline, details, head, rows } = checkText(check)
  return [
    `**${plain(headline)}**`,
    details.map((line) => `- ${plain(line)}`).join('\n'),
    `<details><summary>The rounds</summary>\n\n${table(
      head.map((title) => title || 'change'),
      rows,
    )}\n\n</details>`,
  ]
}

function findingText(finding: ReportFinding, rank: number, options: FormatOptions): string {
  const { pattern, severity, confidence, status, title, culprit, reason, growth, retainingPath, advice } = finding
  const perHour = growth.bytesPerSecond > 0 ? `, ${formatBytes(growth.bytesPerSecond * 3600)} an hour` : ''
  const said = [severity, `${Math.round(100 * confidence)} % sure`, ...(status === undefined ? [] : [status])].join(
    ', ',
  )
  const holds = growth.retainedBytes > 0 ? ` Holds ${formatBytes(growth.retainedBytes)}${perHour}.` : ''
  const behind = packageLine(finding)
  return [
    `### ${rank}. ${code(pattern)} ${plain(title)}`,
    `${said}: ${plain(reason)}.${holds} Fingerprint ${code(finding.fingerprint)}.`,
    ...(behind ? [plain(behind)] : []),
    ...(culprit ? [culpritText(finding, culprit, options)] : []),
    ...(retainingPath.length > 0 ? [fenced(retainingPath.map(pathLine).join('\n'))] : []),
    `**What to do:** ${plain(advice)}`,
  ].join('\n\n')
}

function culpritText({ codeFrame }: ReportFinding, culprit: ReportCulprit, { root }: FormatOptions): string {
  const { url, line, column, function: name, package: from } = culprit
  const where = code(`${placeOf(url, root).path}${positionText({ line, column })}`)
  const head = `${where}${name ? ` in ${code(name)}` : ''}${from ? ` (package ${code(from)})` : ''}${differsText(culprit, codeFrame)}`
  if (codeFrame.length === 0) return head
  const width = `${codeFrame.at(-1)!.line}`.length
  const lines = codeFrame.map(
    (it) =>
      `${it.line === line ? '>' : ' '} ${(line === 0 ? '' : `${it.line}`).padStart(width)}  ${printable(it.text.replace(/\t/g, '  '))}`,
  )
  return `${head}\n\n${fenced(lines.join('\n'), 'js')}`
}

function pathLine({ edge, node, times, leaking, reason, suspect }: ReportLeakPathStep): string {
  const reference = edge === '' ? '' : suspect ? `~${edge}~ ` : `${edge} `
  const said = { no: 'leaking: no ', unknown: 'leaking: ?  ', yes: 'leaking: yes' }[leaking]
  return printable(
    `${said}  ${reference}${node}${times > 1 ? ` ×${formatCount(times)}` : ''}${reason === '' ? '' : `  (${reason})`}`,
    300,
  )
}

/** What is told where there is no leak to tell: what grew, or what is big. */
function tableOf({ growth, heap, check }: Report, limit: number): string {
  if (check) return ''
  if (growth) {
    const rows = growth.constructors
      .slice(0, limit)
      .map((it) => [
        code(it.name),
        it.isolate,
        formatCountDelta(it.countDelta),
        formatBytesDelta(it.shallowBytesDelta),
        formatBytesDelta(it.retainedBytesDelta),
      ])
    return rows.length === 0 ? '' : table(['class', 'isolate', 'objects', 'shallow', 'retained'], rows)
  }
  const rows = (heap?.constructors ?? [])
    .slice(0, limit)
    .map((it) => [
      code(it.name),
      it.isolate,
      formatCount(it.count),
      formatBytes(it.shallowBytes),
      formatBytes(it.retainedBytes),
    ])
  return rows.length === 0 ? '' : table(['class', 'isolate', 'objects', 'shallow', 'retained'], rows)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? ':--' : '--:'))), ...rows.map(line)].join('\n')
}

/** Text from a heap may hold anything that Markdown, or the HTML in it, would obey. */
function plain(text: string): string {
  return printable(text)
    .replace(/[\\`*_{}[\]<>#|~]/g, '\\$&')
    .replace(/&/g, '&amp;')
    .replace(/@/g, '@\u200b')
    .replace(/https?:\/\//g, (scheme) => scheme.replace(':', '&#58;'))
}

/** In a span of code a bar still ends a table's cell, and the fence must be longer than any inside. */
function code(text: string): string {
  const shown = printable(text, 200).replace(/\|/g, '¦')
  const fence = '`'.repeat(1 + Math.max(0, ...[...shown.matchAll(/`+/g)].map(([run]) => run.length)))
  const pad = /^`|`$|^ .* $/.test(shown) ? ' ' : ''
  return `${fence}${pad}${shown}${pad}${fence}`
}

function fenced(text: string, language = ''): string {
  const fence = '`'.repeat(Math.max(3, 1 + Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length))))
  return `${fence}${language}\n${text}\n${fence}`
}
