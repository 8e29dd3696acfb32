// The Report as SARIF 2.1.0, which code hosts show beside the lines: https://docs.oasis-open.org/sarif/sarif/v2.1.0/.

import { isAbsolute, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Report, ReportFinding } from '../findings/report.ts'
import { CHECK_LEVELS, checkText } from './check-text.ts'
import type { FormatOptions, Rule } from './formats.ts'
import { packageLine } from './package-line.ts'
import { type Place, placeOf } from './places.ts'

const SCHEMA = 'https://json.schemastore.org/sarif-2.1.0.json'
const ROOT = '%SRCROOT%'

export function reportSarif(report: Report, options: FormatOptions): string {
  const { findings, tool, check } = report
  const rules = rulesFor(findings, options.rules)
  const log = {
    $schema: SCHEMA,
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: tool.name,
            version: tool.version,
            semanticVersion: tool.version,
            rules: rules.map(({ id, summary, help }) => ({
              id,
              shortDescription: { text: summary },
              fullDescription: { text: summary },
              help: { text: help, markdown: help },
              properties: { tags: ['memory-leak'] },
            })),
          },
        },
        originalUriBaseIds: { [ROOT]: { uri: `${pathToFileURL(options.root).href.replace(/\/$/, '')}/` } },
        invocations: [
          {
            executionSuccessful: true,
            ...(check && { toolExecutionNotifications: [checkNotification(check)] }),
          },
        ],
        columnKind: 'utf16CodeUnits',
        results: findings.map((finding) => resultOf(finding, report, rules, options)),
      },
    ],
  }
  return JSON.stringify(log, null, 2)
}

function rulesFor(findings: readonly ReportFinding[], known: readonly Rule[]): Rule[] {
  const ids = new Set(known.map(({ id }) => id))
  const others = new Set(findings.map(({ pattern }) => pattern).filter((id) => !ids.has(id)))
  return [...known, ...[...others].map((id) => ({ id, summary: id, help: `leakscope explain ${id}` }))]
}

function checkNotification(check: NonNullable<Report['check']>) {
  const { headline, details } = checkText(check)
  return { level: CHECK_LEVELS[check.outcome], message: { text: [headline, ...details].join('\n') } }
}

const BASELINE_STATE = { new: 'new', known: 'unchanged', suppressed: 'unchanged' } as const

function resultOf(finding: ReportFinding, report: Report, rules: readonly Rule[], { root }: FormatOptions) {
  const { pattern, severity, title, advice, fingerprint, status, isolate, growth, confidence, reason } = finding
  const { package: behind, knownIssue } = finding
  return {
    ruleId: pattern,
    ruleIndex: rules.findIndex(({ id }) => id === pattern),
    level: severity,
    message: { text: `${title}. ${advice}` },
    locations: [{ physicalLocation: whereOf(finding, report, root) }],
    ...(behind && {
      relatedLocations: [
        {
          message: { text: packageLine(finding) },
          physicalLocation: {
            artifactLocation: artifact(placeOf(behind.file, root)),
            region: { startLine: Math.max(1, behind.line) },
          },
        },
      ],
    }),
    partialFingerprints: { 'leakscope/v1': fingerprint },
    ...(status && { baselineState: BASELINE_STATE[status] }),
    ...(status === 'suppressed' && { suppressions: [{ kind: 'external', status: 'accepted' }] }),
    properties: {
      confidence,
      reason,
      isolate,
      ...growth,
      ...(behind && { package: behind }),
      ...(knownIssue && { knownIssue }),
      retainingPath: finding.retainingPath.map(({ edge, node, leaking }) => ({ edge, node, leaking })),
    },
  }
}

/** Hosts want a place for each result: where no line is known, the module that holds it, else the file it was found in. */
function whereOf({ culprit, codeFrame, retainingPath }: ReportFinding, { snapshots }: Report, root: string) {
  if (culprit) {
    const { url, line, column } = culprit
    const [first, last] = [codeFrame[0], codeFrame.at(-1)]
    return {
      artifactLocation: artifact(placeOf(url, root)),
      ...(line > 0 && { region: { startLine: line, startColumn: Math.max(1, column) } }),
      ...(first &&
        last &&
        line > 0 && {
          contextRegion: {
            startLine: first.line,
            endLine: last.line,
            snippet: { text: codeFrame.map(({ text }) => text).join('\n') },
          },
        }),
    }
  }
  const module = retainingPath.map(({ node }) => /^module (.+)$/.exec(node)?.[1]).findLast((url) => url !== undefined)
  const file = snapshots.at(-1)?.file ?? '.'
  const place = module === undefined ? placeOf(isAbsolute(file) ? file : resolve(file), root) : placeOf(module, root)
  return { artifactLocation: artifact(place) }
}

const artifact = ({ uri, belowRoot }: Place) => (belowRoot ? { uri, uriBaseId: ROOT } : { uri })
