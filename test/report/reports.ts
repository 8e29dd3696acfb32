// Reports for tests of the formats: one finding with all that a hostile heap may put into it.

import { Chalk } from 'chalk'
import { emptyReport } from '../../src/commands/common/report.ts'
import type { ReportCheck } from '../../src/findings/check.ts'
import { type Report, type ReportFinding, ReportSchema } from '../../src/findings/report.ts'
import type { FormatOptions } from '../../src/report/formats.ts'

export const EVIL = `<b a="x">&amp; | \`**@you** %0A::error::,\r\n]]>\u0000\u001b[31m\ud800${'🙂'}`

export const FINDING: ReportFinding = {
  pattern: 'growing-collection',
  fingerprint: '0123456789abcdef',
  severity: 'error',
  confidence: 0.9,
  grounds: [{ kind: 'steady', effect: 'start', weight: 0.9, sentence: 'it grew' }],
  reason: 'it gained at a steady rate',
  title: 'sessions gained 1,204 Session, 40.1 more each second',
  isolate: 'main',
  growth: {
    count: 1204,
    shallowBytes: 9632,
    retainedBytes: 120_400,
    perSecond: 40.1,
    bytesPerSecond: 4010,
    holders: 1,
  },
  culprit: {
    function: 'open',
    url: 'file:///srv/app/src/a%20b/chat.mjs',
    line: 42,
    column: 7,
    package: null,
    basis: 'retainer',
  },
  codeFrame: [
    { line: 41, text: 'function open(id) {' },
    { line: 42, text: '  sessions.set(id, new Session())' },
  ],
  retainingPath: [
    {
      ...{ edge: '', node: 'module file:///srv/app/src/a%20b/chat.mjs', nodeId: 1, times: 1, package: null },
      reference: { kind: 'start', name: null },
      thing: { kind: 'module', name: 'file:///srv/app/src/a%20b/chat.mjs', length: null, collection: null },
      ...{ leaking: 'no', reason: '', suspect: false },
    },
    {
      edge: '.sessions',
      node: 'Map',
      reference: { kind: 'property', name: 'sessions' },
      thing: { kind: 'object', name: 'Map', length: null, collection: null },
      nodeId: 3,
      times: 1,
      leaking: 'yes',
      reason: 'it came',
      suspect: true,
      package: null,
    },
  ],
  evidence: {},
  explains: [],
  advice: 'Take out of it what is done with.',
}

/** Everywhere where text from a heap may stand. */
export const EVIL_FINDING: ReportFinding = {
  ...FINDING,
  fingerprint: 'fedcba9876543210',
  pattern: 'unheard-of',
  severity: 'note',
  title: EVIL,
  reason: EVIL,
  advice: EVIL,
  culprit: {
    function: EVIL,
    url: `/elsewhere/${EVIL.replace(/[\0\r\n]/g, '')}.js`,
    line: 1,
    column: 1,
    package: EVIL,
    basis: 'callback',
  },
  codeFrame: [{ line: 1, text: EVIL }],
  retainingPath: [
    {
      ...{
        edge: EVIL,
        node: EVIL,
        nodeId: 1,
        times: 2,
        leaking: 'unknown',
        reason: EVIL,
        suspect: true,
        package: EVIL,
      },
      reference: { kind: 'property', name: EVIL },
      thing: { kind: 'object', name: EVIL, length: null, collection: null },
    },
  ],
}

/** A finding of which nobody knows a line. */
export const NOWHERE: ReportFinding = {
  ...FINDING,
  fingerprint: '00000000000000ff',
  culprit: null,
  codeFrame: [],
  severity: 'warning',
}

const reading = {
  ...{
    durationMs: 1000,
    externalBytes: 2e6,
    workersBytes: 0,
    arrayBuffersBytes: 1e4,
    rssBytes: 5e7,
    handles: 3,
    threads: 11,
    files: 20,
  },
}

export const CHECK: ReportCheck = {
  verdict: 'growing',
  outcome: 'failed',
  reason: 'The heap grew in each of 2 rounds.',
  unit: 'iteration',
  budget: '1 KB each iteration',
  warmupRounds: 2,
  durationMs: 9000,
  rounds: [
    { round: 0, work: 0, workSoFar: 0, heapUsedBytes: 5e6, ...reading },
    { round: 1, work: 100, workSoFar: 100, heapUsedBytes: 5.2e6, ...reading },
  ],
  measures: [
    {
      ...{ measure: 'heap', verdict: 'growing', reason: 'it grew in each round' },
      ...{ perUnit: 2000, lower: 1900, upper: 2100, confidence: 0.95, budgetPerUnit: 1000 },
    },
  ],
}

export function reportWith(more: Partial<Report>): Report {
  return ReportSchema.parse({
    ...emptyReport('check'),
    snapshots: ['a', 'b', 'c'].map((file, i) => ({
      ...{ file: `${file}.heapsnapshot`, isolate: 'main', takenAt: new Date(1000 * i).toISOString() },
      ...{ fileBytes: 10, nodeCount: 1, edgeCount: 1, totalShallowBytes: 100 },
    })),
    explained: { bytes: 90, growthBytes: 100 },
    ...more,
  })
}

export const OPTIONS: FormatOptions = {
  color: new Chalk({ level: 0 }),
  width: 120,
  limit: 10,
  root: '/srv/app',
  rules: [{ id: 'growing-collection', summary: 'a collection that gains', help: '# growing-collection\n\nIt gains.' }],
  fails: ({ severity, status }) => severity !== 'note' && (status ?? 'new') === 'new',
}
