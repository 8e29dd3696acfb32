// `leakscope top`: who burns the CPU, or who allocates, by a profile that was taken before.

import { Command, Option } from 'commander'
import { LeakscopeError } from '../../errors.ts'
import type { Group, Grouping } from '../../profile/group.ts'
import type { ReadProfile } from '../../profile/read.ts'
import type { Progress } from '../../support/progress.ts'
import type { Context } from '../common/context.ts'
import { GROUP } from '../common/help-text.ts'
import { positiveInteger } from '../common/options.ts'
import type { TopOptions, TopView } from './view.ts'

const DEFAULT_LIMIT = 20
const BY: readonly Grouping[] = ['function', 'line', 'file', 'package']

export function topCommand(context: Context): Command {
  return new Command('top')
    .argument('<profile>', 'a .cpuprofile, .heapprofile, pprof (.pb.gz) or folded file')
    .optionsGroup(GROUP.what)
    .option('--base <file>', 'subtract this profile: show what changed since')
    .option('--focus <regexp>', 'only stacks that have a function or file like this', pattern('--focus'))
    .option('--ignore <regexp>', 'leave out stacks that have a function or file like this', pattern('--ignore'))
    .option('--sample <type>', 'which measure of the file, if it has several, such as samples or cpu')
    .optionsGroup(GROUP.how)
    .addOption(new Option('--by <what>', 'one row for each').choices(BY).default('function'))
    .option('--cum', 'order by cumulative figures: a function with all that it called')
    .addOption(new Option('--peek <name>', 'show who calls this function, and what it calls').conflicts('list'))
    .option('--list <name>', 'show the source of this function, with a figure beside each line')
    .option('--no-source-maps', 'show scripts as they run, not the sources that they were built from')
    .optionsGroup(GROUP.output)
    .option('--limit <n>', `rows to show (default: ${DEFAULT_LIMIT}; all with --json)`, positiveInteger('--limit'))
    .option('-o, --output <file>', 'write the profile as pprof (.pb, .pb.gz) or as folded stacks (.folded)')
    .option('--flame <file>', 'write a flame graph, as one HTML file')
    .option('--force', 'replace files that exist')
    .option('--json', 'print the figures as JSON')
    .option('-q, --quiet', 'show no progress')
    .action((file: string, options: TopOptions) => run(context, file, options))
}

async function run(context: Context, file: string, options: TopOptions): Promise<void> {
  const [{ viewOf }, { outputs, writeOutputs }] = await Promise.all([import('./view.ts'), import('./files.ts')])
  const wanted = outputs(options)
  const progress = context.progress(options.quiet ?? false)
  let view: TopView
  try {
    const profile = await read(context, progress, file)
    const base = options.base === undefined ? undefined : await read(context, progress, options.base)
    progress.stage('adding up')
    view = await viewOf(profile, base, options)
    for (const path of await writeOutputs(view, wanted, options, context.signal)) {
      progress.clear()
      context.note(`Wrote ${path}`)
    }
  } finally {
    progress.end()
  }
  // Who asks for a file need not have the table as well.
  if (wanted.length > 0 && !options.json && options.peek === undefined && options.list === undefined) return
  await print(context, view, options)
}

async function read({ signal }: Context, progress: Progress, file: string): Promise<ReadProfile> {
  const { readProfile } = await import('../../profile/read.ts')
  progress.stage(`reading ${file}`)
  return readProfile(file, { signal, onProgress: (fraction) => progress.update(fraction) })
}

async function print(context: Context, view: TopView, options: TopOptions): Promise<void> {
  const { tree, weighed, grouped } = view
  const limit = options.limit ?? (options.json ? Number.POSITIVE_INFINITY : DEFAULT_LIMIT)
  const [{ topJson }, { topText, peekText, listText }] = await Promise.all([import('./json.ts'), import('./text.ts')])
  const look = { color: await context.colors(), width: context.width, limit }
  if (options.peek !== undefined) {
    const { peek } = await import('../../profile/peek.ts')
    const peeks = peek(tree, weighed, grouped, named(options.peek, grouped.groups))
    return context.out(options.json ? topJson(view, limit, { peek: peeks }) : peekText(view, peeks, look))
  }
  if (options.list !== undefined) {
    const { list } = await import('../../profile/list.ts')
    const { frames } = tree
    const all = Array.from({ length: frames.size }, (_, frame) => ({ name: frames.name(frame) }))
    const listings = list(tree, weighed, named(options.list, all), view.readSource)
    return context.out(options.json ? topJson(view, limit, { list: listings }) : listText(view, listings, look))
  }
  context.out(options.json ? topJson(view, limit, {}) : topText(view, look))
}

/** Numbers of those that have this name; if none has, of those that have it in theirs, in any case of letters. */
function named(name: string, all: readonly Pick<Group, 'name'>[]): Set<number> {
  const pick = (fits: (other: string) => boolean): number[] =>
    all.flatMap((each, number) => (fits(each.name) ? [number] : []))
  const exact = pick((other) => other === name)
  const lower = name.toLowerCase()
  const chosen = exact.length > 0 ? exact : pick((other) => other.toLowerCase().includes(lower))
  if (chosen.length === 0 || name === '') {
    throw new LeakscopeError('usage-invalid', `the profile has nothing named '${name}'`, {
      hint: 'leakscope top shows what there is; --limit shows more of it.',
    })
  }
  return new Set(chosen)
}

function pattern(name: string): (text: string) => RegExp {
  return (text) => {
    try {
      if (text !== '') return new RegExp(text)
    } catch (cause) {
      throw new LeakscopeError('usage-invalid', `${name}: ${(cause as Error).message}`, { cause })
    }
    throw new LeakscopeError('usage-invalid', `${name} takes a regular expression, not nothing`)
  }
}
