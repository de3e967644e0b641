// Commands in Markdown, and the promise that they do what the page says.
//
//   ```sh                  shown to the reader; what it names must exist
//   ```sh run              executed, must end with 0; a ```text block right after it is its output
//   ```sh run exit=1       executed, must end with that code
//   ```sh run with=m1      executed while the stack of that stage is up; 127.0.0.1:8080 and the other documented
//                          addresses are replaced by those of that stack
//
// In an expected output, a line `…` stands for any lines, and `…` inside a line for any text. Ports, times and ids
// are the same whatever they are; what npm prints before a script is left out.

import { stripVTControlCharacters } from "node:util";
import { fencesOf } from "./markdown.ts";
import { type Milestone, milestones } from "./stages.ts";

export interface CommandBlock {
  readonly file: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
  readonly commands: string;
  readonly isRun: boolean;
  /** Stage whose stack has to be up. */
  readonly stage: Milestone | undefined;
  readonly exitCode: number;
  /** Text of the ```text block that follows; undefined when the page promises no output. */
  readonly expected: string | undefined;
}

const shells: ReadonlySet<string> = new Set(["sh", "bash", "shell", "console"]);

/** Every fenced block of shell commands, in order. */
export function readCommandBlocks(file: string, markdown: string): CommandBlock[] {
  const fences = fencesOf(markdown);
  return fences.flatMap((fence, index) => {
    const [language = "", ...words] = fence.info.split(/\s+/);
    if (!shells.has(language)) return [];
    const next = fences[index + 1];
    const isOutput = next?.followsFence === true && next.info.split(/\s+/)[0] === "text";
    const attribute = (name: string) =>
      words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
    return [
      {
        file,
        line: fence.line,
        commands: fence.text,
        isRun: words.includes("run"),
        stage: milestones.find((stage) => stage === attribute("with")),
        exitCode: Number(attribute("exit") ?? 0),
        expected: isOutput ? next.text : undefined,
      },
    ];
  });
}

/** Names of the npm scripts that a text tells its reader to run, in code blocks and in code spans alike. */
export function npmScriptsIn(text: string): string[] {
  const named = [...text.matchAll(/\bnpm (?:run|run-script) (?:-s |--silent )?([\w:-]+)/g)].map(
    ([, name = ""]) => name,
  );
  return [...new Set(/\bnpm (?:test|t)\b/.test(text) ? [...named, "test"] : named)];
}

/** Paths of the project that shell commands name: `stages/m1/src/main.ts`. Those with a placeholder are left out. */
export function projectPathsIn(commands: string): string[] {
  const paths =
    commands.match(/(?<![\w./-])(?:stages|shared|scripts|exercises|solutions|site)\/[\w./-]+/g) ?? [];
  return paths.filter((path) => !/mN|\bNAME\b/.test(path)).map((path) => path.replace(/[.,]$/, ""));
}

/** Output with everything removed that differs from run to run. */
export function normaliseOutput(output: string): string[] {
  const lines = stripVTControlCharacters(output)
    .split("\n")
    // What npm prints before it runs a script: the package and the command.
    .filter((line) => !/^> /.test(line))
    .map((line) =>
      line
        .trimEnd()
        .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, "<id>")
        .replaceAll(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, "<time>")
        .replaceAll(/\w{3}, \d{2} \w{3} \d{4} [\d:]{8} GMT/g, "<time>")
        .replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:<port>")
        .replaceAll(/"(port|pid)":\s?\d+/g, '"$1":<number>')
        .replaceAll(/\bpid \d+/g, "pid <number>")
        .replaceAll(/"(durationMs|stalenessSeconds)":\s?[\d.]+/g, '"$1":<number>')
        .replaceAll(/\b\d+(\.\d+)? ?(ms|s|µs|seconds)\b/g, "<duration>"),
    );
  return lines
    .filter((line, index) => line !== "" || (lines[index - 1] ?? "") !== "")
    .join("\n")
    .trim()
    .split("\n");
}

/** Where `output` differs from what the page shows, in words; undefined when it does not. */
export function outputFault(expected: string, output: string): string | undefined {
  const wanted = normaliseOutput(expected);
  const got = normaliseOutput(output);
  const reached = matchLines(wanted, got);
  if (reached === undefined) return undefined;
  const shown = wanted[reached.wanted] ?? "(the end)";
  const isAfterGap = wanted[reached.wanted - 1]?.trim() === "…";
  return [
    `the output differs at line ${reached.got + 1}`,
    `  shown: ${shown}`,
    isAfterGap
      ? "  got:   no such line from there on that the rest follows"
      : `  got:   ${got[reached.got] ?? "(the end)"}`,
    "the whole output was",
    ...got.map((line) => `  | ${line}`),
  ].join("\n");
}

/** The furthest point at which the lines still matched; undefined when all of them do. */
function matchLines(
  wanted: readonly string[],
  got: readonly string[],
): { wanted: number; got: number } | undefined {
  let furthest = { wanted: 0, got: 0 };
  const matches = (w: number, g: number): boolean => {
    if (w > furthest.wanted) furthest = { wanted: w, got: g };
    if (w === wanted.length) return g === got.length;
    if (wanted[w]?.trim() === "…") {
      for (let end = g; end <= got.length; end++) if (matches(w + 1, end)) return true;
      return false;
    }
    return g < got.length && matchesLine(wanted[w] ?? "", got[g] ?? "") && matches(w + 1, g + 1);
  };
  return matches(0, 0) ? undefined : furthest;
}

function matchesLine(wanted: string, got: string): boolean {
  if (!wanted.includes("…")) return wanted === got;
  const parts = wanted.split("…").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(got);
}
