// The matcher behind `expect(work).not.toLeak()`, in the shape that the `extend` of Vitest's and Jest's `expect` takes.

import { type LeakMeasurement, type MeasureOptions, measureLeak, type Work } from './measure-leak.ts'

export interface ToLeakOptions extends MeasureOptions {
  /** Fails also when the rounds do not tell. */
  readonly strict?: boolean
}

export interface MatcherResult {
  readonly pass: boolean
  message(): string
}

/** Passes when the function, or the scenario, leaks. */
export async function toLeak(
  this: { readonly isNot?: boolean },
  subject: unknown,
  { strict = false, ...options }: ToLeakOptions = {},
): Promise<MatcherResult> {
  // The last snapshot of a leak that is wanted tells nobody anything.
  const diagnose = options.diagnose ?? this.isNot ?? true
  const { verdict, text }: LeakMeasurement = await measureLeak(subject as Work | URL, { ...options, diagnose })
  const pass = verdict === 'growing' || (verdict === 'undecided' && strict && this.isNot === true)
  return { pass, message: () => (pass ? text : `Expected memory to grow with the calls.\n\n${text}`) }
}
