// Runs StrykerJS on a folder that holds an assembled solution and its tests, and says what became of each mutant.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { lastLines, packageFile, runNode } from "../run-tool.ts";

export interface Mutant {
  /** Name of the editable file. */
  readonly file: string;
  /** Counted from 1, in the solution. */
  readonly line: number;
  /** The whole source line at which the mutant begins, trimmed. */
  readonly source: string;
  readonly mutator: string;
  readonly original: string;
  readonly replacement: string;
  readonly status: string;
}

const reportSchema = z.object({
  files: z.record(
    z.string(),
    z.object({
      source: z.string(),
      mutants: z.array(
        z.object({
          mutatorName: z.string(),
          replacement: z.string().default(""),
          status: z.string(),
          location: z.object({
            start: z.object({ line: z.number(), column: z.number() }),
            end: z.object({ line: z.number(), column: z.number() }),
          }),
        }),
      ),
    }),
  ),
});

type ReportedFile = z.infer<typeof reportSchema>["files"][string];

/** @param mutate Files and lines of them, as StrykerJS writes them: `starter/route.ts:3-7`. */
export async function runStryker(folder: string, mutate: readonly string[]): Promise<Mutant[]> {
  const report = join(folder, "report.json");
  const options = {
    mutate,
    inPlace: true,
    testRunner: "vitest",
    plugins: ["@stryker-mutator/vitest-runner"],
    vitest: { configFile: join(folder, "vitest.config.mjs"), related: false },
    // TypeScript 7 has no API, which StrykerJS would read a tsconfig with.
    tsconfigFile: "none.json",
    reporters: ["json"],
    jsonReporter: { fileName: report },
    concurrency: 1,
    timeoutMS: 6_000,
    timeoutFactor: 2,
    ignorePatterns: ["report.json"],
    allowConsoleColors: false,
    checkers: [],
    fileLogLevel: "off",
    logLevel: "error",
  };
  writeFileSync(join(folder, "stryker.json"), JSON.stringify(options));
  const config = { test: { include: ["test/**/*.test.ts"], testTimeout: 5_000, hookTimeout: 5_000 } };
  writeFileSync(join(folder, "vitest.config.mjs"), `export default ${JSON.stringify(config)};\n`);
  const stryker = packageFile("@stryker-mutator/core/bin/stryker.js");
  const { output } = await runNode(stryker, ["run", "stryker.json"], { cwd: folder });
  if (!existsSync(report)) throw new Error(lastLines(output, 12) || "StrykerJS wrote no report");
  const { files } = reportSchema.parse(JSON.parse(readFileSync(report, "utf8")));
  return Object.entries(files).flatMap(([path, file]) => mutantsOf(path.replace(/^starter\//, ""), file));
}

function mutantsOf(file: string, { source, mutants }: ReportedFile): Mutant[] {
  const lines = source.split("\n");
  return mutants
    .filter(({ status }) => !["Ignored", "CompileError", "RuntimeError"].includes(status))
    .map(({ mutatorName, replacement, status, location: { start, end } }) => {
      const covered = lines.slice(start.line - 1, end.line);
      covered[covered.length - 1] = covered.at(-1)?.slice(0, end.column - 1) ?? "";
      covered[0] = covered[0]?.slice(start.column - 1) ?? "";
      const sourceLine = lines[start.line - 1]?.trim() ?? "";
      const original = covered.join("\n");
      return {
        file,
        line: start.line,
        source: sourceLine,
        mutator: mutatorName,
        original,
        replacement,
        status,
      };
    });
}
