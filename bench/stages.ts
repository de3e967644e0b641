// The five milestones as contenders: each stage's own `main.ts`, as a learner starts it.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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

function environment(name: string, context: StartContext): Record<string, string> {
  const common = { HOST: "127.0.0.1", PORT: "0", LOG_LEVEL: "info" };
  if (name === "m1") return { ...common, CELLS: formatCells(context.cells) };
  const routingFile = join(context.directory, "routing.json");
  writeFileSync(routingFile, routingJson(context.cells));
  return {
    ...common,
    ADMIN_PORT: "0",
    ROUTING_FILE: routingFile,
    STATE_DIR: join(context.directory, "state"),
    WORKERS: String(context.workers),
  };
}

function stage(name: string): Contender {
  const main = join(root, "stages", name, "src", "main.ts");
  return {
    name,
    kind: "stage",
    about: `stages/${name}: ${titles[name] ?? "a milestone"}; JSON access log to a file`,
    byDefault: true,
    find: () =>
      existsSync(main)
        ? { kind: "available", version: packageVersion() }
        : { kind: "missing", why: `stages/${name}/src/main.ts does not exist yet` },
    async start(context) {
      const args = [...context.nodeArgs, main];
      const { directory } = context;
      const child = startChild(process.execPath, args, { name, directory, env: environment(name, context) });
      const { url } = await readyLine(child);
      if (typeof url !== "string") throw new Error(`The ready line of ${name} holds no url`);
      return { url, pid: child.pid, logPath: child.stdoutPath, stop: child.stop };
    },
  };
}

function packageVersion(): string {
  return (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }).version;
}

export const stages: readonly Contender[] = Object.keys(titles).map(stage);
