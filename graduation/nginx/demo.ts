// `npm run graduate nginx`: four cells, nginx with the generated configuration, and what it does with the table's promises.

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../bench/free-port.ts";
import { BrokenPromiseError } from "../../scripts/command-line.ts";
import { type Cell, startCell } from "../../shared/cells/cell.ts";
import { placementNames } from "../../shared/testkit/cluster.ts";
import { eventually } from "../../shared/testkit/eventually.ts";
import type { RawResponse } from "../../shared/testkit/http-message.ts";
import { sendRaw } from "../../shared/testkit/raw-client.ts";
import { parseRoutingTable, type RoutingTable } from "../../stages/m4/src/routing-table.ts";
import { engineVersion, type Stage, type Topic } from "../topic.ts";
import { NginxProcess } from "./nginx-process.ts";

export const topic: Topic = {
  title: "the same routing table on nginx, and what a reload costs",
  engines: ["nginx"],
  run,
};

class Demo {
  readonly url: string;
  readonly nginx: NginxProcess;
  readonly cells: ReadonlyMap<string, Cell>;
  readonly facts: Record<string, unknown> = { nginx: engineVersion("nginx") };
  readonly #tell: Stage["tell"];
  /** Once it is aborted, whatever comes is no longer held to a promise. */
  readonly #signal: AbortSignal;

  constructor(stage: Stage, url: string, nginx: NginxProcess, cells: ReadonlyMap<string, Cell>) {
    this.#tell = (line) => stage.tell(`  ${line}`);
    this.#signal = stage.signal;
    this.url = url;
    this.nginx = nginx;
    this.cells = cells;
  }

  tell(line: string): void {
    this.#tell(line);
  }

  ask(key: string, path = "/"): Promise<RawResponse> {
    const head = `GET ${path} HTTP/1.1\r\nHost: cells.test\r\nX-Routing-Key: ${key}\r\nConnection: close\r\n\r\n`;
    return sendRaw(this.url, Buffer.from(head, "utf8"), { deadlineMs: 30_000 });
  }

  /** Tells what was asked and what came, and holds it to what was promised. */
  expect(asked: string, got: string, promised: string, id: string): void {
    this.#signal.throwIfAborted();
    this.tell(`> ${asked}`);
    this.tell(`< ${got}`);
    if (got !== promised) throw new BrokenPromiseError(`${asked}: promised ${promised}, got ${got}`);
    this.facts[id] = got;
  }
}

const steps: readonly { readonly title: string; readonly run: (demo: Demo) => Promise<void> }[] = [
  { title: "A key leads where the table says, and only as it is spelled", run: keys },
  { title: "Keys have limits, and all unlisted keys share one", run: limits },
  { title: "A key moves: a new file, and a reload", run: reload },
  { title: "A dead tenant's requests go nowhere else; a tier's go to its fallback", run: deadCells },
];

async function run(stage: Stage): Promise<Readonly<Record<string, unknown>>> {
  await using stack = new AsyncDisposableStack();
  const cells = new Map<string, Cell>();
  for (const name of placementNames) cells.set(name, stack.use(await startCell({ name })));
  const directory = await mkdtemp(join(tmpdir(), "cell-routing-nginx-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const listen = `127.0.0.1:${await freePort()}`;
  const nginx = stack.use(await NginxProcess.start(tableOver(cells, "tier1"), { listen, directory }));
  const demo = new Demo(stage, `http://${listen}`, nginx, cells);
  stage.tell(`nginx ${engineVersion("nginx")} at ${demo.url}, configuration ${directory}/nginx.conf`);
  for (const [index, step] of steps.entries()) {
    stage.signal.throwIfAborted();
    stage.tell(`\n${index + 1}/${steps.length} ${step.title}`);
    await step.run(demo);
  }
  stage.tell(`\nAll ${steps.length} steps as promised.`);
  if (stage.stays) {
    stage.tell("\nnginx stays up until Ctrl-C. The cells of visa and tier2 are dead. Try this:");
    stage.tell(`  curl -i -H 'X-Routing-Key: acme' ${demo.url}/    # tier3 serves for tier2`);
    stage.tell(`  curl -i -H 'X-Routing-Key: visa' ${demo.url}/    # nobody serves for visa`);
    stage.tell(`  less ${directory}/nginx.conf`);
    if (!stage.signal.aborted) await once(stage.signal, "abort");
  }
  return demo.facts;
}

/** `200 tier3, failover from tier2: connect-failed`, from the fields of a response. */
function summaryOf({ status, headers }: RawResponse): string {
  const from = headers.one("x-failover-from");
  const failover = from === undefined ? "" : `, failover from ${from}: ${headers.one("x-failover-reason")}`;
  return `${status} ${headers.one("x-routed-to")} (${headers.one("x-route-reason")})${failover}`;
}

async function keys(demo: Demo): Promise<void> {
  for (const [key, promised] of [
    ["visa", "200 visa (dedicated)"],
    ["acme", "200 tier1 (tier)"],
    ["ACME", "200 tier3 (default)"],
    ["default", "200 tier2 (tier)"],
  ] as const)
    demo.expect(key, summaryOf(await demo.ask(key)), promised, `key-${key}`);
  demo.tell("nginx's map ignores case, so each entry also holds the spelling, and a second map compares it.");
  demo.tell("`default` is a word of a map's own, and here a tenant like any other.");
}

async function limits(demo: Demo): Promise<void> {
  const statuses = async (keysAsked: readonly string[]) => {
    const responses = await Promise.all(keysAsked.map((key) => demo.ask(key)));
    return responses
      .map(({ status }) => status)
      .sort()
      .join(" ");
  };
  const promised = "200 200 200 429 429";
  const globex = Array.from({ length: 5 }, () => "globex");
  demo.expect("globex, five times at once", await statuses(globex), promised, "fiveOfOneKey");
  const invented = Array.from({ length: 5 }, (_, n) => `invented-${n}`);
  demo.expect("five invented keys at once", await statuses(invented), promised, "fiveInventedKeys");
  demo.tell("limit_req: globex has a bucket of three. Unlisted keys share one of four, and ACME took one.");
}

async function reload(demo: Demo): Promise<void> {
  const { nginx, cells } = demo;
  const download = demo.ask("visa", "/drip?chunks=20&intervalMs=100&bytes=100");
  // Whoever leaves before it has ended hears of no failure.
  download.catch(() => {});
  await eventually(() => (cells.get("visa")?.stats().inFlight ?? 0) > 0, { what: "a download from visa" });
  const startedAt = performance.now();
  await nginx.apply(tableOver(cells, "tier2"));
  const reloadMs = Math.round(performance.now() - startedAt);
  demo.expect("acme", summaryOf(await demo.ask("acme")), "200 tier2 (tier)", "keyMoved");
  const { leaving } = nginx.workers();
  demo.tell(`The reload took ${reloadMs} ms. ${leaving.length} old worker finishes a download from visa.`);
  if (leaving.length !== 1)
    throw new BrokenPromiseError(`one old worker finishes; there are ${leaving.length}`);
  const { ending, bodyBytes } = await download;
  demo.expect("visa, a download of 2 s", `${ending}, ${bodyBytes} bytes`, "complete, 2000 bytes", "download");
  demo.facts["reloadMs"] = reloadMs;
}

async function deadCells(demo: Demo): Promise<void> {
  await demo.cells.get("visa")?.close();
  await demo.cells.get("tier2")?.close();
  for (const [index, code] of ["upstream-unreachable", "upstream-unreachable", "circuit-open"].entries()) {
    const response = await demo.ask("visa");
    demo.expect("visa", String(response.json()["code"]), code, `deadTenant${index + 1}`);
  }
  demo.expect(
    "acme",
    summaryOf(await demo.ask("acme")),
    "200 tier3 (tier), failover from tier2: connect-failed",
    "deadTier",
  );
  demo.tell("A group of nginx holds a placement's own cell and its fallback chain, and no other cell.");
}

function tableOver(cells: ReadonlyMap<string, Cell>, acme: string): RoutingTable {
  const url = (name: string) => cells.get(name)?.url;
  const circuitBreaker = { consecutiveFailures: 2, waitMs: 30_000 };
  const bucket = { ratePerSecond: 0.05, burst: 3 };
  const result = parseRoutingTable({
    version: `acme on ${acme}`,
    defaultPlacement: "tier3",
    routingTable: { visa: "visa", acme, globex: "tier2", initech: "tier3", default: "tier2" },
    placements: {
      visa: { kind: "dedicated", url: url("visa"), circuitBreaker },
      tier1: { kind: "tier", url: url("tier1"), circuitBreaker, fallback: ["tier2"] },
      tier2: { kind: "tier", url: url("tier2"), circuitBreaker, fallback: ["tier3"] },
      tier3: { kind: "tier", url: url("tier3") },
    },
    keyLimits: { globex: bucket },
    // One more: ACME, which is not acme, has taken one by then.
    unlistedKeysLimit: { ...bucket, burst: 4 },
  });
  if (!result.ok) throw new Error(result.faults.join("\n"));
  return result.table;
}
