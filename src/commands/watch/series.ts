// `leakscope watch` at work: looks at processes side by side until something happens that was waited for.

import { LeakscopeError } from '../../errors.ts'
import { type Look, openRecording } from '../../process/recording.ts'
import { showTarget, type TargetName } from '../../target/target.ts'
import type { Context } from '../common/context.ts'
import type { Way } from '../common/ways.ts'
import { type Action, act } from './actions.ts'
import { asked, type Condition } from './condition.ts'
import { type Display, lineDisplay } from './display.ts'
import { History } from './history.ts'
import { watchTarget } from './target.ts'

export interface WatchWanted {
  readonly everyMs: number
  /** Infinity for until Ctrl-C. */
  readonly count: number
  readonly waitMs: number | undefined
  readonly record: string | undefined
  readonly conditions: readonly Condition[]
  readonly action: Action
  /** Undefined for what the action takes by itself. */
  readonly via: Way | undefined
  /** `live` is for a terminal. */
  readonly shown: 'live' | 'lines' | 'json'
}

interface Met {
  readonly condition: Condition
  readonly name: TargetName
}

export async function runWatch(context: Context, names: readonly TargetName[], wanted: WatchWanted): Promise<void> {
  const recorder = wanted.record === undefined ? undefined : openRecording(wanted.record)
  const over = new AbortController()
  const stop = () => over.abort(ENOUGH)
  const display = await displayOf(context, names, wanted, stop)
  let met: Met | undefined
  try {
    const onLook = (look: Look) => recorder?.add(look)
    met = await watchAll(context, names, wanted, display, over, onLook)
  } finally {
    recorder?.close()
    await display.close()
  }
  if (!met) return
  const { name, condition } = met
  context.note(`leakscope: ${names.length > 1 ? `${showTarget(name)}: ` : ''}${condition.text} holds`)
  // On a pipe, there are looks on standard output and nothing else.
  const aside = wanted.shown === 'json' ? { ...context, out: context.note } : context
  await act(aside, wanted.action, name, condition, wanted.waitMs, wanted.via)
}

/** That is no misfortune here, as it is for a snapshot. */
function hasEnded(name: TargetName, cause: LeakscopeError): LeakscopeError {
  return new LeakscopeError('target-died', `${showTarget(name)} has ended, at ${new Date().toISOString()}`, { cause })
}

const ENOUGH = new LeakscopeError('cancelled', 'enough was seen')

async function displayOf(
  context: Context,
  names: readonly TargetName[],
  { shown, everyMs }: WatchWanted,
  onQuit: () => void,
): Promise<Display> {
  if (shown !== 'live') return lineDisplay(context, names.map(showTarget), shown === 'json')
  const { liveDisplay } = await import('./live.ts')
  return liveDisplay(context, { names, everyMs, onQuit })
}

/** Resolves with the first condition that holds, or with undefined when all is seen that there is to see. */
async function watchAll(
  context: Context,
  names: readonly TargetName[],
  wanted: WatchWanted,
  display: Display,
  over: AbortController,
  record: (look: Look) => void,
): Promise<Met | undefined> {
  const signal = AbortSignal.any([context.signal, over.signal])
  let met: Met | undefined
  let looks = 0
  // One after the other, for most need the same port to come in by.
  let begun = Promise.resolve()
  const watches = names.map((name, which) => {
    const history = new History()
    const questions = wanted.conditions.map((condition) => ({ condition, holds: asked(condition) }))
    const before = begun
    let setBegun = () => {}
    begun = new Promise((resolve) => {
      setBegun = resolve
    })
    const watch = watchTarget(name, {
      ...wanted,
      signal,
      isOneOfSeveral: names.length > 1,
      begins: before,
      onNotice: (text) => display.notice(which, text),
      onBegin(target) {
        setBegun()
        display.begin(which, target)
      },
      mayLook: () => display.mayLook(),
      onLook(look, atMs, notes) {
        looks++
        record(look)
        display.look(which, look, atMs, notes)
        history.add(look, atMs)
        for (const { condition, holds } of questions) {
          if (holds(history.points(condition.id), history.added(condition.id))) met ??= { condition, name }
        }
        if (met) over.abort(ENOUGH)
        return met === undefined
      },
    })
    return watch.catch((error: unknown) => failed(error, which)).finally(setBegun)
  })

  /** What goes wrong with one leaves the others alone; what is a bug does not. */
  function failed(cause: unknown, which: number): LeakscopeError | undefined {
    if (!(cause instanceof LeakscopeError)) {
      over.abort(ENOUGH)
      throw cause
    }
    const error = cause.code === 'target-died' ? hasEnded(names[which]!, cause) : cause
    if (over.signal.aborted) return undefined
    // A series without an end is ended by whoever has seen enough.
    if (context.signal.aborted && looks > 0 && !Number.isFinite(wanted.count)) return undefined
    if (!context.signal.aborted) display.ended(which, [error.message, error.hint].filter(Boolean).join('. '))
    return error
  }

  const outcomes = await Promise.allSettled(watches)
  const bug = outcomes.find((outcome) => outcome.status === 'rejected')
  if (bug) throw bug.reason
  const errors = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? (outcome.value ?? []) : []))
  // Whoever has seen enough of the others knows of those that ended.
  if (met || errors.length === 0 || (signal.aborted && errors.length < names.length)) return met
  if (!context.signal.aborted) await display.seen()
  throw errors[0]
}
