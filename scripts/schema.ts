// Writes every JSON Schema of the workbook from the code that it describes: the stages' routing.schema.json and the
// exercises' exercise.schema.json.
//
//   npm run schema                 writes what has changed
//   npm run schema -- --check      writes nothing; exit code 1 when a file is not in step
//
// Exit codes: 0 in step, 1 not in step or a wrong flag.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { BrokenPromiseError, runCommand } from "./command-line.ts";
import { exerciseJsonSchema } from "./exercise/exercise-spec.ts";
import { packageFile, runNode } from "./run-tool.ts";
import { presentStages, projectRoot, stageFolder } from "./stages.ts";

const usage = `Usage: npm run schema [-- flags]
  --check   write nothing; tell which files are not in step
  --help    this text`;

interface SchemaFile {
  /** Relative to the project. */
  readonly path: string;
  readonly wanted: unknown;
}

const options = { check: { type: "boolean" } } as const;

async function main(isCheck: boolean): Promise<number> {
  const stale = (await schemaFiles()).filter(({ path, wanted }) => !isDeepStrictEqual(written(path), wanted));
  for (const { path, wanted } of stale) {
    if (!isCheck) await write(path, wanted);
    console.log(isCheck ? `not in step: ${path}; run npm run schema` : `wrote ${path}`);
  }
  if (stale.length === 0) console.log("every schema is in step");
  return isCheck && stale.length > 0 ? 1 : 0;
}

async function schemaFiles(): Promise<readonly SchemaFile[]> {
  const files: SchemaFile[] = [{ path: "exercises/exercise.schema.json", wanted: exerciseJsonSchema() }];
  for (const stage of presentStages()) {
    // m1's table is part of its code.
    if (!existsSync(join(stageFolder(stage), "routing.json"))) continue;
    const validator = pathToFileURL(join(stageFolder(stage), "src", "routing-table.ts")).href;
    const { routingTableJsonSchema } = (await import(validator)) as { routingTableJsonSchema(): unknown };
    // As it reads back: what JSON cannot hold is gone.
    const wanted: unknown = JSON.parse(JSON.stringify(routingTableJsonSchema()));
    files.push({ path: `stages/${stage}/routing.schema.json`, wanted });
  }
  return files;
}

function written(path: string): unknown {
  const file = join(projectRoot, path);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}

async function write(path: string, wanted: unknown): Promise<void> {
  writeFileSync(join(projectRoot, path), JSON.stringify(wanted));
  // Breaks the lines as everywhere else.
  const args = ["format", "--write", path];
  const { code, output } = await runNode(packageFile("@biomejs/biome/bin/biome"), args, { cwd: projectRoot });
  if (code !== 0) throw new BrokenPromiseError(`cannot format ${path}: ${output}`);
}

await runCommand({ name: "schema", usage, options, flagsOnly: true }, ({ check }) => main(check === true));
