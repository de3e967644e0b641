// Runs one of the project's tools (tsc, biome, vitest, bash) to its end and keeps what it said.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { projectRoot } from "./stages.ts";

export interface ToolResult {
  readonly code: number;
  /** Standard output and standard error, as they came: lines of one may stand within lines of the other. */
  readonly output: string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ToolOptions {
  /** @default the project's folder */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the tool, and what it started, after this time; the code is then 124. @default 900000 */
  readonly timeoutMs?: number;
}

/** Path of a file of an installed package, for `runNode`. */
export function packageFile(path: string): string {
  return join(projectRoot, "node_modules", path);
}

/** Runs a JavaScript or TypeScript file with this very Node. */
export function runNode(
  script: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<ToolResult> {
  return runProgramFile(process.execPath, [script, ...args], options);
}

/** Type-checks by the tsconfig.json in `folder`. */
export function runCompiler(folder: string): Promise<ToolResult> {
  return runNode(packageFile("typescript/bin/tsc"), ["-p", folder, "--pretty", "false"], { cwd: folder });
}

/** Runs a program without a shell. Plain text is asked for, so that output can be compared and quoted. */
export async function runProgramFile(
  program: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<ToolResult> {
  const env = { ...process.env, NO_COLOR: "1", ...options.env } as NodeJS.ProcessEnv;
  delete env["FORCE_COLOR"];
  // Vitest sets these in its workers; a tool that starts another Vitest must not hand them on.
  for (const name of Object.keys(env).filter((key) => key.startsWith("VITEST"))) delete env[name];
  // A group of its own: after the time limit, the tool's own children have to go too.
  const child = spawn(program, args, {
    cwd: options.cwd ?? projectRoot,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const said = { output: "", stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      said.output += text;
      said[name] += text;
    });
  }
  const endGroup = () => endProcessGroup(child.pid);
  // Being a group of its own, it does not hear Ctrl-C; and `exit` handlers do not run when a signal ends us.
  const endAll = () => {
    endGroup();
    process.exit(1);
  };
  process.once("exit", endGroup);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, endAll);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    endGroup();
  }, options.timeoutMs ?? 900_000);
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (exitCode) => resolve(exitCode ?? 1));
    });
    return { code: isLate ? 124 : code, ...said };
  } finally {
    clearTimeout(timer);
    process.off("exit", endGroup);
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, endAll);
  }
}

/**
 * Runs a script in this terminal. A signal that ends this process ends the script as well.
 * @returns Its exit code, and whether such a signal came.
 */
export async function runHere(
  script: string,
  args: readonly string[],
): Promise<{ readonly code: number; readonly stopped: boolean }> {
  // Without the keyboard: a tool may take Ctrl-C from it as a key, and end with a fault.
  const stdio = ["ignore", "inherit", "inherit"] as const;
  const child = spawn(process.execPath, [script, ...args], { cwd: projectRoot, stdio: [...stdio] });
  let stopped = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      stopped = true;
      child.kill(signal);
    });
  }
  process.once("exit", () => child.kill());
  const [code] = (await once(child, "exit")) as [number | null];
  return { code: code ?? 2, stopped };
}

function endProcessGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

/** The end of a tool's output, which is where the faults are. */
export function lastLines(text: string, count: number): string {
  return text.trim().split("\n").slice(-count).join("\n");
}
