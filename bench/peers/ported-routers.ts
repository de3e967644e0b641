// The router in other languages (`ports/`) as peers: one thread, the same table, forwarding headers and JSON access log as the
// stages. Built once; without its tool and without a program that was built before, each is missing by name.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  buildPorted,
  builtProgram,
  type PortedName,
  type PortedRouter,
  portedRouters,
} from "../../scripts/ported-routers.ts";
import { projectRoot } from "../../scripts/stages.ts";
import { readyLine, startChild } from "../child.ts";
import type { Availability, Contender } from "../contender.ts";
import { benchEnvironment } from "../stages.ts";

const engines: Readonly<Record<PortedName, string>> = {
  pingora: "Pingora behind the strict front of ports/pingora",
  go: "net/http and httputil.ReverseProxy between the strict readers of ports/go",
};

function findPorted(ported: PortedRouter): Availability {
  const { status } = spawnSync(ported.tool, ["version"], { stdio: "ignore" });
  if (status !== 0 && builtProgram(ported) === undefined)
    return { kind: "missing", why: `${ported.tool} is not installed, and ports/${ported.name} is not built` };
  return { kind: "available", version: engineVersion(ported) };
}

function engineVersion({ name }: PortedRouter): string {
  const file = name === "go" ? "go.mod" : "Cargo.toml";
  const text = readFileSync(join(projectRoot, "ports", name, file), "utf8");
  return /^go (\S+)$|^pingora-proxy = "=(\S+)"$/m.exec(text)?.slice(1).find(Boolean) ?? "-";
}

function portedPeer(ported: PortedRouter, stage: "m1" | "m4"): Contender {
  const name = stage === "m1" ? ported.name : `${ported.name}-${stage}`;
  const settings = stage === "m1" ? "static routing" : "every protection of m4 switched on";
  return {
    name,
    kind: "peer",
    about: `${engines[ported.name]}, 1 thread: ${settings}; JSON access log to a file`,
    byDefault: stage === "m1",
    find: () => findPorted(ported),
    async start(context) {
      const program = await buildPorted(ported);
      const { directory } = context;
      const env = { ...benchEnvironment(context, stage === "m4"), STAGE: stage, THREADS: "1" };
      const child = startChild(program, [], { name, directory, env });
      const { url } = await readyLine(child);
      return { url: String(url), pid: child.pid, logPath: child.stdoutPath, stop: child.stop };
    },
  };
}

export const portedPeers: readonly Contender[] = (["m1", "m4"] as const).flatMap((stage) =>
  Object.values(portedRouters).map((ported) => portedPeer(ported, stage)),
);
