import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // Machines that run these have few cores, and the end-to-end tests each start processes of their own; but most of
    // the time they wait.
    maxWorkers: 3,
    // Real processes on a machine that does other things as well: what is broken fails twice, and what came too late is
    // told as retried.
    retry: 1,
  },
})
