// `require('leakscope/measure')`: the same functions, whose code is loaded when they are called.

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { constants, Script } from 'node:vm'
import type { LeakMeasurement, MeasureOptions, Work } from './measure-leak.ts' with { 'resolution-mode': 'import' }
import type { MatcherResult, ToLeakOptions } from './to-leak.ts' with { 'resolution-mode': 'import' }

type Module = typeof import('./index.ts', { with: { 'resolution-mode': 'import' }})

/** Jest runs tests in a context of its own, where `import()` is off; that of the main context works there, too. */
const load = (): Promise<Module> => {
  const url = pathToFileURL(join(__dirname, 'index.js')).href
  const importModuleDynamically = constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER
  if (importModuleDynamically === undefined) return import(url) // before Node 20.12
  return new Script('(url) => import(url)', { importModuleDynamically }).runInThisContext()(url)
}

export async function measureLeak(subject: Work | URL | string, options?: MeasureOptions): Promise<LeakMeasurement> {
  return (await load()).measureLeak(subject, options)
}

export async function toLeak(
  this: { readonly isNot?: boolean },
  subject: unknown,
  options?: ToLeakOptions,
): Promise<MatcherResult> {
  return (await load()).toLeak.call(this, subject, options)
}

export type { LeakMeasurement, MatcherResult, MeasureOptions, ToLeakOptions, Work }
