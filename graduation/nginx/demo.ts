// `npm run graduate nginx`: four cells, nginx with the generated configuration, and what it does with the table's promises.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { freePort } from "../../bench/free-port.ts";
import { BrokenPromiseError } from "../../scripts/command-line.ts";
import { type Cell, startCell } from "../../shared/cells/cell.ts";
import { placementNames } from "../../shared/testkit/cluster.ts";
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
  readonly stage: Stage;
  readonly url: string;
  readonly cells: ReadonlyMap<string, Cell>;
  readonly facts: Record<string, unknown> = { nginx: engineVersion("nginx") };

  constructor(stage: Stage, url: string, cells: ReadonlyMap<string, Cell>) {
    this.stage = stage;
    this.url = url;
    this.cells = cells;
  }

  ask(key: string, path = "/"): Promise<RawResponse> {
    const head = `GET ${path} HTTP/1.1\r\nHost: cells.test\r\nX-Routing-Key: ${key}\r\nConnection: close\r\n\r\n`;
    return sendRaw(this.url, Buffer.from(head, "utf8"), { deadlineMs: 30_000 });
  }

  /** Tells what came, and holds it to what was promised. */
  expect(fact: string, got: unknown, promised: unknown): void {
    this.stage.tell(`  ${fact}: ${JSON.stringify(got)}`);
    if (!isDeepStrictEqual(got, promised))
      throw new BrokenPromiseError(
        `${fact}: promised ${JSON.stringify(promised)}, got ${JSON.stringify(got)}`,
      );
    this.facts[fact] = got;
  }
}

async function run(stage: Stage): Promise<Readonly<Record<string, unknown>>> {
  await using stack = new AsyncDisposableStack();
  const cells = new Map<string, Cell>();
  for (const name of placementNames) cells.set(name, stack.use(await startCell({ name })));
  const directory = await mkdtemp(join(tmpdir(), "cell-routing-nginx-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const listen = `127.0.0.1:${await freePort()}`;
  const nginx = stack.use(await NginxProcess.start(tableOver(cells, "tier1"), { listen, directory }));
  const demo = new Demo(stage, `http://${listen}`, cells);
  stage.tell(`nginx ${engineVersion("nginx")} at ${demo.url}, configuration ${directory}/nginx.conf`);
  await keys(demo);
  await limits(demo);
  await reload(demo, nginx);
  await deadCells(demo);
  stage.tell("All as promised.");
  if (stage.stays && !stage.signal.aborted) {
    stage.tell(`\nnginx stays up; Ctrl-C stops it. Two of the cells are dead. Try:`);
    stage.tell(`  curl -i -H 'X-Routing-Key: globex' ${demo.url}/`);
    stage.tell(`  less ${directory}/nginx.conf`);
    await new Promise<void>((resolve) =>
      stage.signal.addEventListener("abort", () => resolve(), { once: true }),
    );
  }
  return demo.facts;
}

async function keys(demo: Demo): Promise<void> {
  demo.stage.tell(
    "\n1. A key leads where the table says, and only as it is spelled: nginx's map alone would ignore the case",
  );
  for (const [key, placement, reason] of [
    ["visa", "visa", "dedicated"],
    ["acme", "tier1", "tier"],
    ["ACME", "tier3", "default"],
    ["default", "tier2", "tier"],
  ] as const) {
    const { headers } = await demo.ask(key);
    demo.expect(
      `key ${key}`,
      [headers.one("x-routed-to"), headers.one("x-route-reason")],
      [placement, reason],
    );
  }
}

async function limits(demo: Demo): Promise<void> {
  demo.stage.tell(
    "\n2. limit_req: globex has a bucket of three; keys that nobody listed share one of four, and ACME took one",
  );
  const statuses = async (keysAsked: readonly string[]) => {
    const responses = await Promise.all(keysAsked.map((key) => demo.ask(key)));
    return responses.map(({ status }) => status).sort();
  };
  demo.expect(
    "five of globex",
    await statuses(Array.from({ length: 5 }, () => "globex")),
    [200, 200, 200, 429, 429],
  );
  const invented = Array.from({ length: 5 }, (_, n) => `invented-${n}`);
  demo.expect("five invented keys", await statuses(invented), [200, 200, 200, 429, 429]);
}

async function reload(demo: Demo, nginx: NginxProcess): Promise<void> {
  demo.stage.tell(
    "\n3. A moved key is a new file and a reload: new workers serve it, the old one ends a download",
  );
  const download = demo.ask("visa", "/drip?chunks=20&intervalMs=100&bytes=100");
  // It runs once the cell has seen it.
  while ((demo.cells.get("visa")?.stats().inFlight ?? 0) === 0) await demo.ask("acme");
  const startedAt = performance.now();
  await nginx.apply(tableOver(demo.cells, "tier2"));
  demo.stage.tell(`  the reload took ${Math.round(performance.now() - startedAt)} ms`);
  demo.expect("key acme after the reload", (await demo.ask("acme")).headers.one("x-routed-to"), "tier2");
  demo.expect("old workers", nginx.workers().leaving.length, 1);
  const { ending, bodyBytes } = await download;
  demo.expect("the download", [ending, bodyBytes], ["complete", 2000]);
}

async function deadCells(demo: Demo): Promise<void> {
  demo.stage.tell(
    "\n4. A dead tenant's requests go nowhere else; a tier's go to the fallback that the table names",
  );
  await demo.cells.get("visa")?.close();
  await demo.cells.get("tier2")?.close();
  const codes: unknown[] = [];
  for (let n = 0; n < 3; n++) codes.push((await demo.ask("visa")).json()["code"]);
  demo.expect("visa", codes, ["upstream-unreachable", "upstream-unreachable", "circuit-open"]);
  const { status, headers } = await demo.ask("acme");
  const told = ["x-routed-to", "x-failover-from", "x-failover-reason"].map((name) => headers.one(name));
  demo.expect("acme", [status, ...told], [200, "tier3", "tier2", "connect-failed"]);
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
