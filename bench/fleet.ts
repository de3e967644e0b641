// `npm run bench -- fleet`: how long a change takes to reach a fleet, and how many bytes. The control plane in a process of
// its own, 1,000 routers' links from two others, all on this machine: from the `PUT` to the ack of the last router.
//
//   npm run bench -- fleet                                 m3: tables of 10, 1,000 and 100,000 keys
//   npm run bench -- fleet --stage m5                      m5: every change as a delta, beside every change whole
//   npm run bench -- fleet --routers 200 --keys 10 --rounds 5 --json
//
// Options: --stage m3|m5 --routers N --keys N,N,… --rounds N --processes N --json --name NAME --save --out FILE
// Exit codes: 0 measured and within the bar, 1 wrong arguments, 2 something failed, or p99 at 1,000 keys is over a second.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Child, readyLine, startChild } from "./child.ts";
import { deliver, showProgress } from "./deliver.ts";
import { type ClientProcess, startClients } from "./fleet/client-processes.ts";
import { type FleetOptions, parseFleetOptions } from "./fleet/fleet-options.ts";
import { type FleetRow, fleetResult, formatFleet } from "./fleet/fleet-report.ts";
import { pushRounds, tableOf } from "./fleet/push-rounds.ts";
import { describeMachine } from "./machine.ts";
import { readStealMs } from "./process-tree.ts";

const root = join(import.meta.dirname, "..");
const maxMessageBytes = 64 * 1024 * 1024;

/** Returns the exit code. @throws what `signal` was aborted with */
export async function benchFleet(args: readonly string[], signal: AbortSignal): Promise<number> {
  const options = parseFleetOptions(args);
  if (options === undefined) return 0;
  const machine = describeMachine();
  const stealBefore = readStealMs();
  const pushes = options.stage === "m3" ? (["whole"] as const) : (["whole", "delta"] as const);
  const rows: FleetRow[] = [];
  for (const keys of options.keys) {
    for (const push of pushes) {
      signal.throwIfAborted();
      rows.push(await measure(keys, push, options, signal));
    }
  }
  const result = fleetResult(options, { machine, stealMs: readStealMs() - stealBefore, rows });
  deliver(options, result, formatFleet(result));
  return result.bar === null || result.bar.met ? 0 : 2;
}

async function measure(
  keys: number,
  push: FleetRow["push"],
  options: FleetOptions,
  signal: AbortSignal,
): Promise<FleetRow> {
  const { stage, routers, processes, rounds } = options;
  const directory = mkdtempSync(join(tmpdir(), "cell-routing-fleet-"));
  const removeDirectory = () => rmSync(directory, { recursive: true, force: true });
  // Also on an exit that leaves no time for an orderly end.
  process.once("exit", removeDirectory);
  const tokenFile = join(directory, "token");
  writeFileSync(join(directory, "routing.json"), JSON.stringify(tableOf(keys, 0)));
  const controlPlane = startControlPlane(stage, directory, tokenFile);
  const fleet: ClientProcess[] = [];
  try {
    const url = String((await readyLine(controlPlane))["url"]);
    const token = readFileSync(tokenFile, "utf8").trim();
    showProgress(`${keys} keys, ${push}: ${routers} routers connect`);
    const wsUrl = `${url.replace(/^http/, "ws")}/v1/connect`;
    const job = { stage, acceptsDeltas: push === "delta", url: wsUrl, token, maxMessageBytes };
    fleet.push(...startClients(job, { routers, processes, signal }));
    await Promise.all(fleet.map((each) => each.acked(1)));
    return await pushRounds({ keys, push, url, token, controlPlane, fleet, routers, rounds });
  } catch (error) {
    signal.throwIfAborted();
    const said = readFileSync(controlPlane.stdoutPath, "utf8").trim().split("\n").slice(-3).join("\n");
    throw new Error(`${error instanceof Error ? error.message : error}; the control plane said:\n${said}`);
  } finally {
    for (const each of fleet) each.stop();
    await controlPlane.stop();
    process.off("exit", removeDirectory);
    removeDirectory();
    showProgress("");
  }
}

function startControlPlane(stage: FleetOptions["stage"], directory: string, tokenFile: string): Child {
  const script = join(root, "stages", stage, "src", "control-plane", "main.ts");
  return startChild(process.execPath, [script], {
    name: "control-plane",
    directory,
    env: {
      HOST: "127.0.0.1",
      CONTROL_PLANE_PORT: "0",
      ROUTING_FILE: join(directory, "routing.json"),
      STATE_DIR: join(directory, "state"),
      CONTROL_PLANE_TOKEN: "",
      CONTROL_PLANE_TOKEN_FILE: tokenFile,
      MAX_MESSAGE_BYTES: String(maxMessageBytes),
      LOG_LEVEL: "warn",
    },
  });
}
