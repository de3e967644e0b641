import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readyLine, startChild } from "../child.ts";
import type { Contender } from "../contender.ts";
import { formatCells, routingJson } from "../routes.ts";
function go(name: string, env: Record<string, string>, resilience = false): Contender {
  return {
    name, kind: "peer", about: name, byDefault: false,
    find: () => ({ kind: "available", version: "1.26.8" }),
    async start({ cells, directory }) {
      const routingFile = join(directory, "routing.json");
      writeFileSync(routingFile, routingJson(cells, resilience));
      const child = startChild(process.env["GO_BIN"] ?? "/tmp/gowork/router-go", [], { name, directory, env: { HOST: "127.0.0.1", PORT: "0", ADMIN_PORT: "0", CELLS: formatCells(cells), ROUTING_FILE: routingFile, CONTROL_PLANE_URL: "off", ...env } });
      const { url } = await readyLine(child);
      return { url: String(url), pid: child.pid, logPath: child.stdoutPath, stop: child.stop };
    },
  };
}
export const goPeers = [go("go", { STAGE: "m1" }), go("go-stock", { STAGE: "m1", FRONT: "off" }), go("go-m4", { STAGE: "m4" }, true)];
