// What `top` shows, worked out from one profile, or from what is left of it when another is taken off.

import { LeakscopeError } from '../../errors.ts'
import type { CallTree, SampleType } from '../../profile/call-tree.ts'
import { type Grouped, type Grouping, group } from '../../profile/group.ts'
import type { ReadProfile } from '../../profile/read.ts'
import { type Row, tableOf } from '../../profile/table.ts'
import { restrict, sampleTypeIndex, type Weighed, weigh } from '../../profile/weigh.ts'
import { readLocalSource } from '../../support/sources.ts'

export interface TopOptions {
  readonly base?: string
  readonly cum?: true
  readonly focus?: RegExp
  readonly ignore?: RegExp
  readonly by: Grouping
  readonly limit?: number
  readonly sample?: string
  readonly peek?: string
  readonly list?: string
  readonly output?: string
  readonly flame?: string
  readonly force?: true
  readonly sourceMaps: boolean
  readonly json?: true
  readonly quiet?: true
}

export interface TopView {
  readonly profile: ReadProfile
  readonly base: { readonly profile: ReadProfile; readonly weighed: Weighed } | undefined
  /** The profile's calls; with a base, those of both. */
  readonly tree: CallTree
  readonly sampleType: SampleType
  readonly by: TopOptions['by']
  readonly focused: boolean
  /** What counts; with a base, the differences. Its total is what shares are of: the larger of the two. */
  readonly weighed: Weighed
  /** What the profile itself has, whatever is taken off. */
  readonly own: Weighed
  /** By sample type, by node: all there is of the stacks that are asked for, to write it to a file. */
  readonly columns: () => { readonly current: Float64Array[]; readonly base: Float64Array[] | undefined }
  readonly typeIndex: number
  readonly grouped: Grouped
  readonly rows: readonly Row[]
  readonly readSource: (url: string) => string | undefined
}

export async function viewOf(
  profile: ReadProfile,
  baseProfile: ReadProfile | undefined,
  options: Pick<TopOptions, 'by' | 'cum' | 'focus' | 'ignore' | 'sample' | 'sourceMaps'>,
): Promise<TopView> {
  let current = profile.tree
  let before = baseProfile?.tree
  let readSource: TopView['readSource'] = readLocalSource
  if (options.sourceMaps) {
    const [{ toOriginal }, { localMaps }] = await Promise.all([
      import('../../profile/original.ts'),
      import('../../support/source-maps.ts'),
    ])
    const mapped = toOriginal(current)
    const mappedBase = before && toOriginal(before)
    current = mapped.tree
    before = mappedBase?.tree
    readSource = (url) => {
      const script = mapped.scripts.get(url) ?? mappedBase?.scripts.get(url)
      return readLocalSource(url) ?? (script === undefined ? undefined : localMaps.content(script, url))
    }
  }
  const typeIndex = sampleTypeIndex(profile.file, current, options.sample)
  const sampleType = current.sampleTypes[typeIndex]!
  const shared = { profile, sampleType, typeIndex, by: options.by, readSource }
  const focused = options.focus !== undefined || options.ignore !== undefined
  const rowsOf = (tree: CallTree, weighed: Weighed): Pick<TopView, 'grouped' | 'rows'> => {
    const grouped = group(tree, options.by)
    return { grouped, rows: tableOf(tree, weighed, grouped, options.cum ?? false) }
  }
  const restricted = (tree: CallTree, columns: readonly Float64Array[]): Float64Array[] =>
    columns.map((column) => restrict(tree, column, options))

  if (!baseProfile || !before) {
    const weighed = weigh(current, current.self[typeIndex]!, options)
    const columns = () => ({ current: restricted(current, current.self), base: undefined })
    return {
      ...shared,
      focused,
      base: undefined,
      tree: current,
      weighed,
      own: weighed,
      columns,
      ...rowsOf(current, weighed),
    }
  }

  if (!before.sampleTypes.some(({ name, unit }) => name === sampleType.name && unit === sampleType.unit)) {
    const names = before.sampleTypes.map(({ name, unit }) => `${name} (${unit})`).join(', ')
    throw new LeakscopeError(
      'profile-mismatch',
      `${baseProfile.file} cannot be taken off ${profile.file}: it has ${names}, not ${sampleType.name} (${sampleType.unit})`,
      { hint: 'A base is a profile of the same kind; --sample chooses what is compared.' },
    )
  }
  const { overlay } = await import('../../profile/merge.ts')
  const both = overlay(current, before)
  const own = weigh(both.tree, both.current[typeIndex]!, options)
  const theirs = weigh(both.tree, both.base[typeIndex]!, options)
  const weighed = {
    self: own.self.map((value, node) => value - theirs.self[node]!),
    apart: own.apart,
    total: Math.max(theirs.total, own.total),
  }
  return {
    ...shared,
    focused,
    base: { profile: baseProfile, weighed: theirs },
    tree: both.tree,
    weighed,
    own,
    columns: () => ({ current: restricted(both.tree, both.current), base: restricted(both.tree, both.base) }),
    ...rowsOf(both.tree, weighed),
  }
}
