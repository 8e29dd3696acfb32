// What `leakscope snapshot` says of the price before it pays it, and how it refuses to.

import { dirname } from 'node:path'
import type { IsolateQuote, Quote, QuotedIsolate } from '../../capture/quote.ts'
import { LeakscopeError } from '../../errors.ts'
import { formatBytes, formatCount, formatDuration, printable } from '../../support/format.ts'
import type { Progress } from '../../support/progress.ts'
import { showTarget, type TargetName, targetArgument } from '../../target/target.ts'
import type { Target } from '../../target/visit.ts'
import type { Wanted } from '../common/capturing.ts'
import type { Context } from '../common/context.ts'
import { NONE_TAKEN, wayInto } from '../common/ways.ts'

type Range = NonNullable<IsolateQuote['price']>['objects']

type Visited = Pick<Target, 'pid' | 'nodeVersion' | 'inspector'>

/** Says the price of a snapshot of these isolates; throws when it is too high. */
export async function agreeOnPrice(
  context: Context,
  progress: Progress,
  name: TargetName,
  visited: Visited,
  wanted: Wanted,
  isolates: readonly QuotedIsolate[],
): Promise<void> {
  const quote = await askPrice(progress, name, visited, wanted, isolates)
  const sentence = priceSentence(quote, name, wanted)
  if (wanted.dryRun) return report(context, progress, name, visited, wanted, quote, sentence)
  if (!wanted.quiet) {
    progress.clear()
    context.note(`leakscope: ${sentence}`)
  }
  if (quote.objections.length === 0 || wanted.atAnyPrice) return
  throw new LeakscopeError('price-too-high', `${NONE_TAKEN}${reasons(quote)}`, {
    cause: quote,
    hint: remedy(quote, name, wanted),
  })
}

async function askPrice(
  progress: Progress,
  name: TargetName,
  { pid, nodeVersion }: Visited,
  wanted: Wanted,
  isolates: readonly QuotedIsolate[],
): Promise<Quote> {
  const { quote } = await import('../../capture/quote.ts')
  return quote(isolates, {
    pid: name.kind === 'process' ? pid : undefined,
    nodeVersion,
    folder: dirname(wanted.name),
    file: wanted.name,
    rounds: wanted.count,
    maxPauseMs: wanted.maxPauseMs,
    memoryLimitBytes: wanted.memoryLimitBytes,
    onCount: () => progress.stage('counting objects, as a guess does not settle whether there is room'),
  })
}

function report(
  context: Context,
  progress: Progress,
  name: TargetName,
  visited: Visited,
  { json, maxPauseMs }: Wanted,
  { isolates, total, room, objections }: Quote,
  sentence: string,
): void {
  progress.clear()
  if (json) {
    const { pid, nodeVersion } = visited
    const target = { name: showTarget(name), pid, nodeVersion }
    const via = wayInto(visited)
    const answer = { schemaVersion: 1, command: 'snapshot', target, via, isolates, total, room, maxPauseMs, objections }
    context.out(JSON.stringify(answer, null, 2))
    return
  }
  context.out(sentence)
  if (objections.length > 0) context.out(`It would be refused: ${objections.map(({ reason }) => reason).join('; ')}`)
}

const reasons = ({ objections }: Quote) => objections.map(({ reason }) => reason).join('; ')

function remedy({ objections }: Quote, name: TargetName, { isolate }: Wanted): string {
  const about = new Set(objections.map((each) => each.about))
  const whose = isolate === 'main' ? '' : ` --isolate ${isolate === 'all' ? 'all' : `worker:${isolate}`}`
  return [
    ...(about.has('memory') || about.has('pause')
      ? ['A leak shows in a small heap as well: take it soon after a restart, or from an instance with less to hold.']
      : []),
    ...(about.has('pause') ? ['Out of traffic it may stand still for longer: --max-pause 5min allows that.'] : []),
    ...(about.has('disk') ? ['Choose another place with -o, or a name that ends in .gz or .zst.'] : []),
    `Who allocates what stays can be found out without all that: \`leakscope profile ${targetArgument(name)} --heap${whose}\`.`,
    '--at-any-price takes it regardless.',
  ].join(' ')
}

/** `about 2.8 M objects: process 4242 will stand still for about 6.1 s (at worst 12 s), use …` */
export function priceSentence({ isolates, total, room }: Quote, name: TargetName, { count }: Wanted): string {
  const unknown = isolates.filter(({ price }) => price === null).map(({ isolate }) => printable(isolate))
  if (unknown.length === isolates.length) return `what a snapshot of ${showTarget(name)} costs could not be found out`
  const several = isolates.length > 1
  const objects = isolates.every(({ counted }) => counted)
    ? `${formatCount(total.objects.likely)} objects`
    : `about ${roundCount(total.objects.likely)} objects`
  const place = several ? ` in ${isolates.length} isolates` : ''
  const who = several ? `each thread of ${showTarget(name)} in turn` : showTarget(name)
  const times = count > 1 ? `${count} times ` : ''
  const still = `will stand still ${times}for ${span(total.pauseMs, formatDuration)}${several ? ' in all' : ''}`
  const files = `${several || count > 1 ? 'the files' : 'the file'} will take ${span(total.fileBytes, formatBytes)}`
  const notes = [
    ...(unknown.length > 0 ? [`what ${unknown.join(', ')} costs is unknown`] : []),
    ...(room.memory.length === 0 ? ['whether it has that much memory cannot be seen from here'] : []),
  ]
  return [
    `${objects}${place}: ${who} ${still}, use ${span(total.memoryBytes, formatBytes)} more memory, and ${files}`,
    ...notes,
  ].join('; ')
}

function span({ likely, high }: Range, format: (value: number) => string): string {
  const show = (value: number) =>
    format(twoDigits(value))
      .replace(/\.0+ /, ' ')
      .replace(/(\.\d*?)0+ /, '$1 ')
  return `about ${show(likely)} (at worst ${show(high)})`
}

function roundCount(count: number): string {
  const rounded = twoDigits(count)
  return rounded >= 1e6 ? `${rounded / 1e6} M` : formatCount(rounded)
}

/** A guess has no more. */
function twoDigits(value: number): number {
  return Number(value.toPrecision(2))
}
