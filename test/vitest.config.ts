import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // Machines that run these have few cores, and the end-to-end tests each start processes of their own; but most of
    // the time they wait.
    maxWorkers: 3,
  },
})
