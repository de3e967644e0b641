// The router in other languages (`ports/`): which there are, what they promise, and how their programs are built. A program
// is built once for each state of its sources, into `.cache/ports`.

import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { UsageError } from "./command-line.ts";
import { runProgramFile } from "./run-tool.ts";
import { filesUnder, type Milestone, projectRoot } from "./stages.ts";

export const portedNames = ["pingora", "go"] as const;
export type PortedName = (typeof portedNames)[number];

/** What a stack has to know of a router that is not the stage's own. */
export interface OtherRouter {
  readonly name: string;
  /** The milestones that it can be. */
  readonly stages: readonly Milestone[];
  /** Those in which it takes its table from a file, where the stage takes it from a control plane. */
  readonly followsFile: readonly Milestone[];
}

export interface PortedRouter extends OtherRouter {
  readonly name: PortedName;
  /** What builds it, and what that needs: programs, and in words. */
  readonly tool: string;
  readonly alsoRuns: readonly string[];
  readonly needs: string;
  /** Arguments of the tool; `target` is where the program goes, or where the tool may keep what it has made. */
  readonly build: (target: string) => readonly string[];
  /** The program below `target`. */
  readonly program: string;
  /** A program that is as good for a proof and built sooner, where there is one. */
  readonly quick?: { readonly build: (target: string) => readonly string[]; readonly program: string };
  /** Sources, by their path below `ports/NAME`. */
  readonly isSource: (path: string) => boolean;
}

export const portedRouters: Readonly<Record<PortedName, PortedRouter>> = {
  pingora: {
    name: "pingora",
    stages: ["m1", "m2", "m3", "m4"],
    followsFile: [],
    tool: "cargo",
    alsoRuns: ["cmake", "cc"],
    needs: "Rust 1.88 or later, cmake and a C compiler",
    build: (target) => ["build", "--release", "--locked", "--target-dir", target],
    program: "release/router-pingora",
    quick: {
      build: (target) => ["build", "--locked", "--target-dir", target],
      program: "debug/router-pingora",
    },
    isSource: (path) => /^(src\/.*\.rs|Cargo\.(toml|lock))$/.test(path),
  },
  go: {
    name: "go",
    stages: ["m1", "m2", "m4"],
    followsFile: ["m4"],
    tool: "go",
    alsoRuns: [],
    needs: "Go 1.26 or later",
    build: (target) => ["build", "-trimpath", "-o", join(target, "router-go"), "."],
    program: "router-go",
    isSource: (path) => /^[^/]+\.go$|^go\.(mod|sum)$/.test(path),
  },
};

/** Where a build's tool keeps what it has made: the work of minutes, in Pingora's case. */
export function buildFolder(ported: PortedRouter, root = projectRoot): string {
  // Who sets this has a folder that other builds share.
  const shared = ported.name === "pingora" ? process.env["CARGO_TARGET_DIR"] : undefined;
  return shared ?? join(root, ".cache", "ports", `${ported.name}-build`);
}

/** A name for the state of the sources. */
export function sourceHash(ported: PortedRouter, root = projectRoot): string {
  const folder = join(root, "ports", ported.name);
  const hash = createHash("sha256");
  for (const path of filesUnder(folder).filter(ported.isSource))
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(folder, path)))
      .update("\0");
  return hash.digest("hex").slice(0, 16);
}

/** The built program for the sources as they are now, if there is one. */
export function builtProgram(ported: PortedRouter, root = projectRoot): string | undefined {
  const file = programFile(ported, root);
  return existsSync(file) ? file : undefined;
}

function programFile(ported: PortedRouter, root: string): string {
  return join(root, ".cache", "ports", `router-${ported.name}-${sourceHash(ported, root)}`);
}

/** The first of the tools that building it takes and that is not installed. */
export async function missingTool({ tool, alsoRuns }: PortedRouter): Promise<string | undefined> {
  for (const each of [tool, ...alsoRuns])
    if ((await runTool(each, ["--version"], projectRoot)).code === undefined) return each;
  return undefined;
}

/**
 * The path of the program, which is built first where its sources have changed.
 *
 * @throws UsageError in one line when it cannot be built here
 */
export async function buildPorted(
  ported: PortedRouter,
  tell: (line: string) => void = () => {},
  root = projectRoot,
): Promise<string> {
  const present = builtProgram(ported, root);
  if (present !== undefined) return present;
  const { name, needs } = ported;
  const missing = await missingTool(ported);
  if (missing !== undefined)
    throw new UsageError(`--port ${name} needs ${needs}: ${missing} is not installed, or not in PATH`);
  const isFirst = name === "pingora" && !existsSync(join(buildFolder(ported, root), "release"));
  tell(`building ports/${name}${isFirst ? ": the first time, some minutes" : ""}`);
  const built = await compile(ported, ported, root);
  const file = programFile(ported, root);
  mkdirSync(join(root, ".cache", "ports"), { recursive: true });
  // Renamed into its place: half a copy must not look like the program.
  copyFileSync(built, `${file}.${process.pid}`);
  renameSync(`${file}.${process.pid}`, file);
  forgetOld(ported, root);
  return file;
}

/** The program as it is, if it is built; else one that is built sooner. @throws UsageError as `buildPorted` does */
export async function buildForProof(ported: PortedRouter, root = projectRoot): Promise<string> {
  const present = builtProgram(ported, root);
  if (present !== undefined) return present;
  if (ported.quick === undefined) return await buildPorted(ported, () => {}, root);
  return await compile(ported, ported.quick, root);
}

/** Runs the tool, and returns where the program is. @throws UsageError with what the tool said */
async function compile(
  ported: PortedRouter,
  { build, program }: Pick<PortedRouter, "build" | "program">,
  root: string,
): Promise<string> {
  const { name, tool, needs } = ported;
  const target = buildFolder(ported, root);
  mkdirSync(target, { recursive: true });
  const attempt = () => runTool(tool, build(target), join(root, "ports", name));
  let run = await attempt();
  // CMake notes where its folder is, and fails once in a copy of it: a cache that has come to another path.
  if (run.code !== 0 && run.output.includes("CMake")) run = await attempt();
  if (run.code !== 0)
    throw new UsageError(`ports/${name} cannot be built; it needs ${needs}:\n${run.output.trimEnd()}`);
  return join(target, program);
}

/** Who switches between two branches needs two programs, and nobody needs twenty. */
function forgetOld({ name }: PortedRouter, root: string): void {
  const folder = join(root, ".cache", "ports");
  const age = (file: string) => -statSync(join(folder, file)).mtimeMs;
  const programs = readdirSync(folder).filter((file) => file.startsWith(`router-${name}-`));
  for (const file of programs.sort((a, b) => age(a) - age(b)).slice(4)) rmSync(join(folder, file));
}

export interface ToolRun {
  /** Undefined where the tool could not be started. */
  readonly code: number | undefined;
  readonly output: string;
}

/** Runs a tool without a shell, and keeps the end of what it says. */
export async function runTool(tool: string, args: readonly string[], cwd: string): Promise<ToolRun> {
  // Go would otherwise download another Go, where go.mod names a newer one.
  const env = { GOTOOLCHAIN: "local", CARGO_TERM_COLOR: "never" };
  try {
    // The first build takes some minutes, and more where the machine is slow.
    const { code, output } = await runProgramFile(tool, args, { cwd, env, timeoutMs: 3_600_000 });
    return { code, output: output.slice(-8_000) };
  } catch {
    return { code: undefined, output: "" };
  }
}

/** Environment of a ported router that is to be `stage`. */
export function portedEnv(ported: OtherRouter, stage: Milestone): Record<string, string> {
  expectStage(ported, stage);
  return { STAGE: stage };
}

/** @throws UsageError where the port leaves this milestone out */
export function expectStage({ name, stages }: OtherRouter, stage: Milestone): void {
  if (stages.includes(stage)) return;
  throw new UsageError(`--port ${name} can be ${stages.join(", ")}, and not ${stage}`);
}

/** `--port` takes a number, a name, or both. @throws UsageError */
export function readPortFlags(flags: readonly string[] | undefined): {
  readonly port: string | undefined;
  readonly ported: PortedRouter | undefined;
} {
  const isName = (word: string): word is PortedName => portedNames.some((name) => name === word);
  const names = (flags ?? []).filter(isName);
  const [port, ...others] = (flags ?? []).filter((word) => !isName(word));
  if (names.length > 1 || others.length > 0)
    throw new UsageError(`--port takes one number, and one of ${portedNames.join(", ")}`);
  if (port !== undefined && !/^\d+$/.test(port))
    throw new UsageError(`--port takes a number, or one of ${portedNames.join(", ")}; got "${port}"`);
  const [name] = names;
  return { port, ported: name === undefined ? undefined : portedRouters[name] };
}

/** For commands whose `--port` takes nothing but a name. @throws UsageError */
export function readPorted(word: string | undefined, stage: Milestone): PortedRouter | undefined {
  if (word === undefined) return undefined;
  const { port, ported } = readPortFlags([word]);
  if (ported === undefined || port !== undefined)
    throw new UsageError(`--port takes one of ${portedNames.join(", ")}; got "${word}"`);
  expectStage(ported, stage);
  return ported;
}
