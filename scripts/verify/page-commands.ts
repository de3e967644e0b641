// What the pages tell a reader to type does what they say: blocks marked `run` are executed and their output compared,
// every npm script and every path that a command names exists. scripts/markdown-commands.ts has the notation.

import { existsSync, mkdtempDisposableSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { eventually } from "../../shared/testkit/eventually.ts";
import { type CheckResult, error, type Finding } from "../check.ts";
import {
  type CommandBlock,
  npmScriptsIn,
  outputFault,
  projectPathsIn,
  readCommandBlocks,
} from "../markdown-commands.ts";
import { packageFile, runProgramFile } from "../run-tool.ts";
import { startStack } from "../stack.ts";
import type { RouterMember } from "../stack-members.ts";
import { filesUnder, type Milestone, stageFolder } from "../stages.ts";

export const check = {
  name: "page-commands",
  title: "Commands on the pages exist, and those marked run print what is shown",
  order: 80,
  run,
};

async function run(root: string): Promise<CheckResult> {
  const pages = pagesOf(root);
  const findings: Finding[] = [];
  let executed = 0;
  for (const page of pages) {
    const markdown = readFileSync(join(root, page), "utf8");
    const blocks = readCommandBlocks(page, markdown);
    findings.push(
      ...missingScripts(page, markdown, root),
      ...blocks.flatMap((block) => missingPaths(block, root)),
    );
    for (const block of blocks.filter(({ isRun }) => isRun)) {
      executed += 1;
      const fault = await execute(block, root);
      if (fault !== undefined) findings.push(error(`${page}:${block.line}`, fault));
    }
  }
  return { findings, looked: `${executed} blocks executed on ${pages.length} pages` };
}

function pagesOf(root: string): string[] {
  const stages = filesUnder(join(root, "stages")).map((file) => `stages/${file}`);
  const site = filesUnder(join(root, "site")).map((file) => `site/${file}`);
  return ["README.md", "CONTRIBUTING.md", ...stages, ...site].filter(
    (file) =>
      file.endsWith(".md") && !/\/(node_modules|\.vitepress)\//.test(file) && existsSync(join(root, file)),
  );
}

function missingScripts(page: string, markdown: string, root: string): Finding[] {
  const { scripts = {} } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    scripts?: Record<string, string>;
  };
  return npmScriptsIn(markdown).flatMap((name) => {
    const command = scripts[name];
    if (command === undefined) return [error(page, `names npm run ${name}, which package.json has not got`)];
    const missing = projectPathsIn(command).filter((path) => !existsSync(join(root, path)));
    return missing.map((path) => error(page, `names npm run ${name}, but ${path} does not exist`));
  });
}

function missingPaths(block: CommandBlock, root: string): Finding[] {
  return projectPathsIn(block.commands)
    .filter((path) => !existsSync(join(root, path)))
    .map((path) => error(`${block.file}:${block.line}`, `names ${path}, which does not exist`));
}

async function execute(block: CommandBlock, root: string): Promise<string | undefined> {
  if (block.stage === undefined) return await runBlock(block, block.commands, (output) => output, root);
  using state = mkdtempDisposableSync(join(tmpdir(), "cell-routing-page-"));
  const folder = stageFolder(block.stage, root);
  await using stack = await startStack({
    stage: block.stage,
    port: 0,
    routers: 1,
    stageFolder: folder,
    stateFolder: state.path,
  });
  if (stack.controlPlane !== undefined) await Promise.all(stack.routers.map(hasHeard));
  const addresses = documentedAddresses(block.stage, stack);
  const toReal = (text: string) => replaceAll(text, addresses);
  const toShown = (text: string) =>
    replaceAll(text, new Map([...addresses].map(([shown, real]) => [real, shown])));
  return await runBlock(block, toReal(block.commands), toShown, root);
}

/** A reader types no faster than a router links to its control plane; this check might. */
async function hasHeard({ name, adminUrl }: RouterMember): Promise<void> {
  const isLinked = async (): Promise<boolean> => {
    const status = (await (await fetch(`${adminUrl}/debug/config`)).json()) as {
      readonly connected: boolean;
    };
    return status.connected;
  };
  await eventually(isLinked, { what: `${name} is linked to its control plane`, deadlineMs: 30_000 });
}

async function runBlock(
  block: CommandBlock,
  commands: string,
  toShown: (output: string) => string,
  root: string,
): Promise<string | undefined> {
  const env = {
    PATH: `${packageFile(".bin")}${delimiter}${process.env["PATH"] ?? ""}`,
    // A page shows the default ports; another stack may hold them while the page is verified.
    STAGE_PORT: "0",
  };
  // Pages are written for a shell; this check is the maintainers'.
  const { code, output } = await runProgramFile("bash", ["-euo", "pipefail", "-c", commands], {
    cwd: root,
    env,
  });
  if (code !== block.exitCode) {
    return `ended with exit code ${code} instead of ${block.exitCode}:\n${output.trim()}`;
  }
  return block.expected === undefined ? undefined : outputFault(block.expected, toShown(output));
}

/** The addresses that a page shows, and where they are in this stack. */
function documentedAddresses(
  stage: Milestone,
  stack: Awaited<ReturnType<typeof startStack>>,
): Map<string, string> {
  const router = stack.routers[0];
  const pairs: [number, string | undefined][] = [
    [8080, router?.url],
    [8081, stack.controlPlane?.url],
    [8082, stage === "m1" ? undefined : router?.adminUrl],
    [9001, stack.cells.get("tier1")?.url],
    [9002, stack.cells.get("tier2")?.url],
    [9003, stack.cells.get("tier3")?.url],
    [9004, stack.cells.get("visa")?.url],
  ];
  return new Map(
    pairs.flatMap(([port, url]) =>
      url === undefined ? [] : [[`127.0.0.1:${port}`, url.replace("http://", "")]],
    ),
  );
}

function replaceAll(text: string, replacements: ReadonlyMap<string, string>): string {
  return [...replacements].reduce((result, [from, to]) => result.replaceAll(from, to), text);
}
