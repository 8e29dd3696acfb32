// `require('leakscope/jest')` in a setup file of Jest (`setupFilesAfterEnv`): gives `expect` the matcher `toLeak`.

import { toLeak } from './commonjs.cts'
import type { ToLeakOptions } from './to-leak.ts' with { 'resolution-mode': 'import' }

interface Expect {
  extend(matchers: { readonly toLeak: typeof toLeak }): void
}

const { expect = require('@jest/globals').expect as Expect } = globalThis as { readonly expect?: Expect }
expect.extend({ toLeak })

interface LeakMatchers<R> {
  /** Whether memory grows with the calls of a function, or of a scenario's `iteration`; to be awaited. */
  toLeak(options?: ToLeakOptions): Promise<R>
}

declare global {
  namespace jest {
    interface Matchers<R> extends LeakMatchers<R> {}
  }
}

// For those who take `expect` from `@jest/globals`.
// biome-ignore lint/suspicious/noTsIgnore: what is there where Jest is would be an unexpected error here.
/** @ts-ignore: where Jest is, `expect` is. */
declare module 'expect' {
  interface Matchers<R extends void | Promise<void>> extends LeakMatchers<R> {}
}
