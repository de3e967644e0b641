// Shows what changed from one stage to a later one, and why.
//
//   npm run diff m1 m2                        file table with reasons
//   npm run diff m1 m2 -- --full              and the diff of every file
//   npm run diff m1 m2 -- --file proxy.ts     one file
//   npm run diff m4 m5 -- --part parser       one part of m5
//   npm run diff m1 m2 -- --json              everything, for programs
//
// Exit codes: 0 good, 1 an unknown stage, file or flag.

import { colours, runCommand, UsageError, type Values } from "./command-line.ts";
import { parts } from "./file-table.ts";
import { diffBudget, diffStages, type FileDiff, removedShareAllowed, type StageDiff } from "./stage-diff.ts";
import { milestones, parseStage } from "./stages.ts";

const usage = `Usage: npm run diff m1 m2 [-- flags]
  --full         the diff of every file, after the table
  --file NAME    the diff of one file: proxy.ts, src/proxy.ts, routing.json
  --part NAME    the diff of one part of m5: ${parts.join(", ")}
  --json         everything as JSON
  --help         this text`;

const options = {
  full: { type: "boolean" },
  file: { type: "string" },
  part: { type: "string" },
  json: { type: "boolean" },
} as const;

type Colours = ReturnType<typeof colours>;

async function main(values: Values<typeof options>, words: readonly string[]): Promise<number> {
  if (words.length !== 2) throw new UsageError("name two stages, as in: npm run diff m1 m2");
  const from = parseStage(words[0]);
  const to = parseStage(words[1]);
  if (milestones.indexOf(from) >= milestones.indexOf(to)) {
    throw new UsageError(`name the older stage first: ${to} is not after ${from}`);
  }
  const diff = diffStages(from, to);
  if (values.file !== undefined && values.part !== undefined) throw new UsageError("take --file or --part");
  const files =
    values.part !== undefined
      ? filesOfPart(diff, values.part)
      : values.file === undefined
        ? diff.files
        : [findFile(diff, values.file)];
  if (values.json === true) {
    console.log(JSON.stringify({ ...diff, files, budget: diffBudget(diff) }, null, 2));
    return 0;
  }
  const c = colours();
  console.log(tableLines(diff, files, c).join("\n"));
  const isNarrow = values.file !== undefined || values.part !== undefined;
  if (values.full === true || isNarrow) console.log(patchLines(files, c).join("\n"));
  else console.log(`\nOne file: npm run diff ${from} ${to} -- --file NAME; all of them: -- --full`);
  return 0;
}

function filesOfPart(diff: StageDiff, part: string): FileDiff[] {
  const files = diff.files.filter((file) => file.part === part);
  if (files.length > 0) return files;
  const known = parts.filter((each) => diff.files.some((file) => file.part === each));
  const words = known.length === 0 ? `${diff.to} has no parts` : `${diff.to} has ${known.join(", ")}`;
  throw new UsageError(`there is no part "${part}": ${words}`);
}

function findFile(diff: StageDiff, name: string): FileDiff {
  const found = diff.files.filter(({ path }) => path === name || path === `src/${name}`);
  const loose = found.length > 0 ? found : diff.files.filter(({ path }) => path.endsWith(`/${name}`));
  const file = loose[0];
  if (file !== undefined) return file;
  const known = diff.files.map(({ path }) => path.replace(/^src\//, "")).join(", ");
  throw new UsageError(`neither ${diff.from} nor ${diff.to} has a file "${name}": ${known}`);
}

function tableLines(diff: StageDiff, files: readonly FileDiff[], c: Colours): string[] {
  const { removedShare } = diffBudget(diff);
  const count = (status: string) => diff.files.filter((file) => file.status === status).length;
  const lines = [
    c.bold(`${diff.from} -> ${diff.to}`) +
      `: ${count("new")} new, ${count("changed")} changed, ${count("removed")} removed, ${count("same")} the same`,
    `${c.green(`+${diff.added}`)} ${c.red(`-${diff.removed}`)} lines; ${percent(removedShare)} of ${diff.from} removed` +
      (diff.to === "m5" ? " (the rewrite has no budget)" : ` (budget ${percent(removedShareAllowed)})`),
    "",
  ];
  const width = Math.max(...files.map((file) => file.path.length));
  for (const file of files.filter(({ status }) => status !== "same")) lines.push(...rowLines(file, width, c));
  const same = files.filter(({ status }) => status === "same").map(({ path }) => path);
  if (same.length > 0) lines.push(c.dim(`  the same: ${same.join(", ")}`));
  return lines;
}

function rowLines(file: FileDiff, width: number, c: Colours): string[] {
  const paint = { new: c.green, changed: c.yellow, removed: c.red, same: c.dim }[file.status];
  const counts = `${`+${file.added}`.padStart(5)} ${`-${file.removed}`.padStart(5)}`;
  const row = `  ${paint(file.status.padEnd(7))} ${counts}  ${file.path.padEnd(width)}`;
  const [first, ...others] = file.reasons;
  if (first === undefined) return [row.trimEnd()];
  // On a way over several stages, each of them may have touched the file for a reason of its own.
  const words = others.length === 0 ? [first.why] : file.reasons.map(({ stage, why }) => `${stage}: ${why}`);
  const indent = " ".repeat(2 + 7 + 1 + 11 + 2 + width);
  return words.map((why, index) => `${index === 0 ? row : indent}  ${why}`);
}

function patchLines(files: readonly FileDiff[], c: Colours): string[] {
  return files.flatMap(({ patch }) =>
    patch === ""
      ? []
      : [
          "",
          ...patch
            .trimEnd()
            .split("\n")
            .map((line) => paintLine(line, c)),
        ],
  );
}

function paintLine(line: string, c: Colours): string {
  if (line.startsWith("---") || line.startsWith("+++")) return c.bold(line);
  if (line.startsWith("@@")) return c.cyan(line);
  if (line.startsWith("+")) return c.green(line);
  return line.startsWith("-") ? c.red(line) : line;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

// `npm run diff m1 m2 | head` closes the pipe early; that is no fault of anybody's.
process.stdout.on("error", () => process.exit(0));
await runCommand({ name: "diff", usage, options }, main);
