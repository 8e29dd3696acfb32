// Findings as a tired engineer reads them: the verdict first, then each leak with its line, its path, and what to change.

import type { ChalkInstance } from 'chalk'
import type { Report, ReportFinding, ReportLeakPathStep, ReportSetAside } from '../findings/report.ts'
import { formatBytes, formatCount, printable } from '../support/format.ts'
import { packageLine } from './package-line.ts'
import { differsText, positionText } from './places.ts'
import { verdictOf } from './verdict.ts'

type Options = { readonly color: ChalkInstance; readonly width: number; readonly limit: number }

const INDENT = '      '
/** A path is told in so many steps; of a longer one the middle is left out. */
const MAX_STEPS = 12

export function findingsText(report: Report, options: Options): string {
  const { findings, setAside } = report
  return [
    verdict(report, options.color),
    ...setAside.slice(0, options.limit).map((it) => setAsideText(it, options)),
    ...findings
      .slice(0, options.limit)
      .map((finding, i) => findingText(finding, i + 1, severalIsolates(report), options)),
    ...(findings.length > options.limit
      ? [`… and ${formatCount(findings.length - options.limit)} more (--limit)`]
      : []),
  ].join('\n\n')
}

const severalIsolates = ({ snapshots }: Report): boolean => new Set(snapshots.map(({ isolate }) => isolate)).size > 1

function verdict(report: Report, color: ChalkInstance): string {
  const it = verdictOf(report)
  if (!it) return color.bold('Piles of the kind that known leaks make; two snapshots or more tell whether they grow:')
  const { good, headline, rest } = it
  return good
    ? `${color.bold.green(`${headline}${rest.slice(0, 1)}`)}${rest.slice(1)}`
    : color.bold.red(headline) + rest
}

/** What a reader who sees the heap grow would ask about. */
const setAsideText = ({ title, reason }: ReportSetAside, { color, width }: Options): string =>
  wrapped(`Set aside: ${printable(title)}; ${printable(reason)}.`, width, color.dim).join('\n')

function findingText(
  finding: ReportFinding,
  rank: number,
  severalIsolates: boolean,
  { color, width }: Options,
): string {
  const { pattern, severity, confidence, title, isolate, culprit, reason, growth, retainingPath, explains, advice } =
    finding
  const sure = `${Math.round(confidence * 100)} % sure`
  const paint = severity === 'error' ? color.red : severity === 'warning' ? color.yellow : color.dim
  const status = finding.status === undefined ? '' : `  ${color.dim(finding.status)}`
  const where = severalIsolates ? `  ${color.inverse(` ${printable(isolate)} `)}` : ''
  const perHour = growth.bytesPerSecond > 0 ? `, ${formatBytes(growth.bytesPerSecond * 3600)} an hour` : ''
  const lines = [
    `${`${rank}`.padStart(3)}  ${paint.bold(pattern)}  ${color.bold(printable(title))}${status}${where}`,
    `${INDENT}${color.dim(`${severity}, ${sure}: ${printable(reason)}`)}`,
    // What is a mere number on the heap holds nothing there.
    ...(growth.retainedBytes > 0 ? [`${INDENT}holds ${formatBytes(growth.retainedBytes)}${perHour}`] : []),
  ]
  const behind = packageLine(finding)
  if (behind) lines.push(...wrapped(printable(behind), width, color.cyan))
  if (culprit) {
    const name = culprit.function ? ` in ${printable(culprit.function, 60)}` : ''
    const inside = culprit.package ? ` (package ${printable(culprit.package)})` : ''
    const place = `${printable(culprit.url.replace(/^file:\/\//, ''))}${positionText(culprit)}`
    lines.push(
      '',
      `${INDENT}${color.yellow(place)}${name}${inside}${differsText(culprit, finding.codeFrame)}`,
      ...frameLines(finding, color, width),
    )
  }
  if (retainingPath.length > 0) lines.push('', ...pathLines(retainingPath, color, width))
  if (explains.length > 0) {
    const others = new Set(
      explains.map(({ title, count }) => {
        const number = formatCount(count)
        return title.startsWith(number) ? printable(title, 60) : `${number} ${printable(title, 60)}`
      }),
    )
    lines.push('', ...wrapped(`the same objects: ${[...others].slice(0, 4).join('; ')}`, width, color.dim))
  }
  lines.push('', ...wrapped(`Do: ${printable(advice)}`, width, color.green))
  lines.push(`${INDENT}${color.dim(`leakscope explain ${pattern}`)}`)
  return lines.join('\n')
}

function frameLines({ codeFrame, culprit }: ReportFinding, color: ChalkInstance, width: number): string[] {
  const digits = `${codeFrame.at(-1)?.line ?? ''}`.length
  return codeFrame.map(({ line, text }) => {
    const number = culprit?.line === 0 ? '' : `${line}`.padStart(digits)
    const shown = `${number} │ ${printable(text.replace(/\t/g, '  '), Math.max(40, width - 20))}`
    return line === culprit?.line ? `${INDENT}${color.red('>')} ${color.bold(shown)}` : `${INDENT}  ${color.dim(shown)}`
  })
}

/** As LeakCanary draws it: a line for each step, the references that may be to blame underlined. */
function pathLines(path: readonly ReportLeakPathStep[], color: ChalkInstance, width: number): string[] {
  const cut = path.length > MAX_STEPS ? [...path.slice(0, 4), undefined, ...path.slice(5 - MAX_STEPS)] : path
  const said = { no: color.green('leaking: no '), unknown: color.dim('leaking: ?  '), yes: color.red('leaking: yes') }
  return cut.map((step, i) => {
    if (!step) return `${INDENT}  ${color.dim('│             …')}`
    const { edge, node, times, leaking, reason, suspect, package: from } = step
    const reference = printable(edge, 80)
    const told = reference === '' ? '' : suspect ? `${color.red.underline(`~${reference}~`)} ` : `${reference} `
    const of = from === null || from === 'node' ? '' : color.dim(` (${printable(from)})`)
    const more = times > 1 ? ` ×${formatCount(times)}` : ''
    const why = reason === '' ? '' : color.dim(`  ${printable(reason)}`)
    const room = Math.max(30, width - 70)
    return `${INDENT}  ${i === cut.length - 1 ? '╰' : '├'} ${said[leaking]}  ${told}${printable(node.replace(/^module file:\/\//, 'module '), room)}${more}${of}${why}`
  })
}

function wrapped(text: string, width: number, paint: ChalkInstance): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length + 1 > Math.min(110, Math.max(40, width - INDENT.length))) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].map((each) => `${INDENT}${paint(each)}`)
}
