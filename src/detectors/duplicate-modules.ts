// `duplicate-modules`: the same module loaded again and again; no copy is ever unloaded.

import type { AnyNode } from 'acorn'
import { z } from 'zod'
import type { Culprit, ReadSource } from '../analysis/culprit.ts'
import { referencesOf } from '../graph/look.ts'
import { stringText } from '../graph/retaining-path.ts'
import { fileOfModule, isImportCache, isRequiredModule, isResolveCache } from '../node-internals/modules.ts'
import { EdgeType, NodeType } from '../snapshot/meta.ts'
import { sourcesOf } from '../source/app-modules.ts'
import { calledBy, findPart, namedBy, textIn } from '../source/calls.ts'
import { nodesIn } from '../source/syntax-tree.ts'
import { formatBytes, formatCount } from '../support/format.ts'
import type { Candidate, EvidenceBy, HeapDetector } from './detector.ts'
import * as field from './evidence-fields.ts'
import { findHolder } from './find-holder.ts'
import { type Called, callsIn, modulesOf, placed, placeOfCall, whereCalls } from './flows.ts'
import { shortPlace } from './functions.ts'
import { ownersOnWay, piledUp } from './piled-up.ts'

const evidence = () => [
  z.object({
    loader: z.enum(['import()', 'require()']).describe('what loads the copies'),
    module: field.nameOrNull(
      'URL or path of the module, without query and hash; null where each copy is a file of its own',
    ),
    copies: field.count('copies that came and are still there'),
    perSecond: field.perSecond('copies that come'),
    bytesEach: field.bytes('what each copy keeps alive'),
    examples: z.array(z.string()).describe('URLs or paths of some copies'),
  }),
]

export const duplicateModules: HeapDetector<EvidenceBy<typeof evidence>> = {
  name: 'duplicate-modules',
  patterns: ['duplicate-modules'],
  needs: 'heap',
  // Each copy of a module brings all that the module sets up, whatever that is; the copy is the cause.
  before: [
    ...['buffer-slab-retention', 'closure-retention', 'cross-thread-release', 'node-handles', 'node-listeners'],
    ...['outbound-buffer-pileup', 'promise-pileup', 'string-retention', 'task-queue-pileup', 'thread-growth'],
    ...['thread-pool-saturation', 'unbounded-timers', 'unknown-node-internals'],
  ],
  evidence,
  diagnose(candidate, { readSource }) {
    const { suspect } = candidate
    const copies = importedCopies(candidate) ?? requiredCopies(candidate)
    if (!copies || copies.share < MOSTLY) return undefined
    const { loader, module, examples } = copies
    const perCopy = loader === 'import()' ? keysPerModule(candidate) : 1
    const count = Math.round(suspect.count / perCopy)
    const perSecond = suspect.perSecond / perCopy
    const isData = module?.startsWith('data:') ?? false
    const name = isData ? 'a data: URL' : fileOf(module ?? '')
    const culprit = whereLoaded(candidate, loader, isData || module === null ? undefined : name, readSource)
    const bytesEach = Math.round(suspect.bytes / count)
    const at = culprit ? ` (${shortPlace(culprit)})` : ''
    const kept = `Node keeps each for ever (${formatBytes(bytesEach)})`
    return {
      title:
        module === null
          ? `${formatCount(count)} files more were loaded as modules, such as ${fileOf(examples[0]!)}, ${perSecond.toFixed(1)} more each second; none is ever unloaded`
          : `${name} was loaded ${formatCount(count)} times more, ${perSecond.toFixed(1)} more each second; no copy is ever unloaded`,
      culprit,
      evidence: {
        loader,
        module,
        copies: count,
        perSecond: Math.round(perSecond * 10) / 10,
        bytesEach,
        examples: [...examples],
      },
      advice:
        module === null
          ? `Load no files of ever new names by ${loader}${at}: ${kept}, whether the file still exists or not. Read data as data (JSON.parse(await readFile(…))), and run generated code by vm.Script under one name.`
          : isData
            ? `Import no data: URLs that differ each time${at}: each is a module of its own, and ${kept}. Run generated code by vm.Script or new Function, and read data as data.`
            : loader === 'import()'
              ? `Load ${name} once, or only when the file has changed: each import()${culprit ? ` at ${shortPlace(culprit)}` : ''} under another query is a module of its own, which Node keeps for ever (${formatBytes(bytesEach)} each). Read data as data (JSON.parse(await readFile(…))).`
              : `Do not require ${name} anew${culprit ? ` (${shortPlace(culprit)})` : ''} unless it has changed: taking it out of require.cache leaves it in its parent's module.children (${formatBytes(bytesEach)} each). Read data as data, or take the old copy out of module.children too.`,
      covers: (other) => isOfLoader(other) || isOfPaths(other),
    }
  },
}

interface Copies {
  readonly loader: 'import()' | 'require()'
  /** The module without query and hash; null where each is a file of its own. */
  readonly module: string | null
  /** The part of what came that is copies, from 0 to 1. */
  readonly share: number
  /** URLs or paths of some copies. */
  readonly examples: readonly string[]
}

/** This part of what came must be copies of a few modules. */
const MOSTLY = 0.6
/** Fewer copies of one module are a reload or two. */
const LEAST_COPIES = 3
/** Fewer files that are loaded once each are a program that is still starting. */
const LEAST_FILES = 20

const isOfLoader = (candidate: Candidate): boolean =>
  ownersOnWay(candidate).some((node) => isImportCache(candidate.of.graph, node))

/** Whether a candidate is about the paths of modules, which Node keeps beside the modules. */
const isOfPaths = ({ of, suspect, way }: Candidate): boolean =>
  findHolder({ graph: of.graph, suspect, way, classes: [] }, () => false)?.row.id === 'module-paths'

const fileOf = (url: string): string => url.replace(/^.*[\\/]/, '')

/** Copies in the ES module loader's map: URLs that differ in their query only. */
function importedCopies(candidate: Candidate): Copies | undefined {
  const { graph } = candidate.of
  const cache = ownersOnWay(candidate).find((node) => isImportCache(graph, node))
  if (cache === undefined || isResolveCache(graph, cache)) return undefined
  const urls = newKeys(candidate, cache)
  return copiesAmong('import()', urls)
}

/** New keys of a Map, or of an object that is used as one. */
function newKeys({ suspect, of: { graph } }: Candidate, map: number): string[] {
  const reached = new Set(suspect.reached)
  const { nodeType } = graph.snapshot
  const keys = new Set<string>()
  for (const { name, type, target } of referencesOf(graph, map, 200_000)) {
    if (!reached.has(target)) continue
    const isText = nodeType[target] === NodeType.string || nodeType[target] === NodeType.consString
    const key = isText ? stringText(graph, target) : type === EdgeType.property ? name : undefined
    if (key !== undefined && /^[a-z][\w+.-]*:/i.test(key)) keys.add(key)
  }
  return [...keys]
}

/** Each new module has its URL as a key in the cache, which is counted as well. */
function keysPerModule(candidate: Candidate): number {
  const { graph } = candidate.of
  const cache = ownersOnWay(candidate).find((node) => isImportCache(graph, node))!
  const keys = newKeys(candidate, cache).length
  return Math.max(1, candidate.suspect.count / Math.max(1, keys))
}

/** CommonJS modules of one file, which their parent module, or a cache of the program, keeps. */
function requiredCopies(candidate: Candidate): Copies | undefined {
  const { graph } = candidate.of
  const modules = piledUp(candidate).filter((node) => isRequiredModule(graph, node))
  const files = modules.map((node) => fileOfModule(graph, node)).filter((file) => file !== undefined)
  if (files.length < LEAST_COPIES) return undefined
  return copiesAmong(
    'require()',
    files.map((file) => stringText(graph, file)),
  )
}

function copiesAmong(loader: Copies['loader'], names: readonly string[]): Copies | undefined {
  const groups = new Map<string, string[]>()
  for (const name of names) {
    const base = name.startsWith('data:') ? 'data:' : name.replace(/[?#].*$/s, '')
    const group = groups.get(base)
    if (group) group.push(name)
    else groups.set(base, [name])
  }
  const repeated = [...groups]
    .filter(([, { length }]) => length >= LEAST_COPIES)
    .sort((a, b) => b[1].length - a[1].length)
  const most = repeated[0]
  if (!most) {
    const few = names.slice(0, 3).map((name) => name.slice(0, 200))
    return names.length < LEAST_FILES ? undefined : { loader, module: null, share: 1, examples: few }
  }
  const copies = repeated.reduce((sum, [, { length }]) => sum + length, 0)
  const examples = [...new Set(most[1])].slice(0, 3).map((name) => name.slice(0, 200))
  return { loader, module: most[0], share: copies / names.length, examples }
}

/** The statement that loads it: the second `require` of a file, behind where it is taken out of the cache. */
function whereLoaded(
  candidate: Candidate,
  loader: Copies['loader'],
  name: string | undefined,
  readSource: ReadSource,
): Culprit | undefined {
  const sources = sourcesOf(readSource)
  const urls = modulesOf(candidate)
  const loads = (call: Called): boolean => call.name === (loader === 'import()' ? 'import' : 'require')
  // A module that is always loaded under one name is there once: the name must be made up as the program runs.
  const varies = (call: Called): boolean => loads(call) && !/^[^?#]*$/.test(textIn(specifierOf(call)) ?? '?')
  if (name === undefined) return whereCalls(sources, urls, varies)
  if (loader === 'import()') {
    const hasQuery = (call: Called) => writes(call, '?') || writes(call, '#')
    return whereCalls(
      sources,
      urls,
      (call) => varies(call) && writes(call, name),
      (call) => varies(call) && hasQuery(call),
      varies,
    )
  }
  const stem = name.replace(/\.[^.]*$/, '')
  const isLoad = (call: Called): boolean => /^require$|fresh|uncached|reload/i.test(call.name) && writes(call, stem)
  for (const url of urls) {
    const tree = sources.tree(url)
    const forgets = tree && [...nodesIn(tree.program)].find(isForgetting)
    if (!forgets) continue
    const after = callsIn(sources, url).filter(({ node }) => node !== undefined && node.start > forgets.end)
    const load = after.find(isLoad) ?? after.find(loads)
    return load ? placeOfCall(sources, url, load) : placed(sources, tree, forgets)
  }
  return whereCalls(sources, urls, isLoad)
}

const specifierOf = ({ node }: Called): AnyNode | undefined =>
  node?.type === 'ImportExpression' ? node.source : node?.arguments[0]

/** Whether a text is in the strings that make up the name of what is loaded. */
function writes(call: Called, text: string): boolean {
  const [specifier, tree] = [specifierOf(call), call.tree]
  const isIn = ({ type, start, end }: AnyNode): boolean =>
    (type === 'Literal' || type === 'TemplateLiteral') && tree!.source.slice(start, end).includes(text)
  return specifier !== undefined && findPart(tree!, specifier, isIn) !== undefined
}

/** `delete require.cache[…]` */
function isForgetting(node: AnyNode): boolean {
  if (node.type === 'CallExpression') return /^(decache|clearModule)$/.test(calledBy(node).name)
  return (
    node.type === 'UnaryExpression' &&
    node.operator === 'delete' &&
    node.argument.type === 'MemberExpression' &&
    namedBy(node.argument).names.slice(-3, -1).join('.') === 'require.cache'
  )
}
