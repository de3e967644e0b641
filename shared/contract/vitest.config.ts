// How `npm run contract` runs a suite against a router of the caller's. Apart from the project's own settings, whose test files
// start the stages.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    setupFiles: ["shared/contract/ignore-ctrl-c.ts"],
    include: ["shared/contract/*/against-router.ts"],
    // The longest case takes as long as the longest time limit of the contract, 30 s.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 1,
  },
});
