import { defineConfig } from 'vitest/config'

/** Tests that leave nothing behind: they share a process, so that each module is loaded once. */
const SHARING = [
  ...[
    'analysis',
    'bench',
    'config',
    'detectors',
    'findings',
    'golden',
    'graph',
    'heap',
    'known-leaks',
    'node-internals',
    'profile',
    'report',
  ],
  ...['snapshot', 'source', 'target'],
].map((folder) => `test/${folder}/**/*.test.ts`)
/** Those of them that fill the memory, or measure it. */
const ALONE = ['test/analysis/memory.test.ts', 'test/graph/large-numbers.test.ts']

export default defineConfig({
  test: {
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // Machines that run these have few cores, and the end-to-end tests each start processes of their own; but most of
    // the time they wait.
    maxWorkers: 3,
    // Real processes on a machine that does other things as well: what is broken fails twice, and what came too late is
    // told as retried.
    retry: 1,
    projects: [
      { extends: true, test: { name: 'sharing', include: SHARING, exclude: ALONE, isolate: false } },
      { extends: true, test: { name: 'others', include: ['test/**/*.test.ts'], exclude: SHARING } },
      { extends: true, test: { name: 'alone', include: ALONE } },
    ],
  },
})
