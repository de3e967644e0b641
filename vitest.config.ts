// One project a stage, so that `npm test -- --project m3` runs one milestone and a failure names its stage.
import { existsSync } from "node:fs";
import { defineConfig } from "vitest/config";

const stages = ["m1", "m2", "m3", "m4", "m5"].filter((stage) => existsSync(`stages/${stage}/test`));

function project(name: string, include: string[]) {
  return { test: { name, include, testTimeout: 60_000, hookTimeout: 60_000, teardownTimeout: 10_000 } };
}

export default defineConfig({
  test: {
    // Two workers: the machines this runs on have two cores, and network tests measure what they share.
    maxWorkers: 2,
    projects: [
      ...stages.map((stage) => project(stage, [`stages/${stage}/test/**/*.test.ts`])),
      project("shared", ["shared/**/*.test.ts"]),
      project("scripts", ["scripts/**/*.test.ts"]),
      project("site", ["site/**/*.test.ts"]),
    ],
  },
});
