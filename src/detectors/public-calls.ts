// The statement that calls a public function of Node which keeps or opens something.

import { type Culprit, packageOf } from '../analysis/culprit.ts'
import type { SourceLocation } from '../graph/locations.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { isOwn } from '../source/origins.ts'
import type { Candidate, Captures } from './detector.ts'
import { findCall, findPackagesCall, modulesWith } from './find-call.ts'
import { functionsFrom } from './functions.ts'

/**
 * The program's statement, or else one of a package.
 * @param calls as `find-call.ts` reads them, the likeliest first
 */
export function whereCalled(
  candidate: Candidate,
  calls: readonly string[],
  { readSource }: Captures,
): Culprit | undefined {
  if (calls.length === 0) return undefined
  const { graph, allocations } = candidate.of
  const sources = sourcesOf(readSource)
  const wanted = { calls, near: functionsFrom(candidate, [candidate.suspect.sample]), allocations }
  const scripts = new Set([...graph.moduleScopes.values(), ...graph.scriptUrls.values()])
  const own = findCall(sources.modules(scripts), wanted)
  if (own) return asCulprit(own)
  const packages = [...scripts].filter((url) => !isOwn(url) && packageOf(url) !== null)
  const theirs = findPackagesCall(modulesWith(sources, packages, readSource, wanted), wanted)
  return theirs && asCulprit(theirs)
}

const asCulprit = (at: SourceLocation): Culprit => ({
  ...{ function: null, ...at, package: packageOf(at.url), basis: 'retainer' },
})
