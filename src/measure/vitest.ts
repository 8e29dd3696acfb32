// `import 'leakscope/vitest'` in a setup file of Vitest: gives `expect` the matcher `toLeak`.

import { expect } from 'vitest'
import { type ToLeakOptions, toLeak } from './to-leak.ts'

expect.extend({ toLeak })

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: it has to be declared as Vitest does
  interface Matchers<T = any> {
    /** Whether memory grows with the calls of a function, or of a scenario's `iteration`; to be awaited. */
    toLeak(options?: ToLeakOptions): Promise<void>
  }
}
