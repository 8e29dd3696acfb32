// Advice about a leak that a package adds or holds: a public call that ends it, or an option that bounds it; never to change
// what is inside of the package.

import type { AnyNode } from 'acorn'
import type { Culprit, ReadSource } from '../analysis/culprit.ts'
import type { ReportKnownIssue } from '../findings/report.ts'
import { isObject } from '../graph/look.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { namedBy } from '../source/calls.ts'
import { nameOfMember } from '../source/expressions.ts'
import { nodesIn } from '../source/syntax-tree.ts'
import { nameWithVersion } from '../support/packages.ts'
import type { Candidate, InPackages } from './detector.ts'
import { shortPlace } from './functions.ts'
import type { PackageBehind } from './packages.ts'
import { ENDS, madeAt, methodsOf } from './public-methods.ts'
import { withArticle } from './surroundings.ts'

/** Methods by which an object lets go of what it holds. */
const TAKES_OUT =
  /^(clear|remove|delete|del|reset|unregister|unsubscribe|evict|prune|purge|flush|invalidate|release|leave|off)([A-Z]\w*)?$/
/** Options of libraries that say how much, or for how long, something is kept. */
const BOUND =
  /^(max|maxSize|maxEntries|maxItems|maxKeys|maxLength|maxQueue|maxQueueSize|maxPending|ttl|stdTTL|maxAge|capacity|cacheSize|cacheMaxSize|cacheLimit)$/
const OPTIONS = /^(options|opts|config|settings)$/
const MOST_NAMED = 3

export interface Circumstances {
  /** The culprit as it is shown, and the program's line as it ran. */
  readonly culprit: { readonly shown: Culprit | null; readonly asRan: Culprit | undefined }
  readonly readSource: ReadSource
  /** Whether a newer version is known to be without the leak. */
  readonly isFixed: boolean
}

/** @returns undefined where the detector's own advice is as good */
export function packageAdvice(
  candidate: Candidate,
  about: InPackages,
  behind: PackageBehind,
  known: Circumstances,
): string | undefined {
  if (behind.role === 'adds') return ofAdder(candidate, about, behind, known)
  return about.isTakenOut ? ofHolder(candidate, behind, known.readSource) : undefined
}

function ofAdder(
  candidate: Candidate,
  { adds, instead }: InPackages,
  { installed, step, via }: PackageBehind,
  { culprit: { shown, asRan }, readSource, isFixed }: Circumstances,
): string {
  const by = nameWithVersion(installed)
  const inside = step.function === null ? `at ${shortPlace(step.place)}` : `in ${step.function}`
  const called = shown?.package === null ? `, each time that ${plainPlace(shown)} is run` : ''
  const [what, it] = adds ? [adds(via.given), 'it'] : ['adds them', 'them']
  const first = `${by} ${what} ${inside}${called}, and does not take ${it} away when the work is done.`
  const made = madeAt(candidate.of.graph, asRan ?? null, readSource)
  if (made) {
    const end = made.end === undefined ? '' : `call ${made.end}() on each ${made.name} when it is done with, or `
    return `${first} ${sentence(`${end}make one ${made.name} and use it for all`)}.`
  }
  const until = isFixed ? 'Until then ' : ''
  const better = via.given === undefined ? undefined : instead?.(via.given, candidate)
  if (better !== undefined) {
    return `${first} ${sentence(`${until}${better}`)}${isFixed ? '' : `; or look for a newer ${installed.name}`}.`
  }
  const less = 'do it less often, or for what lives no longer than the work'
  return isFixed
    ? `${first} ${until}${less}.`
    : `${first} Look for a newer ${installed.name}, or tell its authors; until then ${less}.`
}

/** `leaky.mjs:14` of a place that is in the source already. */
const plainPlace = ({ url, line }: Culprit): string =>
  `${url.replace(/[?#].*$/s, '').replace(/^.*[\\/]/s, '')}${line > 0 ? `:${line}` : ''}`

function ofHolder(candidate: Candidate, { installed, step }: PackageBehind, readSource: ReadSource): string {
  const { of, path, name, suspect } = candidate
  const { graph } = of
  const by = nameWithVersion(installed)
  const holder = path.find(
    ({ ordinal }) => isObject(graph, ordinal) && graph.sourceLocation(ordinal)?.url === step.place.url,
  )
  const things = isObject(graph, suspect.sample) ? methodsOf(graph, suspect.sample) : new Set()
  const end = ENDS.find((each) => things.has(each))
  const methods = holder ? [...methodsOf(graph, holder.ordinal)].filter((each) => TAKES_OUT.test(each)) : []
  const bounds = boundsIn(readSource, step.place)
  const inside = step.function === null ? '' : `, in ${withArticle(step.function)}`
  const first = `${by} holds them (${name})${inside}.`
  const options = [
    ...(end === undefined ? [] : [`call ${end}() on each ${suspect.className} when it is done with`]),
    ...(methods.length > 0 ? [`call ${listed(methods, '()')} for what is done with`] : []),
    ...(bounds.length > 0 ? [`bound it by its options (${listed(bounds, '')})`] : []),
    'make one for as long as the work lasts, and drop it as a whole',
  ]
  return `${first} ${sentence(options.join(', or '))}.`
}

const listed = (names: readonly string[], end: string): string =>
  names
    .slice(0, MOST_NAMED)
    .map((each) => `${each}${end}`)
    .join(', ')

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** Lines of a class in which its options are looked for. */
const MOST_LINES = 400

/** Options of a package's class that bound it, by the names that its source reads. */
function boundsIn(readSource: ReadSource, { url, line }: { url: string; line: number }): string[] {
  const sources = sourcesOf(readSource)
  const [tree, outline] = [sources.tree(url), sources.outline(url)]
  if (!tree || !outline) return []
  const [from, to = tree.source.length] = [outline.lines[line - 1] ?? 0, outline.lines[line - 1 + MOST_LINES]]
  const isOptions = (node: AnyNode | null | undefined): boolean =>
    OPTIONS.test((node && namedBy(node).names.at(-1)) ?? '')
  const named = [...nodesIn(tree.program)].flatMap((node): (string | undefined)[] => {
    if (node.start < from || node.start >= to) return []
    // `options.max`, and `const { max } = options`
    if (node.type === 'MemberExpression') return isOptions(node.object) ? [nameOfMember(node)] : []
    if (node.type !== 'VariableDeclarator' || node.id.type !== 'ObjectPattern' || !isOptions(node.init)) return []
    return node.id.properties.map((each) =>
      each.type === 'Property' && each.key.type === 'Identifier' ? each.key.name : undefined,
    )
  })
  return [...new Set(named.filter((name) => name !== undefined && BOUND.test(name)))] as string[]
}

/** What is said of a published leak, in front of all other advice. */
export function knownIssueAdvice(issue: ReportKnownIssue, version: string, instead: string | undefined): string {
  const { id, title, fixedIn, package: name } = issue
  const is = `This is ${id} (${title})`
  const said = name === 'node' ? 'Node' : name
  const cure =
    fixedIn === null
      ? ', of which no fixed version is known.'
      : `, fixed in ${said} ${fixedIn}: upgrade, ${version.replace(/^v/, '')} runs.`
  return `${is}${cure}${instead === undefined ? '' : ` ${instead}`}`
}
