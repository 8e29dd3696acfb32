// The Report as JUnit XML, the dialect that CI servers share: each finding is a test that fails, or was skipped.

import type { Report, ReportFinding } from '../findings/report.ts'
import { formatBytes } from '../support/format.ts'
import { checkText } from './check-text.ts'
import type { FormatOptions } from './formats.ts'
import { packageLine } from './package-line.ts'
import { placeOf, positionText } from './places.ts'
import { verdictOf } from './verdict.ts'

interface Case {
  readonly suite: string
  readonly name: string
  readonly file: string | undefined
  readonly outcome: 'passed' | 'failure' | 'skipped'
  readonly message: string
  readonly text: string
}

export function reportJunit(report: Report, options: FormatOptions): string {
  const cases = [...checkCases(report), ...findingCases(report, options)]
  const seconds = ((report.check?.durationMs ?? report.growth?.elapsedMs ?? 0) / 1000).toFixed(3)
  const count = (outcome: Case['outcome']) => cases.filter((it) => it.outcome === outcome).length
  const counts = `tests="${cases.length}" failures="${count('failure')}" errors="0" skipped="${count('skipped')}" time="${seconds}"`
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="leakscope" ${counts}>`,
    `  <testsuite name="leakscope ${xml(report.command)}" ${counts}>`,
    ...cases.map(caseText),
    '  </testsuite>',
    '</testsuites>',
  ].join('\n')
}

function checkCases({ check }: Report): Case[] {
  if (!check) return []
  const { headline, details } = checkText(check)
  const outcome = { passed: 'passed', failed: 'failure', undecided: 'skipped' } as const
  return [
    {
      suite: 'leakscope.check',
      name: 'memory does not grow with the work',
      file: undefined,
      outcome: outcome[check.outcome],
      message: headline,
      text: details.join('\n'),
    },
  ]
}

function findingCases(report: Report, { root, fails }: FormatOptions): Case[] {
  const verdict = verdictOf(report)
  if (verdict?.good) {
    const name = 'no leak pattern is found'
    return [{ suite: 'leakscope', name, file: undefined, outcome: 'passed', message: '', text: '' }]
  }
  return report.findings.map((finding) => ({
    suite: `leakscope.${finding.pattern}`,
    // Servers tell tests of two runs apart by their names: numbers change.
    name: `${finding.fingerprint} ${finding.title.replace(/\d[\d,.]*/g, '#')}`,
    file: finding.culprit ? placeOf(finding.culprit.url, root).path : undefined,
    outcome: fails(finding) ? 'failure' : 'skipped',
    message: finding.title,
    text: findingText(finding, root),
  }))
}

function findingText(finding: ReportFinding, root: string): string {
  const { severity, confidence, status, reason, culprit, growth, retainingPath, advice } = finding
  const behind = packageLine(finding)
  return [
    `${severity}, ${Math.round(100 * confidence)} % sure${status === undefined ? '' : `, ${status}`}: ${reason}`,
    ...(growth.retainedBytes === 0 ? [] : [`holds ${formatBytes(growth.retainedBytes)}`]),
    ...(culprit ? [`at ${placeOf(culprit.url, root).path}${positionText(culprit)}`] : []),
    ...(behind ? [behind] : []),
    ...retainingPath.map(({ edge, node, leaking }) => `  leaking ${leaking}: ${edge === '' ? '' : `${edge} `}${node}`),
    advice,
  ].join('\n')
}

function caseText({ suite, name, file, outcome, message, text }: Case): string {
  const where = file === undefined ? '' : ` file="${xml(file)}"`
  const head = `    <testcase classname="${xml(suite)}" name="${xml(name)}"${where} time="0"`
  if (outcome === 'passed')
    return text === '' ? `${head}/>` : `${head}>\n      <system-out>${xml(text)}</system-out>\n    </testcase>`
  const type = outcome === 'failure' ? ` type="${xml(suite)}"` : ''
  return outcome === 'failure'
    ? `${head}>\n      <failure message="${xml(message)}"${type}>${xml(text)}</failure>\n    </testcase>`
    : `${head}>\n      <skipped message="${xml(message)}"/>\n      <system-out>${xml(text)}</system-out>\n    </testcase>`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/** What XML 1.0 has no way to write (https://www.w3.org/TR/xml/#charsets) becomes the sign for that; half a surrogate pair too. */
function xml(text: string): string {
  return text
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd')
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!)
    .replace(/\r/g, '&#13;')
}
