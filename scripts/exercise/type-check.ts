// Asks the compiler about assembled answers, all of them in one go, and says each fault in terms of the file that
// a person wrote, not of its copy in the assembly.

import { writeFileSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { runCompiler } from "../run-tool.ts";
import type { Assembly } from "./assemble.ts";

const ownRoot = fileURLToPath(new URL("../..", import.meta.url));

export interface TypeFault {
  readonly assembly: Assembly;
  /** Absolute path of the file as written. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** TypeScript's number, without `TS`: below 2000 mostly syntax. */
  readonly code: number;
  readonly message: string;
}

const faultPattern = /^(.+)\((\d+),(\d+)\): error TS(\d+): (.*)$/;

/**
 * Type-checks the answers and their tests under the project's own rules, but without those about unused names,
 * which get in the way of work in progress.
 * @param folder Where the generated tsconfig is written; the assemblies lie below it.
 */
export async function typeCheck(assemblies: readonly Assembly[], folder: string): Promise<TypeFault[]> {
  const config = {
    extends: relative(folder, join(ownRoot, "tsconfig.json")).split(sep).join("/"),
    compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
    files: assemblies.flatMap((assembly) => [...assembly.origins.keys()]),
    include: [],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const { code, output } = await runCompiler(folder);
  // A configuration that the compiler refuses is our fault, not the learner's.
  const refused = output.split(/\r?\n/).find((line) => line.startsWith("error TS"));
  if (refused !== undefined || (code !== 0 && output === "")) {
    throw new Error(`Cannot type-check: ${refused ?? `the compiler ended with ${code}`}`);
  }
  return output.split(/\r?\n/).flatMap((line) => {
    const match = faultPattern.exec(line);
    if (match === null) return [];
    const [, path = "", row = "1", column = "1", code = "0", message = ""] = match;
    const assembled = resolve(folder, path);
    const assembly = assemblies.find((each) => each.origins.has(assembled));
    if (assembly === undefined) return [];
    const file = assembly.origins.get(assembled) ?? assembled;
    return [{ assembly, file, line: Number(row), column: Number(column), code: Number(code), message }];
  });
}
