// The five milestones as contenders: each stage's own `main.ts`, as a learner starts it.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { readyLine, startChild } from "./child.ts";
import type { Contender, StartContext } from "./contender.ts";
import { formatCells, routingJson } from "./routes.ts";

const root = join(import.meta.dirname, "..");

const titles: Readonly<Record<string, string>> = {
  m1: "static routing",
  m2: "hot reload",
  m3: "control plane push (no control plane running)",
  m4: "resilience",
  m5: "the rewrite on raw sockets",
};

// One environment for all: m1 reads CELLS, later stages the file; a program ignores what it does not know.
function environment(context: StartContext): Record<string, string> {
  const routingFile = join(context.directory, "routing.json");
  writeFileSync(routingFile, routingJson(context.cells));
  return {
    HOST: "127.0.0.1",
    PORT: "0",
    ADMIN_PORT: "0",
    LOG_LEVEL: "info",
    CELLS: formatCells(context.cells),
    ROUTING_FILE: routingFile,
    STATE_DIR: join(context.directory, "state"),
    WORKERS: String(context.workers),
  };
}

/** A contender that keeps the stages' promise: environment in, one ready line out, the access log on standard output. */
export function stageLike(name: string, main: string, about: string): Contender {
  return {
    name,
    kind: "stage",
    about,
    byDefault: true,
    find: () =>
      existsSync(main)
        ? { kind: "available", version: packageVersion() }
        : { kind: "missing", why: `${relative(root, main)} does not exist` },
    async start(context) {
      const args = [...context.nodeArgs, main];
      const { directory } = context;
      const child = startChild(process.execPath, args, { name, directory, env: environment(context) });
      const { url } = await readyLine(child);
      if (typeof url !== "string") throw new Error(`The ready line of ${name} holds no url`);
      return { url, pid: child.pid, logPath: child.stdoutPath, stop: child.stop };
    },
  };
}

function packageVersion(): string {
  return (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }).version;
}

export const stages: readonly Contender[] = Object.entries(titles).map(([name, title]) =>
  stageLike(
    name,
    join(root, "stages", name, "src", "main.ts"),
    `stages/${name}: ${title}; JSON access log to a file`,
  ),
);
