import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'introspect/test/**/*.test.ts', 'schema/**/*.test.ts', 'cli/test/**/*.test.ts'],
    globalSetup: ['test/harness/global-setup.ts'],
    setupFiles: ['test/harness/setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 180_000, // only what hangs: a busy disk makes an import slow
    hookTimeout: 300_000,
    teardownTimeout: 60_000,
    passWithNoTests: false,
  },
});
