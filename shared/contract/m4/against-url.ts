// The m4 contract against the router at CONTRACT_URL, whose admin port is CONTRACT_ADMIN_URL; `npm run contract` sets the
// variables. The suite writes the router's routing file, CONTRACT_ROUTING_FILE or the one that the admin port names, and
// puts back what was in it.

import { readFile, writeFile } from "node:fs/promises";
import { pidsListeningOn, withDescendants } from "../../testkit/process-by-port.ts";
import { type ReloadTarget, runningReloadTarget } from "../m2/target.ts";
import { defaultPorts, parsePorts } from "../target.ts";
import { describeM4Contract } from "./suite.ts";

const { CONTRACT_URL: url, CONTRACT_ADMIN_URL: adminUrl, CONTRACT_PORTS: ports = "" } = process.env;
if (url === undefined || adminUrl === undefined)
  throw new Error("Use: npm run contract -- m4 http://127.0.0.1:8080 --admin http://127.0.0.1:8082");

const routingFile = process.env["CONTRACT_ROUTING_FILE"] ?? (await namedFile(adminUrl));
describeM4Contract(targetOf({ url, adminUrl, routingFile }));

function targetOf(router: {
  readonly url: string;
  readonly adminUrl: string;
  readonly routingFile: string;
}): ReloadTarget {
  const target = runningReloadTarget(router, { ...defaultPorts, ...parsePorts(ports) });
  return {
    ...target,
    start: async (content) => {
      const before = await readFile(router.routingFile);
      const running = await target.start(content);
      return {
        ...running,
        pids: () => [
          ...new Set(pidsListeningOn(Number(new URL(router.url).port || 80)).flatMap(withDescendants)),
        ],
        close: () => writeFile(router.routingFile, before),
      };
    },
  };
}

async function namedFile(admin: string): Promise<string> {
  const answer = await fetch(`${admin}/debug/config`);
  const { path } = (await answer.json()) as { path?: unknown };
  if (typeof path === "string") return path;
  throw new Error(
    "Set CONTRACT_ROUTING_FILE: this router does not say which file it follows (start it with CONTROL_PLANE_URL=off)",
  );
}
