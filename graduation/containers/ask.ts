// Asks a stack that runs in containers for what m1's contract promises, and what later stages add as far as it can be asked
// over the network: `docker compose --profile test run --rm test`, or from this machine:
//
//   STAGE=m4 ROUTER_URL=http://127.0.0.1:8080 node graduation/containers/ask.ts
//
// Exit codes: 0 all of it holds, 2 a promise does not.

import { ask } from "../../scripts/http-request.ts";
import { eventually } from "../../shared/testkit/eventually.ts";
import { takeNoArguments } from "../../shared/testkit/no-arguments.ts";
import { checksFor, type Target } from "./checks.ts";

takeNoArguments(`Usage: node graduation/containers/ask.ts
  Asks a stack for what it promises. Settings are environment variables: STAGE (m4), ROUTER_URL, ADMIN_URL,
  CONTROL_PLANE_URL, CONTROL_PLANE_TOKEN_FILE`);

const env = process.env;
const target: Target = {
  stage: env["STAGE"] ?? "m4",
  routerUrl: env["ROUTER_URL"] ?? "http://router:8080",
  adminUrl: env["ADMIN_URL"] ?? "http://router-edge:8092",
  controlPlaneUrl: env["CONTROL_PLANE_URL"] ?? "http://control-plane:8081",
  tokenFile: env["CONTROL_PLANE_TOKEN_FILE"] ?? "/token/control-plane-token",
};

/** The containers have just been started. Whoever is not there after this time will not come. */
const readyWithinMs = 60_000;

async function main(): Promise<void> {
  const everyKey = ["visa", "acme", "globex", "initech"];
  await eventually(
    async () => {
      const responses = await Promise.all(
        everyKey.map((key) => ask({ url: target.routerUrl, headers: { "X-Routing-Key": key } })),
      );
      return responses.every(({ headers }) => headers["x-cell"] !== undefined && !headers["x-failover-from"]);
    },
    { what: "each cell serves its own key", deadlineMs: readyWithinMs, everyMs: 200 },
  );
  let faults = 0;
  for (const { name, run } of checksFor(target)) {
    const fault = await run().then(
      (found) => found,
      (error: unknown) => String(error),
    );
    if (fault !== undefined) faults += 1;
    console.log(fault === undefined ? `ok    ${name}` : `FAIL  ${name}: ${fault}`);
  }
  console.log(faults === 0 ? `${target.stage} keeps its promises in containers` : `${faults} do not hold`);
  process.exitCode = faults === 0 ? 0 : 2;
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
});
