// Published leaks of npm packages, with the versions that have them.

import type { KnownLeak } from './known-leak.ts'

export const PACKAGE_LEAKS: readonly KnownLeak[] = []
