import { defineConfig } from 'vitest/config'

/** Tests of functions alone: they leave nothing behind, and share a process, so that each module is loaded once. */
const OF_FUNCTIONS = ['config', 'detectors', 'findings', 'known-leaks', 'profile', 'report', 'source'].map(
  (folder) => `test/${folder}/**/*.test.ts`,
)

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
      { extends: true, test: { name: 'functions', include: OF_FUNCTIONS, isolate: false } },
      { extends: true, test: { name: 'others', include: ['test/**/*.test.ts'], exclude: OF_FUNCTIONS } },
    ],
  },
})
