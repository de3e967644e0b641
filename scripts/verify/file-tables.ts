// `npm run diff` takes its reasons from the file tables in the stages' READMEs, so each table must tell the truth:
// every file of the stage is in it, with what really happened to it, and a reason where something did. Where a stage is taught in
// parts, each file belongs to one of them, and a folder of a part holds that part only: `npm run diff m4 m5 -- --part NAME`.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type CheckResult, error, type Finding } from "../check.ts";
import { type FileRow, type Part, parts, readFileTable } from "../file-table.ts";
import { diffStages, type FileDiff } from "../stage-diff.ts";
import { filesUnder, type Milestone, milestones, presentStages, stageFolder } from "../stages.ts";

export const check = {
  name: "file-tables",
  title: "The file table of each stage's README matches its files",
  order: 65,
  fast: true,
  run,
};

async function run(root: string): Promise<CheckResult> {
  const stages = presentStages(root);
  const findings = stages.flatMap((stage) => faultsOf(stage, stages, root));
  return { findings, looked: `${stages.length} tables` };
}

function faultsOf(stage: Milestone, stages: readonly Milestone[], root: string): Finding[] {
  const where = `stages/${stage}/README.md`;
  const readme = join(stageFolder(stage, root), "README.md");
  if (!existsSync(readme)) return [error(where, "is missing")];
  const rows = readFileTable(readFileSync(readme, "utf8"));
  if (rows.length === 0) return [error(where, "has no table with the columns File, Change, Why")];
  const files = filesOf(stage, stages, root);
  const unknown = rows
    .filter((row) => files.every((file) => file.path !== row.path))
    .map((row) => error(where, `names ${row.path}, which is in neither stage`));
  const wrongParts = rows.flatMap((row) => faultOfPart(row, where));
  return [...files.flatMap((file) => faultOfFile(file, rows, where)), ...unknown, ...wrongParts];
}

/** The rooms of m5: what stands in one of these folders belongs to its part. */
const partOfFolder: Readonly<Record<string, Part>> = {
  http1: "parser",
  sockets: "sockets",
  workers: "workers",
  delta: "deltas",
  trim: "trim",
};

function faultOfPart({ path, part }: FileRow, where: string): Finding[] {
  if (part === undefined) return [];
  if (!parts.some((each) => each === part)) {
    return [error(where, `puts ${path} into "${part}"; the parts are ${parts.join(", ")}`)];
  }
  const [, folder = ""] = path.split("/");
  const ofFolder = partOfFolder[folder];
  return ofFolder === undefined || ofFolder === part
    ? []
    : [error(where, `puts ${path} into ${part}; its folder is that of ${ofFolder}`)];
}

function filesOf(
  stage: Milestone,
  stages: readonly Milestone[],
  root: string,
): Pick<FileDiff, "path" | "status">[] {
  const before = milestones[milestones.indexOf(stage) - 1];
  if (before !== undefined && stages.includes(before)) return [...diffStages(before, stage, root).files];
  const files = filesUnder(join(stageFolder(stage, root), "src"));
  return files.map((file) => ({ path: `src/${file}`, status: "new" as const }));
}

function faultOfFile(
  file: Pick<FileDiff, "path" | "status">,
  rows: readonly FileRow[],
  where: string,
): Finding[] {
  const found = rows.filter((row) => row.path === file.path);
  const row = found[0];
  // Files that stayed the same need no row.
  if (row === undefined) {
    return file.status === "same"
      ? []
      : [error(where, `has no row for ${file.path}, which is ${file.status}${driftWords(file.status)}`)];
  }
  if (found.length > 1) return [error(where, `has ${found.length} rows for ${file.path}`)];
  if (row.change !== file.status)
    return [error(where, `says that ${file.path} is ${row.change}; it is ${file.status}`)];
  return row.change !== "same" && row.why === "" ? [error(where, `gives no reason for ${file.path}`)] : [];
}

/** Most files without a row differ because somebody has mended one of them. */
function driftWords(status: FileDiff["status"]): string {
  return status === "changed" ? ": was a fix made in one stage only? (npm run carry FILE STAGE)" : "";
}
