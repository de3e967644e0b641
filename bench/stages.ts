// The five milestones as contenders: each stage's own `main.ts`, as a learner starts it.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { stageEnvironment } from "../shared/testkit/stage-environment.ts";
import { readyLine, startChild } from "./child.ts";
import type { Contender, StartContext } from "./contender.ts";
import { routingJson } from "./routes.ts";

const root = join(import.meta.dirname, "..");

const titles = {
  m1: "static routing",
  m2: "hot reload",
  m3: "control plane push, none running",
  m4: "resilience",
  m5: "the rewrite on raw sockets",
} as const;

/** Environment of a stage, or of a port of it, with the bench's table written beside it. */
export function benchEnvironment(context: StartContext, resilience: boolean): Record<string, string> {
  const { cells, directory, workers } = context;
  const routingFile = join(directory, "routing.json");
  writeFileSync(routingFile, routingJson(cells, resilience));
  const environment = stageEnvironment({ cells, routingFile, stateFolder: join(directory, "state") });
  return { ...environment, WORKERS: String(workers) };
}

type StageOptions = {
  /** Gives it a table with every protection of m4 switched on. @default false */
  readonly resilience?: boolean;
  /** @default true */
  readonly byDefault?: boolean;
  /** Whether it understands WORKERS. @default false */
  readonly hasWorkers?: boolean;
  /** Flags of Node for it. @default none */
  readonly nodeFlags?: readonly string[];
  /** Settings of Node and of the C library for it. @default none */
  readonly nodeEnvironment?: Readonly<Record<string, string>>;
};

/** A contender that keeps the stages' promise: environment in, one ready line out, the access log on standard output. */
export function stageLike(name: string, main: string, about: string, more: StageOptions = {}): Contender {
  const { resilience = false, byDefault = true, hasWorkers = false } = more;
  const { nodeFlags = [], nodeEnvironment = {} } = more;
  return {
    name,
    kind: "stage",
    about,
    byDefault,
    hasWorkers,
    find: () =>
      existsSync(main)
        ? { kind: "available", version: packageVersion() }
        : { kind: "missing", why: `${relative(root, main)} does not exist` },
    async start(context) {
      const args = [...context.nodeArgs, ...nodeFlags, main];
      const { directory } = context;
      const child = startChild(process.execPath, args, {
        name,
        directory,
        env: { ...benchEnvironment(context, resilience), ...nodeEnvironment },
      });
      const { url } = await readyLine(child);
      if (typeof url !== "string") throw new Error(`The ready line of ${name} holds no url`);
      return { url, pid: child.pid, logPath: child.stdoutPath, stop: child.stop };
    },
  };
}

function packageVersion(): string {
  return (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }).version;
}

function stage(name: keyof typeof titles): Contender {
  const resilience = name === "m4" || name === "m5";
  const about = `stages/${name}: ${titles[name]}${resilience ? ", every protection on" : ""}; JSON access log to a file`;
  return stageLike(name, mainOf(name), about, { resilience, hasWorkers: name === "m5" });
}

function withoutProtections(name: "m4" | "m5"): Contender {
  const about = `stages/${name} with a routing table of m2: no protection on; JSON access log to a file`;
  return stageLike(`${name}-plain`, mainOf(name), about, { byDefault: false, hasWorkers: name === "m5" });
}

function mainOf(name: string): string {
  return join(root, "stages", name, "src", "main.ts");
}

/** m5 with what its README names for little memory. Started once before: Node keeps what it has compiled when it ends. */
function small(): Contender {
  const cache = join(root, ".cache", "compiled");
  const nodeFlags = ["--max-semi-space-size=2", "--no-maglev"];
  const nodeEnvironment = { NODE_COMPILE_CACHE: cache, MALLOC_MMAP_THRESHOLD_: "32768" };
  const about = "m5 with a small young generation, one compiler less, and its code compiled before";
  const options = { resilience: true, byDefault: false, hasWorkers: true, nodeFlags, nodeEnvironment };
  const started = stageLike("m5-small", mainOf("m5"), about, options);
  const start: Contender["start"] = async (context) => {
    const directory = join(context.directory, "first");
    mkdirSync(join(directory, "state"), { recursive: true });
    await (await started.start({ ...context, directory })).stop();
    return started.start(context);
  };
  return { ...started, start };
}

export const stages: readonly Contender[] = [
  ...(["m1", "m2", "m3", "m4", "m5"] as const).map(stage),
  ...(["m4", "m5"] as const).map(withoutProtections),
  small(),
];
