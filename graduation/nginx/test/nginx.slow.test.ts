// nginx itself, with generated configurations. Skipped where it is not installed.

import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { freePort } from "../../../bench/free-port.ts";
import { projectRoot } from "../../../scripts/stages.ts";
import { type Cell, startCell } from "../../../shared/cells/cell.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import type { RawResponse } from "../../../shared/testkit/http-message.ts";
import { pidsListeningOn } from "../../../shared/testkit/process-by-port.ts";
import { sendRaw } from "../../../shared/testkit/raw-client.ts";
import { startRouter } from "../../../shared/testkit/router-process.ts";
import { route } from "../../../stages/m4/src/routing.ts";
import { parseRoutingTable, type RoutingTable } from "../../../stages/m4/src/routing-table.ts";
import { engineVersion } from "../../topic.ts";
import { NginxProcess, RefusedConfigurationError } from "../nginx-process.ts";
import { measureReloads } from "../reload-run.ts";
import { anyKey, documentOver, oddKeys, placementNames } from "./odd-keys.ts";

function tableOf(document: unknown): RoutingTable {
  const result = parseRoutingTable(document);
  if (!result.ok) throw new Error(result.faults.join("\n"));
  return result.table;
}

class Scene implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly cells: ReadonlyMap<string, Cell>;
  readonly nginx: NginxProcess;
  readonly url: string;

  private constructor(
    stack: AsyncDisposableStack,
    cells: Map<string, Cell>,
    nginx: NginxProcess,
    url: string,
  ) {
    this.#stack = stack;
    this.cells = cells;
    this.nginx = nginx;
    this.url = url;
  }

  static async open(documentFrom: (urlOf: (name: string) => string) => unknown): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    const cells = new Map<string, Cell>();
    for (const name of placementNames) cells.set(name, stack.use(await startCell({ name })));
    const directory = await mkdtemp(join(tmpdir(), "cell-routing-nginx-"));
    stack.defer(() => rm(directory, { recursive: true, force: true }));
    const listen = `127.0.0.1:${await freePort()}`;
    const table = tableOf(documentFrom((name) => cells.get(name)?.url ?? ""));
    const nginx = stack.use(await NginxProcess.start(table, { listen, directory }));
    return new Scene(stack.move(), cells, nginx, `http://${listen}`);
  }

  ask(key: string, path = "/"): Promise<RawResponse> {
    const head = `GET ${path} HTTP/1.1\r\nHost: cells.test\r\nX-Routing-Key: ${key}\r\nConnection: close\r\n\r\n`;
    return sendRaw(this.url, Buffer.from(head, "utf8"));
  }

  requestsAt(name: string): number {
    return this.cells.get(name)?.stats().requests ?? 0;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

const placement = (url: string, more: object = {}, kind = "tier") => ({ kind, url, ...more });

/** The contract's four placements, of which some have more settings. */
function documentWith(
  urlOf: (name: string) => string,
  more: Readonly<Record<string, object>>,
  top: object = {},
): object {
  const kindOf = (name: string) => (name === "visa" ? "dedicated" : "tier");
  return {
    version: "slow",
    defaultPlacement: "tier3",
    routingTable: Object.fromEntries(placementNames.map((name) => [name, name])),
    placements: Object.fromEntries(
      placementNames.map((name) => [name, placement(urlOf(name), more[name] ?? {}, kindOf(name))]),
    ),
    ...top,
  };
}

describe.skipIf(engineVersion("nginx") === undefined)("nginx", () => {
  test("routes every odd key as the table does", async () => {
    const keys = [...new Set([...oddKeys, ...fc.sample(anyKey, { numRuns: 100, seed: 16 })])];
    await using scene = await Scene.open((urlOf) => documentOver(keys, urlOf));
    const table = tableOf(documentOver(keys));
    for (const key of [...keys, "nobody"]) {
      const { headers } = await scene.ask(key);
      const { placement: expected, reason } = route(table, key);
      const got = [headers.one("x-routed-to"), headers.one("x-route-reason"), headers.one("x-cell")];
      expect(got, JSON.stringify(key)).toEqual([expected.name, reason, expected.name]);
    }
  });

  test("leads a dead tenant's requests nowhere, says why, and leaves the cell alone for a while", async () => {
    const breaker = { circuitBreaker: { consecutiveFailures: 2, waitMs: 60_000 } };
    await using scene = await Scene.open((urlOf) => documentWith(urlOf, { visa: breaker }));
    await scene.cells.get("visa")?.close();
    const statuses: unknown[] = [];
    for (let n = 0; n < 5; n++) {
      const response = await scene.ask("visa");
      statuses.push([response.status, response.json()["code"], response.headers.one("retry-after")]);
    }
    const unreachable = [502, "upstream-unreachable", undefined];
    const open = [503, "circuit-open", "60"];
    expect(statuses).toEqual([unreachable, unreachable, open, open, open]);
    expect((await scene.ask("tier1")).status).toBe(200);
    expect(placementNames.map((name) => scene.requestsAt(name))).toEqual([0, 1, 0, 0]);
  });

  test("counts failures whatever comes between them: max_fails is no row of failures", async () => {
    const breaker = { circuitBreaker: { consecutiveFailures: 3, waitMs: 60_000 } };
    await using scene = await Scene.open((urlOf) => documentWith(urlOf, { visa: breaker }));
    const statuses: number[] = [];
    for (const fault of ["reset", "none", "reset", "none", "reset", "none"] as const) {
      scene.cells.get("visa")?.setFault({ fault });
      statuses.push((await scene.ask("visa")).status);
    }
    expect(statuses).toEqual([502, 200, 502, 200, 502, 503]);
  });

  test("goes to the named fallback, says so, and to nobody else", async () => {
    await using scene = await Scene.open((urlOf) => documentWith(urlOf, { tier1: { fallback: ["tier2"] } }));
    await scene.cells.get("tier1")?.close();
    const { status, headers } = await scene.ask("tier1");
    const told = ["x-routed-to", "x-failover-from", "x-failover-reason", "x-cell"].map((name) =>
      headers.one(name),
    );
    expect([status, ...told]).toEqual([200, "tier2", "tier1", "connect-failed", "tier2"]);
    await scene.cells.get("tier2")?.close();
    expect((await scene.ask("tier1")).status).toBe(502);
    expect(placementNames.map((name) => scene.requestsAt(name))).toEqual([0, 0, 1, 0]);
  });

  test("lets a burst through and no more; keys that nobody named share one bucket", async () => {
    const limit = { ratePerSecond: 0.02, burst: 4 };
    const top = { keyLimits: { tier1: limit }, unlistedKeysLimit: limit };
    await using scene = await Scene.open((urlOf) => documentWith(urlOf, {}, top));
    const statuses = async (keys: readonly string[]) => {
      const responses = await Promise.all(keys.map((key) => scene.ask(key)));
      return responses.map(({ status }) => status).sort();
    };
    const fourOf = [200, 200, 200, 200, 429, 429];
    expect(await statuses(Array.from({ length: 6 }, () => "tier1"))).toEqual(fourOf);
    expect(await statuses(Array.from({ length: 6 }, (_, n) => `invented-${n}`))).toEqual(fourOf);
    expect(await statuses(["tier2", "tier2", "tier2", "tier2", "tier2"])).toEqual([200, 200, 200, 200, 200]);
    expect((await scene.ask("tier1")).headers.one("retry-after")).toBe("50");
  });

  test("serves on when it refuses the next configuration", async () => {
    await using scene = await Scene.open((urlOf) => documentWith(urlOf, {}));
    const unknown = tableOf({
      version: "next",
      defaultPlacement: "one",
      routingTable: {},
      placements: { one: placement("http://cell.invalid") },
    });
    await expect(scene.nginx.apply(unknown)).rejects.toThrow(RefusedConfigurationError);
    expect((await scene.ask("tier1")).status).toBe(200);
    expect(scene.nginx.generation).toBe(1);
  });

  test("reloads without a failure for those who connect anew, and lets downloads end", async () => {
    const plan = { reloads: 3, clients: 2, downloadSeconds: 2, shutdownSeconds: 0 };
    const cost = await measureReloads(plan);
    expect(cost.fresh.failed).toEqual({});
    expect(cost.downloads).toEqual({ begun: 3, whole: 3, cut: 0 });
  });

  test("cuts what takes longer than worker_shutdown_timeout", async () => {
    const cost = await measureReloads({ reloads: 1, clients: 1, downloadSeconds: 20, shutdownSeconds: 1 });
    expect(cost.downloads).toEqual({ begun: 1, whole: 0, cut: 1 });
  });
});

describe.skipIf(engineVersion("nginx") === undefined)("nginx behind the face of a stage", () => {
  const command = [process.execPath, join(projectRoot, "graduation", "nginx", "main.ts")];

  /** The whole table on one cell, so that a version is all that differs. */
  const textOf = (version: string, url: string, key: string) =>
    JSON.stringify({
      version,
      defaultPlacement: "one",
      routingTable: { [key]: "two" },
      placements: { one: placement(url), two: placement(url) },
    });

  test("follows its file, says which table nginx serves, and stops in order", async () => {
    await using cell = await startCell({ name: "one" });
    await using router = await startRouter({
      stage: "m4",
      command,
      routingText: textOf("v1", cell.url, "acme"),
    });
    const routedTo = async (key: string) => {
      const head = `GET / HTTP/1.1\r\nHost: a\r\nX-Routing-Key: ${key}\r\nConnection: close\r\n\r\n`;
      return (await sendRaw(router.url, head)).headers.one("x-routed-to");
    };
    const config = async () => {
      const response = await fetch(`${router.ready["adminUrl"]}/debug/config`);
      return (await response.json()) as { readonly version: string; readonly lastError: unknown };
    };
    expect([await routedTo("acme"), await routedTo("globex")]).toEqual(["two", "one"]);
    writeFileSync(join(router.directory, "routing.json"), textOf("v2", cell.url, "globex"));
    await eventually(async () => (await config()).version === "v2", {
      what: "the second table",
      deadlineMs: 10_000,
    });
    expect([await routedTo("acme"), await routedTo("globex")]).toEqual(["one", "two"]);
    writeFileSync(join(router.directory, "routing.json"), textOf("v3", "http://cell.invalid", "acme"));
    await eventually(async () => (await config()).lastError !== null, {
      what: "nginx's refusal",
      deadlineMs: 20_000,
    });
    expect([(await config()).version, await routedTo("globex")]).toEqual(["v2", "two"]);
    expect(await router.stop("SIGTERM")).toEqual({ code: 0, signal: null });
  });

  test("takes nginx with it when it is killed", async () => {
    await using cell = await startCell({ name: "one" });
    await using router = await startRouter({
      stage: "m4",
      command,
      routingText: textOf("v1", cell.url, "acme"),
    });
    const { port } = router;
    expect(pidsListeningOn(port)).not.toEqual([]);
    await router.program.kill();
    await eventually(() => pidsListeningOn(port).length === 0, {
      what: "nobody listens",
      deadlineMs: 10_000,
    });
  });
});
