// `require('leakscope/jest')` in a setup file of Jest (`setupFilesAfterEnv`): gives `expect` the matcher `toLeak`.

import { toLeak } from './commonjs.cts'
import type { ToLeakOptions } from './to-leak.ts' with { 'resolution-mode': 'import' }

interface Expect {
  extend(matchers: { readonly toLeak: typeof toLeak }): void
}

const { expect = require('@jest/globals').expect as Expect } = globalThis as { readonly expect?: Expect }
expect.extend({ toLeak })

declare global {
  namespace jest {
    interface Matchers<R> {
      /** Whether memory grows with the calls of a function, or of a scenario's `iteration`; to be awaited. */
      toLeak(options?: ToLeakOptions): Promise<R>
    }
  }
}
