// Format and lint, as Biome sees them with the project's rules.

import { type CheckResult, error, type Finding } from "../check.ts";
import { packageFile, runNode } from "../run-tool.ts";

export const check = {
  name: "lint",
  title: "Biome finds no fault in format or code",
  order: 20,
  fast: true,
  run,
};

/** The part of Biome's JSON report that is used here. */
interface Report {
  readonly summary: { readonly unchanged: number; readonly errors: number };
  readonly diagnostics: readonly {
    readonly message: string;
    readonly category: string;
    readonly location: { readonly path: string; readonly start: { readonly line: number } };
  }[];
}

async function run(root: string): Promise<CheckResult> {
  const args = ["check", "--reporter=json", "--diagnostic-level=error", "--max-diagnostics=none", "."];
  const biome = packageFile("@biomejs/biome/bin/biome");
  const { code, output, stdout } = await runNode(biome, args, { cwd: root });
  const line = stdout.split("\n").find((text) => text.startsWith('{"summary"'));
  if (line === undefined) throw new Error(`biome ended with exit code ${code}: ${output.trim()}`);
  const { summary, diagnostics } = JSON.parse(line) as Report;
  const findings: Finding[] = diagnostics.map(({ category, message, location }) =>
    category === "format"
      ? error(location.path, "is not formatted; npm run format mends it")
      : error(`${location.path}:${location.start.line}`, `${message} (${category})`),
  );
  if (summary.errors > findings.length) findings.push(error("biome.json", `${summary.errors} errors in all`));
  return { findings, looked: `${summary.unchanged} files` };
}
