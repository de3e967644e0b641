// Runs the router or the control plane of STAGE in this very process, so that signals reach it at first hand.
//
//   STAGE=m4 node graduation/containers/start.ts router
//   STAGE=m4 node graduation/containers/start.ts control-plane
//
// A Compose file cannot leave a service out by the value of a variable: before m3, the control plane's container is idle.

import { spawn } from "node:child_process";
import cluster from "node:cluster";
import { existsSync } from "node:fs";
import { join } from "node:path";

const mains = { router: "main.ts", "control-plane": "control-plane/main.ts" } as const;

const role = process.argv[2];
const stage = process.env["STAGE"] ?? "m4";
const source = new URL(`../../stages/${stage}/src/`, import.meta.url);

if (role !== "router" && role !== "control-plane") fail(`Start a router or a control-plane, not "${role}"`);
else if (!/^m\d$/.test(stage) || !existsSync(source)) fail(`STAGE is one of m1 to m5, not "${stage}"`);
else if (!existsSync(new URL(mains[role], source))) idle(`${stage} has no control plane`);
else {
  // m5's workers start here as well, and one relay is enough. m1 has no admin port.
  const wantsRelay = role === "router" && stage !== "m1" && process.env["ADMIN_RELAY"] !== undefined;
  if (wantsRelay && cluster.isPrimary) startAdminRelay();
  await import(new URL(mains[role], source).href);
}

/** It ends with the container, and keeps nothing from ending. */
function startAdminRelay(): void {
  const file = join(import.meta.dirname, "admin-relay.ts");
  const relay = spawn(process.execPath, [file], { stdio: ["ignore", "inherit", "inherit"] });
  // Operators miss their port then; clients miss nothing.
  relay.on("error", ({ message }) => console.error(`No relay for the admin port: ${message}`));
  relay.unref();
}

function idle(why: string): void {
  console.log(JSON.stringify({ event: "idle", why }));
  const rest = setInterval(() => {}, 2 ** 30);
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => clearInterval(rest));
}

function fail(why: string): void {
  console.error(why);
  process.exitCode = 1;
}
