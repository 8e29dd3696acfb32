// `leakscope profile`: what a running process spends its time on, or who allocates what it holds, sampled for a while.

import { Command } from 'commander'
import type { ProfileCapture, ProfileOptions } from '../capture/capture-profiles.ts'
import type { Sampling } from '../capture/profile.ts'
import { LeakscopeError } from '../errors.ts'
import { formatBytes, formatCount, formatDuration, printable } from '../support/format.ts'
import { parseTarget, showTarget, type TargetName } from '../target/target.ts'
import { noteBeside } from './common/capturing.ts'
import type { Context } from './common/context.ts'
import { DEFAULT_WAIT_MS, defaultName } from './common/defaults.ts'
import { examples, GROUP } from './common/help-text.ts'
import { duration, type IsolateChoice, isolateChoice, TARGET, waitOption } from './common/options.ts'
import { requireFewSamples, samplingOf } from './common/sampling.ts'

interface Options {
  readonly cpu?: true
  readonly heap?: true
  readonly duration?: number
  readonly interval?: string
  readonly includeCollected?: true
  readonly isolate: IsolateChoice
  readonly output?: string
  readonly wait?: number | true
  readonly force?: true
  readonly json?: true
  readonly quiet?: true
}

/** What was asked for, with nothing left open. */
interface Wanted {
  readonly name: string
  readonly sampling: Sampling
  readonly durationMs: number
  readonly isolate: IsolateChoice
  readonly waitMs: number | undefined
  readonly force: boolean
  readonly json: boolean
  readonly quiet: boolean
}

interface Outcome {
  readonly captures: readonly ProfileCapture[]
  readonly pid: number
  readonly nodeVersion: string
}

const DEFAULT_DURATION_MS = 10_000

const help = `
--cpu notes the stack a thousand times a second. --heap notes the stack of some
allocations and forgets it when the object is collected: what is left at the end
was allocated meanwhile and is still held. With --include-collected the rest is
there too (Node 20 and newer). --heap ends with one full garbage collection.

Ctrl-C ends it early and writes what there is (exit code 130). Chrome DevTools,
VS Code and speedscope open the files as well.
${examples(
  ['leakscope profile 4242 --cpu', 'where the time goes, for 10 seconds'],
  ['leakscope profile 4242 --heap --duration 1min -o a.heapprofile', 'who allocates what is still held a minute later'],
  ['leakscope top a.heapprofile', 'the functions that allocated most'],
)}`

export function profileCommand(context: Context): Command {
  return new Command('profile')
    .argument('<target>', TARGET, parseTarget)
    .optionsGroup(GROUP.what)
    .option('--cpu', 'where the time goes: writes a .cpuprofile')
    .option('--heap', 'who allocates what is still held at the end: writes a .heapprofile')
    .option(
      '--isolate <which>',
      'whose: main, worker:<thread id>, or all, which makes a folder with a profile of each (default: main)',
      isolateChoice('--isolate'),
      'main',
    )
    .option('--include-collected', 'with --heap: also what was allocated and is gone')
    .optionsGroup(GROUP.how)
    .option('--duration <time>', 'for how long: 500ms, 10s, 2min (default: 10s)', duration('--duration'))
    .option(
      '--interval <n>',
      'between two samples; with --cpu a time, such as 100us (default: 1ms), with --heap allocated bytes, such as 64KiB (default: 512KiB)',
    )
    .addOption(waitOption())
    .optionsGroup(GROUP.output)
    .option('-o, --output <file>', 'where to write it (default: leakscope-<target>-<time>.cpuprofile or .heapprofile)')
    .option('--force', 'replace the file, or the folder of earlier profiles')
    .option('--json', 'print what was written as JSON')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', help)
    .action((target: TargetName, options: Options) => run(context, target, wantedOf(target, options)))
}

function wantedOf(target: TargetName, options: Options): Wanted {
  const { isolate, duration: durationMs = DEFAULT_DURATION_MS, force = false, json = false, quiet = false } = options
  const sampling = samplingOf(options)
  requireFewSamples(sampling, durationMs)
  return {
    name: options.output ?? defaultName(target, isolate, `.${sampling.kind}profile`, new Date()),
    sampling,
    durationMs,
    isolate,
    waitMs: options.wait === true ? DEFAULT_WAIT_MS : options.wait,
    force,
    json,
    quiet,
  }
}

async function run(context: Context, target: TargetName, wanted: Wanted): Promise<void> {
  await requireName(wanted)
  const outcome = await sample(context, target, wanted)
  if (wanted.json) context.out(JSON.stringify(toJson(target, wanted, outcome), null, 2))
  else for (const capture of outcome.captures) context.out(captureLine(capture, wanted))
  if (!context.signal.aborted) return
  const { message } = context.signal.reason as LeakscopeError
  throw new LeakscopeError('cancelled', `${message}; what was sampled until then is written`)
}

/** Known before the target hears of us. */
async function requireName({ name, isolate, force }: Wanted): Promise<void> {
  if (isolate === 'all') {
    const [{ holdsProfiles }, { requireFolderName }] = await Promise.all([
      import('../capture/capture-profiles.ts'),
      import('../support/folders.ts'),
    ])
    requireFolderName(name, force, holdsProfiles)
  } else (await import('../support/files.ts')).requireWritable(name, force)
}

async function sample(context: Context, target: TargetName, wanted: Wanted): Promise<Outcome> {
  const [{ withInspector }, { captureProfile, captureProfiles }] = await Promise.all([
    import('../target/attach.ts'),
    import('../capture/capture-profiles.ts'),
  ])
  const { sampling, durationMs, isolate, name, force, waitMs, quiet } = wanted
  const progress = context.progress(quiet)
  // Until sampling has begun, Ctrl-C ends the visit; then it only ends the sampling.
  const giveUp = new AbortController()
  const end = () => giveUp.abort(context.signal.reason)
  context.signal.addEventListener('abort', end, { once: true })
  if (context.signal.aborted) end()
  const options: ProfileOptions = {
    sampling,
    durationMs,
    force,
    enough: context.signal,
    onBegin() {
      context.signal.removeEventListener('abort', end)
      progress.stage(`sampling ${sampling.kind === 'cpu' ? 'the CPU' : 'allocations'}`)
    },
    onProgress: (fraction) => progress.update(fraction, `of ${formatDuration(durationMs)}`),
  }
  try {
    progress.stage(`attaching to ${showTarget(target)}`)
    const attach = { signal: giveUp.signal, onNotice: noteBeside(context, progress), waitMs }
    return await withInspector(target, attach, async (session, { pid, nodeVersion }) => {
      if (sampling.kind === 'heap' && sampling.includeCollected) requireCollected(nodeVersion)
      const captures =
        isolate === 'all'
          ? await captureProfiles(session, name, options)
          : [await captureProfile(session, isolate, name, options)]
      progress.stage('leaving')
      return { captures, pid, nodeVersion }
    })
  } finally {
    context.signal.removeEventListener('abort', end)
    progress.end()
  }
}

/** Node 18 takes no notice of what it does not know. */
function requireCollected(nodeVersion: string): void {
  if (Number(/\d+/.exec(nodeVersion)?.[0]) >= 20) return
  throw new LeakscopeError(
    'usage-invalid',
    `--include-collected needs Node 20 or newer, and the process runs ${nodeVersion}`,
  )
}

function captureLine(capture: ProfileCapture, { sampling }: Wanted): string {
  const { isolate, file, fileBytes, samples, sampledBytes, sampledMs, reason } = capture
  if (file === null) return `${isolate} not captured: ${printable(reason ?? '')}`
  const time = formatDuration(sampledMs!)
  const head = `${file}  ${formatBytes(fileBytes!)}  ${isolate}`
  if (sampling.kind === 'cpu') return `${head} sampled ${formatCount(samples!)} times in ${time}`
  if (sampledBytes === 0) return `${head} held nothing new that was sampled in ${time}; a smaller --interval sees more`
  const what = sampling.includeCollected ? 'allocated' : 'holds'
  const still = sampling.includeCollected ? `in ${time}` : `that it allocated in ${time}`
  return `${head} ${what} about ${formatBytes(sampledBytes!)} ${still}`
}

function toJson(target: TargetName, { sampling, isolate }: Wanted, { captures, pid, nodeVersion }: Outcome): object {
  return {
    schemaVersion: 1,
    command: 'profile',
    target: { name: showTarget(target), pid, nodeVersion },
    sampling,
    isolate: typeof isolate === 'number' ? `worker:${isolate}` : isolate,
    profiles: captures,
  }
}
