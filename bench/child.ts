// Child processes that cannot be left behind: each leads its own process group, and every group that is still alive is
// killed when the bench exits, however it exits (SIGKILL of the bench itself excepted).
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export type Child = {
  readonly pid: number;
  /** Where its standard output goes; opened for appending, so it may be truncated while the child runs. */
  readonly stdoutPath: string;
  readonly stderrPath: string;
  readonly exitCode: () => number | string | null;
  /** SIGTERM, then SIGKILL to its group after 5 s. Resolves when it is gone. */
  readonly stop: () => Promise<void>;
};

export type ChildOptions = {
  /** Names the two output files in `directory`. */
  readonly name: string;
  readonly directory: string;
  readonly env?: Readonly<Record<string, string>>;
};

const alive = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of alive) killGroup(child, "SIGKILL");
});

/** Starts a program without a shell. Its output goes to files: a pipe would make the bench read every access-log line. */
export function startChild(command: string, args: readonly string[], options: ChildOptions): Child {
  const stdoutPath = join(options.directory, `${options.name}.out`);
  const stderrPath = join(options.directory, `${options.name}.err`);
  const [stdout, stderr] = [openSync(stdoutPath, "a"), openSync(stderrPath, "a")];
  const child = spawn(command, args, {
    stdio: ["ignore", stdout, stderr],
    detached: true,
    env: { ...process.env, ...options.env },
  });
  closeSync(stdout);
  closeSync(stderr);
  let failure: string | null = null;
  alive.add(child);
  const gone = new Promise<void>((resolve) => {
    const settle = () => {
      alive.delete(child);
      resolve();
    };
    child.once("exit", settle);
    child.once("error", (error) => {
      failure = error.message;
      settle();
    });
  });
  const stop = async () => {
    killGroup(child, "SIGTERM");
    const timer = setTimeout(() => killGroup(child, "SIGKILL"), 5_000);
    await gone;
    clearTimeout(timer);
    // A supervisor may have left workers behind: its group outlives it.
    killGroup(child, "SIGKILL");
  };
  return {
    pid: child.pid ?? 0,
    stdoutPath,
    stderrPath,
    exitCode: () => failure ?? child.exitCode ?? child.signalCode,
    stop,
  };
}

/** Waits for a line `{"event":"ready",…}` on the child's standard output and returns it parsed. */
export async function readyLine(child: Child, deadlineMs = 15_000): Promise<Record<string, unknown>> {
  let ready: Record<string, unknown> | undefined;
  await until(child, deadlineMs, async () => {
    const line = readFileSync(child.stdoutPath, "utf8")
      .split("\n")
      .slice(0, -1)
      .find((text) => text.includes('"event":"ready"'));
    if (line !== undefined) ready = JSON.parse(line) as Record<string, unknown>;
    return ready !== undefined;
  });
  return ready ?? {};
}

/** Waits until something accepts connections on the port: for programs that print no ready line. */
export async function acceptsConnections(child: Child, port: number, deadlineMs = 10_000): Promise<void> {
  await until(child, deadlineMs, () => {
    const socket = connect({ host: "127.0.0.1", port });
    return new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    }).finally(() => socket.destroy());
  });
}

async function until(child: Child, deadlineMs: number, condition: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!(await condition())) {
    const code = child.exitCode();
    const why =
      code !== null ? `it ended (${code})` : performance.now() > endMs ? `not ready in ${deadlineMs} ms` : "";
    if (why !== "") {
      const words = readFileSync(child.stderrPath, "utf8") || readFileSync(child.stdoutPath, "utf8");
      await child.stop();
      throw new Error(`${why}: ${words.trim().slice(-500) || "it printed nothing"}`);
    }
    await sleep(20);
  }
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // ESRCH: the whole group is gone already.
  }
}
