// What a finding says of the package behind it, and of the published leak that it is.

import type { Culprit } from '../analysis/culprit.ts'
import type { ReportFinding } from '../findings/report.ts'
import { nodeName } from '../graph/look.ts'
import { labelOfStep, type PathStep } from '../graph/retaining-path.ts'
import { findKnownLeak, fixedIn, type Seen, type SeenPackage, urlOf } from '../known-leaks/match.ts'
import { fileIn, packageAt } from '../support/packages.ts'
import type { Candidate, Captures, InPackages } from './detector.ts'
import { knownIssueAdvice, packageAdvice } from './package-advice.ts'
import type { PackageBehind } from './packages.ts'
import { countClasses } from './surroundings.ts'

/** The fields of a finding that depend on the package. */
export type PackagePart = Pick<ReportFinding, 'package' | 'knownIssue' | 'advice'>

export interface Reported {
  readonly candidate: Candidate
  /** The shown path, with the names of the script that ran. */
  readonly path: readonly PathStep[]
  readonly about: InPackages
  readonly behind: PackageBehind | undefined
  readonly captures: Captures
  /** Puts the names and places of the source into a text. */
  readonly say: (text: string) => string
}

/** @param culprit as it is shown, and the program's line as it ran */
export function packagePart(
  { pattern, advice }: Pick<ReportFinding, 'pattern' | 'advice'>,
  { candidate, path, about, behind, captures, say }: Reported,
  culprit: { readonly shown: Culprit | null; readonly asRan: Culprit | undefined },
): PackagePart {
  const seen = seenOf(candidate, pattern, path, behind, captures)
  const leak = findKnownLeak(seen)
  const isFixed = leak !== undefined && leak.fixedIn.length > 0
  const known = { culprit, readSource: captures.readSource, isFixed }
  const own = say((behind && packageAdvice(candidate, about, behind, known)) ?? advice)
  const part: PackagePart = { ...(behind && { package: packageOfFinding(behind) }), advice: own }
  if (!leak) return part
  const { id, title } = leak
  const knownIssue = { id, url: urlOf(leak), title, package: leak.package, fixedIn: fixedIn(leak) }
  const { version } = seen.packages.find(({ name }) => name === leak.package)!
  return { ...part, knownIssue, advice: `${knownIssueAdvice(knownIssue, version, leak.instead)} ${own}` }
}

const packageOfFinding = ({ role, installed, step }: PackageBehind): NonNullable<ReportFinding['package']> => ({
  ...{ name: installed.name, version: installed.version, role },
  ...{ file: step.place.url, line: step.place.line, function: step.function },
})

/** What published leaks are recognised by. */
export function seenOf(
  candidate: Candidate,
  pattern: string,
  path: readonly PathStep[],
  behind: PackageBehind | undefined,
  { readSource, nodeVersion }: Captures,
): Seen {
  const { graph } = candidate.of
  const packages = new Map<string, { name: string; version: string; files: Set<string>; functions: Set<string> }>()
  const add = (url: string | undefined, functions: readonly string[] = []): void => {
    const installed = url === undefined ? undefined : packageAt(readSource, url)
    if (url === undefined || installed?.version == null) return
    const { name, version } = installed
    const known = packages.get(installed.folder) ?? { name, version, files: new Set(), functions: new Set() }
    known.files.add(fileIn(installed, url))
    for (const each of functions) known.functions.add(each)
    packages.set(installed.folder, known)
  }
  if (behind) add(behind.step.place.url, behind.step.callers)
  for (const { ordinal } of path) add(graph.moduleScopes.get(ordinal) ?? graph.sourceLocation(ordinal)?.url)
  const classes = countClasses(candidate)
  for (const { one } of classes.slice(0, MOST_CLASSES)) add(graph.sourceLocation(one)?.url)
  const node: SeenPackage[] =
    nodeVersion === undefined ? [] : [{ name: 'node', version: nodeVersion, files: [], functions: [] }]
  return {
    pattern,
    path: path
      .flatMap((step) => [
        plainName(labelOfStep(step) ?? ''),
        graph.moduleScopes.get(step.ordinal) ?? nodeName(graph, step.ordinal),
      ])
      .filter((name) => name !== ''),
    classes: new Set([candidate.suspect.className, ...classes.map(({ name }) => name)]),
    packages: [
      ...[...packages.values()].map(({ files, functions, ...rest }) => ({
        ...{ ...rest, files: [...files], functions: [...functions] },
      })),
      ...node,
    ],
  }
}

/** Classes of what came whose packages are looked up. */
const MOST_CLASSES = 30

/** `kEvents` of `Symbol(kEvents)`. */
const plainName = (name: string): string => name.replace(/^Symbol\((.*)\)$/, '$1')
