import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/longest-first.ts'

export default defineConfig({
  test: {
    include: ['{core,processors,connectors,cli}/src/**/*.test.ts', 'test/**/*.test.ts'],
    setupFiles: ['./test/property-seed.ts'],
    // Many tests wait for other processes, or for a disk; on two cores the default is one at a time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    sequence: { sequencer: LongestFirst },
    reporters: ['default', './test/count-reporter.ts'],
    // Against hanging only: a slow disk is no failure.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
})
