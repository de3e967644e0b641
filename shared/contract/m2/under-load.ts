// Reloads while requests are being served: none may fail, and none may see two tables.

import { describe, expect, test } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import { RawClient } from "../../testkit/raw-client.ts";
import { requestBytes } from "../messages.ts";
import type { ReloadContract } from "./contract.ts";
import type { Table } from "./tables.ts";

const reloads = 50;
const clients = 8;

/** What one request can see of a table: each of these three comes from another part of it. */
const blueTable = "tier1 by blue because tier";
const greenTable = "acme-own by green because dedicated";

export function describeUnderLoad(contract: ReloadContract): void {
  /** Two tables that differ in everything that a request sees: the placement's name, its kind, its endpoint. */
  const alternating = (round: number): Table =>
    contract.table((table) => {
      const [blue, green] = [contract.cell("blue").url, contract.cell("green").url];
      if (round % 2 === 0) {
        table.placements["tier1"] = { kind: "tier", url: blue };
      } else {
        table.placements["acme-own"] = { kind: "dedicated", url: green };
        table.routingTable["acme"] = "acme-own";
      }
    });

  /** Asks over one connection until `done`, and counts what it saw. */
  const ask = async (seen: Map<string, number>, done: () => boolean) => {
    await using client = await RawClient.connect(contract.router.url);
    while (!done()) {
      const body = seen.size % 2 === 0 ? {} : { method: "POST", body: "x".repeat(100) };
      const response = await client.request(requestBytes({ key: "acme", ...body }));
      const { headers, status, ending } = response;
      const served = `${headers.one("x-routed-to")} by ${headers.one("x-cell")} because ${headers.one("x-route-reason")}`;
      const what = status === 200 && ending === "complete" ? served : `status ${status}, ${ending}`;
      seen.set(what, (seen.get(what) ?? 0) + 1);
    }
  };

  const count = (seen: ReadonlyMap<string, number>) =>
    [...seen.values()].reduce((sum, each) => sum + each, 0);

  describe("under load", () => {
    test("fifty reloads fail no request, and no request mixes two tables", async () => {
      await contract.apply(alternating(0));
      const seen = new Map<string, number>();
      let done = false;
      const asking = Array.from({ length: clients }, () => ask(seen, () => done));
      try {
        for (let round = 1; round <= reloads; round++) {
          await contract.apply(alternating(round));
          const until = count(seen) + clients;
          // One of these began after the reload.
          await eventually(() => count(seen) > until, { what: "requests have ended", deadlineMs: 15_000 });
        }
      } finally {
        done = true;
        await Promise.all(asking);
      }
      expect(new Set(seen.keys())).toEqual(new Set([blueTable, greenTable]));
    });

    test("broken and missing files fail no request", async () => {
      const seen = new Map<string, number>();
      let done = false;
      const asking = Array.from({ length: clients }, () => ask(seen, () => done));
      try {
        for (const content of ["", "{", "null", "{}", '{"version":"x"}']) {
          await contract.write(content);
          await contract.complains();
          await contract.apply(contract.table());
        }
      } finally {
        done = true;
        await Promise.all(asking);
      }
      expect([...seen.keys()]).toEqual(["tier1 by tier1 because tier"]);
    });
  });
}
