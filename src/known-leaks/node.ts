// Published leaks of Node itself, with the versions that have them.

import type { KnownLeak } from './known-leak.ts'

export const NODE_LEAKS: readonly KnownLeak[] = []
