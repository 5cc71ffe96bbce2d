import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{core,processors,connectors,cli}/src/**/*.test.ts', 'test/**/*.test.ts'],
    setupFiles: ['./test/property-seed.ts'],
    reporters: ['default', './test/count-reporter.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
