// What a client's connection that idled through a reload may still reach, by what the cells saw.

import { describe, expect, test } from "vitest";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { RawClient } from "../../../shared/testkit/raw-client.ts";
import { engineVersion } from "../../topic.ts";
import { Running } from "../running.ts";
import { fourKeys, type PlacementDocument, tableOf } from "./tables.ts";

const request = (key: string) => `GET / HTTP/1.1\r\nHost: cell\r\nX-Routing-Key: ${key}\r\n\r\n`;
const { routingTable } = fourKeys;

async function idleConnection({ url }: Running, key: string): Promise<RawClient> {
  const client = await RawClient.connect(url);
  expect((await client.request(request(key))).status).toBe(200);
  return client;
}

/** The four placements over the running cells; an undefined one leaves the table. */
async function reload(
  { cells, engine }: Running,
  changes: Readonly<Record<string, PlacementDocument | undefined>>,
  keys: Readonly<Record<string, string>>,
): Promise<void> {
  const kind = (name: string) => (name === "visa" ? "dedicated" : "tier");
  const four = [...cells].map(([name, { url }]) => [name, { kind: kind(name), url }] as const);
  const all: Readonly<Record<string, PlacementDocument | undefined>> = {
    ...Object.fromEntries(four),
    ...changes,
  };
  const placements = Object.entries(all).flatMap(([name, each]) => (each ? [[name, each] as const] : []));
  const rest = { defaultPlacement: "tier3", routingTable: keys };
  await engine.reload(tableOf(Object.fromEntries(placements), rest));
}

describe.skipIf(engineVersion("haproxy") === undefined)("a connection that idled through a reload", () => {
  test("does not reach its old cell where that is another tenant's now", async () => {
    await using running = await Running.start();
    await using idle = await idleConnection(running, "visa");
    const [visa, tier1, tier2] = [running.cell("visa"), running.cell("tier1"), running.cell("tier2")];
    const moved = {
      master: { kind: "dedicated", url: visa.url },
      visa: { kind: "dedicated", url: tier1.url },
      tier1: { url: tier2.url },
      tier2: undefined,
    } as const;
    await reload(running, moved, { visa: "visa", mc: "master" });
    expect((await running.ask("mc")).headers["x-cell"]).toBe("visa");
    expect((await running.ask("visa")).headers["x-cell"]).toBe("tier1");
    const seen = running.seen();
    expect((await idle.request(request("visa"))).status).toBe(503);
    expect(running.seen()).toEqual(seen);
  });

  test("does not reach a dedicated cell that its key has left, or that has left the table", async () => {
    await using running = await Running.start({ top: { routingTable: { ...routingTable, late: "visa" } } });
    await using late = await idleConnection(running, "late");
    await reload(running, { more: { url: running.cell("tier1").url } }, routingTable);
    await using visa = await idleConnection(running, "visa");
    await reload(running, { visa: undefined }, { acme: "tier1" });
    const seen = running.seen();
    expect((await late.request(request("late"))).status).toBe(503);
    expect((await visa.request(request("visa"))).status).toBe(503);
    expect(running.seen()).toEqual(seen);
  });

  test("is still served where nobody else has its cell", async () => {
    await using running = await Running.start();
    await using visa = await idleConnection(running, "visa");
    await using tier1 = await idleConnection(running, "acme");
    await reload(running, { tier1: undefined }, { visa: "visa" });
    const cellOf = async (idle: RawClient, key: string) =>
      (await idle.request(request(key))).headers.one("x-cell");
    expect(await cellOf(visa, "visa")).toBe("visa");
    expect(await cellOf(tier1, "acme")).toBe("tier1");
  });

  test("gets the response to a request that was under way", async () => {
    await using running = await Running.start();
    await using client = await RawClient.connect(running.url);
    const cell = running.cell("visa");
    cell.setFault({ fault: "slow", delayMs: 1_000 });
    await client.write(request("visa"));
    await eventually(() => cell.stats().inFlight === 1, { what: "it is under way" });
    await reload(running, { visa: undefined }, { acme: "tier1" });
    expect((await client.readResponse()).status).toBe(200);
  });
});
