// Child processes of the bench: each leads its own process group, and its output goes to files.
import { join } from "node:path";
import { eventually } from "../shared/testkit/eventually.ts";
import { Program, StartError } from "../shared/testkit/program.ts";
import { accepts } from "../shared/testkit/raw-client.ts";

export type Child = {
  readonly program: Program;
  readonly pid: number;
  /** Where its standard output goes; opened for appending, so it may be truncated while the child runs. */
  readonly stdoutPath: string;
  /** SIGTERM, then SIGKILL to its group after 5 s. Resolves when it is gone. */
  readonly stop: () => Promise<void>;
};

export type ChildOptions = {
  /** Names the two output files in `directory`. */
  readonly name: string;
  readonly directory: string;
  readonly env?: Readonly<Record<string, string>>;
};

/** Starts a program without a shell. Its output goes to files: a pipe would make the bench read every access-log line. */
export function startChild(command: string, args: readonly string[], options: ChildOptions): Child {
  const { name, directory, env = {} } = options;
  const stdout = join(directory, `${name}.out`);
  const program = new Program({
    name,
    command,
    args,
    env,
    files: { stdout, stderr: join(directory, `${name}.err`) },
    ownGroup: true,
  });
  const stop = async () => void (await program.stop("SIGTERM", 5_000));
  return { program, pid: program.pid, stdoutPath: stdout, stop };
}

/** Waits for a line `{"event":"ready",…}` on the child's standard output and returns it parsed. */
export async function readyLine(
  child: Child,
  deadlineMs = 15_000,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await child.program.ready(deadlineMs);
  } catch (error) {
    return await giveUp(child, error instanceof StartError ? error.message : String(error));
  }
}

/** Waits until something accepts connections on the port: for programs that print no ready line. */
export async function acceptsConnections(child: Child, port: number, deadlineMs = 10_000): Promise<void> {
  const { program } = child;
  const look = async () => program.hasEnded || (await accepts(port));
  await eventually(look, { what: "connections are accepted", deadlineMs, everyMs: 20 }).catch(() => {});
  if (!program.hasEnded && (await accepts(port))) return;
  await giveUp(
    child,
    `${program.name} ${program.howItEnded() ?? `accepts no connection within ${deadlineMs} ms`}`,
  );
}

async function giveUp(child: Child, why: string): Promise<never> {
  const words = child.program.lastLines().join("\n").trim().slice(-500);
  await child.stop();
  throw new Error(`${why}: ${words || "it printed nothing"}`);
}
