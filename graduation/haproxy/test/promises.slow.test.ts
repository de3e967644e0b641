// The promises of m1 and m4 on a real HAProxy, by what the cells saw.

import { describe, expect, test } from "vitest";
import type { ReceivedResponse } from "../../../scripts/http-request.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { engineVersion } from "../../topic.ts";
import { keyInMap } from "../names.ts";
import { Running, type TableSettings } from "../running.ts";

const soon = { intervalMs: 50, timeoutMs: 500, rise: 1, fall: 2 };

/** Who served, in whose stead, and with which code where HAProxy refused. */
function path({ status, headers, body }: ReceivedResponse): Record<string, unknown> {
  const isProblem = headers["content-type"] === "application/problem+json";
  const told = {
    status,
    to: headers["x-routed-to"],
    reason: headers["x-route-reason"],
    cell: headers["x-cell"],
    from: headers["x-failover-from"],
    why: headers["x-failover-reason"],
    retries: headers["x-retry-count"],
    code: isProblem ? (JSON.parse(body) as { code: string }).code : undefined,
  };
  return Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined));
}

const plainly = (name: string, reason = "tier") => ({ status: 200, to: name, reason, cell: name });

async function untilPath(running: Running, key: string, wanted: Record<string, unknown>): Promise<void> {
  const fits = async () => {
    const got = path(await running.ask(key));
    return Object.entries(wanted).every(([name, value]) => got[name] === value);
  };
  await eventually(fits, {
    what: `"${key}" gets ${JSON.stringify(wanted)}`,
    deadlineMs: 10_000,
    everyMs: 20,
  });
}

describe.skipIf(engineVersion("haproxy") === undefined)("HAProxy, with the generated configuration", () => {
  test("sends each key to its placement, any other key to the default one, and passes its bytes on", async () => {
    const odd = 'odd "key", é 東京';
    const routingTable = { visa: "visa", acme: "tier1", [odd]: "tier2" };
    await using running = await Running.start({ top: { routingTable } });
    expect(path(await running.ask("visa"))).toEqual(plainly("visa", "dedicated"));
    expect(path(await running.ask("acme"))).toEqual(plainly("tier1"));
    expect(path(await running.ask("VISA"))).toEqual(plainly("tier3", "default"));
    const response = await running.ask(odd);
    expect(path(response)).toEqual(plainly("tier2"));
    const echo = JSON.parse(response.body) as { headers: Record<string, string> };
    expect(Buffer.from(echo.headers["x-routing-key"] ?? "", "latin1").toString()).toBe(odd);
  });

  test("moves a key, and the default placement, without a reload", async () => {
    await using running = await Running.start();
    const before = await running.engine.command("show info");
    const map = (file: string) => `${running.folder}/${file}`;
    await running.engine.command(`set map ${map("keys.map")} ${keyInMap("acme")} tier2`);
    await running.engine.command(`set map ${map("default.map")} default tier1`);
    expect(path(await running.ask("acme"))).toEqual(plainly("tier2"));
    expect(path(await running.ask("hooli"))).toEqual(plainly("tier1", "default"));
    const pidOf = (info: string) => /^Pid: \d+$/m.exec(info)?.[0];
    expect(pidOf(await running.engine.command("show info"))).toBe(pidOf(before));
  });

  test("refuses a key whose placement does not exist, and asks no cell", async () => {
    await using running = await Running.start();
    await running.engine.command(`add map ${running.folder}/keys.map ${keyInMap("lost")} nowhere`);
    expect((await running.ask("lost")).status).toBeGreaterThanOrEqual(500);
    expect(running.seen()).toEqual({ visa: 0, tier1: 0, tier2: 0, tier3: 0 });
  });

  test("gives a dedicated cell that is down no stand-in: 503, and never another cell", async () => {
    await using running = await Running.start({ placements: { visa: { health: soon } } });
    await untilPath(running, "visa", plainly("visa", "dedicated"));
    await running.cell("visa").close();
    await untilPath(running, "visa", { status: 503, to: "visa", code: "unhealthy" });
    const response = await running.ask("visa");
    expect(response.headers["retry-after"]).toBe("1");
    expect(running.seen()).toMatchObject({ tier1: 0, tier2: 0, tier3: 0 });
  });

  test("fails over along the chain that the table names, at once where a connection is refused", async () => {
    await using running = await Running.start({ placements: { tier1: { fallback: ["tier2"] } } });
    await running.cell("tier1").close();
    const standIn = { ...plainly("tier2"), from: "tier1", why: "connect-failed" };
    expect(path(await running.ask("acme"))).toEqual(standIn);
    expect(path(await running.ask("acme", "/", { body: "pay 10" }))).toEqual(standIn);
  });

  test("says unhealthy where checks have found the cell down, and takes it back when they find it up", async () => {
    await using running = await Running.start({
      placements: { tier1: { fallback: ["tier2"], health: soon } },
    });
    const cell = running.cell("tier1");
    cell.setFault({ fault: "error", status: 500, healthToo: true });
    await untilPath(running, "acme", { ...plainly("tier2"), from: "tier1", why: "unhealthy" });
    cell.setFault({ fault: "none" });
    await untilPath(running, "acme", plainly("tier1"));
  });

  test("ejects a cell after so many failures in a row, and asks it again after its wait", async () => {
    const circuitBreaker = { consecutiveFailures: 3, waitMs: 2_000 };
    await using running = await Running.start({ placements: { tier1: { circuitBreaker } } });
    await untilPath(running, "acme", plainly("tier1"));
    const cell = running.cell("tier1");
    cell.setFault({ fault: "error", status: 503 });
    for (let n = 0; n < 3; n++) expect(path(await running.ask("acme"))).toMatchObject({ status: 503 });
    const { requests } = cell.stats();
    expect(path(await running.ask("acme"))).toMatchObject({ status: 503, code: "circuit-open" });
    expect(cell.stats().requests).toBe(requests);
    cell.setFault({ fault: "none" });
    await untilPath(running, "acme", plainly("tier1"));
  });

  test("limits the rate of a key, of a placement, and of all unlisted keys together", async () => {
    const rateLimit = { ratePerSecond: 0.01, burst: 3 };
    const settings: TableSettings = {
      placements: { tier1: { rateLimit } },
      top: { keyLimits: { visa: { ratePerSecond: 0.1, burst: 2 } }, unlistedKeysLimit: rateLimit },
    };
    await using running = await Running.start(settings);
    const statuses = async (keys: readonly string[]) => {
      const found: number[] = [];
      for (const key of keys) found.push((await running.ask(key)).status);
      return found;
    };
    expect(await statuses(["visa", "visa", "visa"])).toEqual([200, 200, 429]);
    expect(await statuses(["acme", "acme", "acme", "acme"])).toEqual([200, 200, 200, 429]);
    expect(await statuses(["a", "b", "c", "d"]), "invented keys share one counter").toEqual([
      200, 200, 200, 429,
    ]);
    expect(await statuses(["globex"]), "a listed key without a limit").toEqual([200]);
    const refused = await running.ask("visa");
    expect([path(refused)["code"], refused.headers["retry-after"]]).toEqual(["rate-limited", "10"]);
  });

  test("refuses what is over the concurrency limit at once, without a queue or a stand-in", async () => {
    const placements = { tier1: { concurrencyLimit: 2, fallback: ["tier2"] } };
    await using running = await Running.start({ placements });
    const cell = running.cell("tier1");
    const release = new AbortController();
    const held = [1, 2].map(() =>
      running.ask("acme", "/", { body: pieces(release.signal) }).then(({ status }) => status),
    );
    await eventually(() => cell.stats().inFlight === 2, { what: "two are under way", deadlineMs: 5000 });
    expect(path(await running.ask("acme"))).toEqual({
      status: 503,
      to: "tier1",
      reason: "tier",
      code: "overloaded",
    });
    expect(running.seen()["tier2"]).toBe(0);
    release.abort();
    expect(await Promise.all(held)).toEqual([200, 200]);
    expect(path(await running.ask("acme"))).toEqual(plainly("tier1"));
  });

  test("tries again what may be repeated, and nothing else", async () => {
    const placements = { tier1: { retries: {} } };
    await using running = await Running.start({ placements });
    running.cell("tier1").setFault({ fault: "error", status: 503 });
    expect(path(await running.ask("acme"))).toMatchObject({ status: 503, to: "tier1", retries: "2" });
    expect(running.seen()["tier1"]).toBe(3);
    expect(path(await running.ask("acme", "/", { body: "pay" }))).toMatchObject({ status: 503, to: "tier1" });
    expect(running.seen()["tier1"]).toBe(4);
  });

  test("lets neither a client nor a cell say where a request went", async () => {
    await using running = await Running.start();
    const forged = { "X-Routed-To": "visa", "X-Failover-From": "visa", "X-Forwarded-Proto": "https" };
    const response = await running.ask("acme", "/", { headers: forged });
    expect(path(response)).toEqual(plainly("tier1"));
    const { headers } = JSON.parse(response.body) as { headers: Record<string, string> };
    expect([headers["x-routed-to"], headers["x-forwarded-proto"]]).toEqual([undefined, "http"]);
  });

  test("reloads under load without a failed request, on new connections", async () => {
    await using running = await Running.start();
    const loaded = new AbortController();
    const statuses = new Map<number | string, number>();
    const load = async () => {
      while (!loaded.signal.aborted) {
        const status = await running.ask("acme").then((response) => response.status, String);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    const clients = [load(), load(), load(), load()];
    for (let n = 0; n < 5; n++) await running.engine.reload(running.table({ top: { version: String(n) } }));
    loaded.abort();
    await Promise.all(clients);
    expect([...statuses.keys()]).toEqual([200]);
  });
});

/** A body that ends when `signal` says so. */
async function* pieces(signal: AbortSignal): AsyncGenerator<string> {
  yield "some of it";
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  yield ", the rest";
}
