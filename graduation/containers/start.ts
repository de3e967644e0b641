// Runs the router or the control plane of STAGE in this very process, so that signals reach it at first hand.
//
//   STAGE=m4 node graduation/containers/start.ts router
//   STAGE=m4 node graduation/containers/start.ts control-plane
//
// A Compose file cannot leave a service out by the value of a variable: before m3, the control plane's container is idle.

import { existsSync } from "node:fs";

const mains = { router: "main.ts", "control-plane": "control-plane/main.ts" } as const;

const role = process.argv[2];
const stage = process.env["STAGE"] ?? "m4";
const source = new URL(`../../stages/${stage}/src/`, import.meta.url);

if (role !== "router" && role !== "control-plane") fail(`Start a router or a control-plane, not "${role}"`);
else if (!/^m\d$/.test(stage) || !existsSync(source)) fail(`STAGE is one of m1 to m5, not "${stage}"`);
else if (existsSync(new URL(mains[role], source))) await import(new URL(mains[role], source).href);
else idle(`${stage} has no control plane; this container does nothing`);

function idle(why: string): void {
  console.log(JSON.stringify({ event: "idle", why }));
  const rest = setInterval(() => {}, 2 ** 30);
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => clearInterval(rest));
}

function fail(why: string): void {
  console.error(why);
  process.exitCode = 1;
}
