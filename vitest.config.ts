// One project a stage, so that `npm test -- --project m3` runs one milestone and a failure names its stage.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const stages = ["m1", "m2", "m3", "m4", "m5"].filter((stage) => existsSync(`stages/${stage}/test`));

/**
 * Each stage is held to its own contract here, and m5, which has none, to the first; `npm run verify` holds every stage
 * to all earlier ones too, and runs what is called `*.slow.test.ts`. Together they take minutes.
 */
const everyContract = process.env["EVERY_CONTRACT"] === "1";
const slow = everyContract ? [] : ["**/*.slow.test.ts"];

/**
 * The tests start hundreds of processes, and each would compile the same modules again: nearly half of what a start
 * costs. Node keeps the compiled code by the hash of its source.
 */
process.env["NODE_COMPILE_CACHE"] ??= join(import.meta.dirname, "node_modules", ".cache", "node-compile");

function earlierContracts(stage: string): string[] {
  if (everyContract) return [];
  const own = stage === "m5" ? "m1" : stage;
  return ["m1", "m2", "m3", "m4"].filter((contract) => contract !== own).map(contractFile);
}

function contractFile(contract: string): string {
  return `**/contract-${contract}.test.ts`;
}

/** The contracts take longest. Begun last, one of them would go on alone for a minute, with nothing left beside it. */
class ContractsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isContract = ({ moduleId }: TestSpecification) => /\/contract-m\d\.test\.ts$/.test(moduleId);
    const sorted = await super.sort(files);
    return [...sorted.filter(isContract), ...sorted.filter((file) => !isContract(file))];
  }
}

function project(name: string, include: string[], exclude: string[] = []) {
  const times = { testTimeout: 60_000, hookTimeout: 60_000, teardownTimeout: 10_000 };
  const env: Record<string, string> = everyContract ? {} : { QUICK_CONTRACT: "1" };
  return { test: { name, include, exclude: [...slow, ...exclude], env, ...times } };
}

export default defineConfig({
  test: {
    // More than the two cores of a small machine: most network tests wait, for a time limit or for a process.
    maxWorkers: 6,
    sequence: { sequencer: ContractsFirst },
    projects: [
      ...stages.map((stage) =>
        project(stage, [`stages/${stage}/test/**/*.test.ts`], earlierContracts(stage)),
      ),
      project("shared", ["shared/**/*.test.ts"]),
      project("graduation", ["graduation/**/*.test.ts"]),
      project("scripts", ["scripts/**/*.test.ts"]),
      project("site", ["site/**/*.test.ts"]),
    ],
  },
});
