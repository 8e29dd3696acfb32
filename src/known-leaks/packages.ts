// Published leaks of npm packages, with the versions that have them.

import type { KnownLeak } from './known-leak.ts'

export const PACKAGE_LEAKS: readonly KnownLeak[] = [
  {
    id: 'sindresorhus/p-queue#235',
    url: 'https://github.com/sindresorhus/p-queue/issues/235',
    title: 'an abort listener stays on the signal that is given to add()',
    package: 'p-queue',
    affected: '>=7.3.1 <9.0.1',
    fixedIn: ['9.0.1'],
    looks: { patterns: ['listener-leak'], functions: ['throwOnAbort'] },
  },
]
