// What happens to the requests and connections of a placement that a new table no longer has.

import { describe, expect, test } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import { RawClient } from "../../testkit/raw-client.ts";
import { requestBytes } from "../messages.ts";
import type { ReloadContract } from "./contract.ts";

export function describeDraining(contract: ReloadContract): void {
  describe("a placement that a new table leaves out", () => {
    test("finishes the request under way, then loses its connections", async () => {
      const blue = contract.cell("blue");
      await contract.apply(
        contract.table((table) => {
          table.placements["leaving"] = { kind: "tier", url: blue.url };
          table.routingTable["acme"] = "leaving";
        }),
      );
      // An upload that is half sent when the table changes.
      await using client = await RawClient.connect(contract.router.url);
      const half = "x".repeat(50_000);
      await client.write(
        `${requestBytes({ method: "POST", fields: [`Content-Length: ${2 * half.length}`] })}${half}`,
      );
      await eventually(() => blue.stats().inFlight === 1, { what: "the upload reaches its cell" });

      await contract.apply(contract.table());
      expect(await contract.served("acme")).toBe("tier1 by tier1 because tier");
      expect(blue.stats().inFlight).toBe(1);

      await client.write(half);
      const response = await client.readResponse({ method: "POST" });
      expect(response.status).toBe(200);
      expect(response.headers.one("x-routed-to")).toBe("leaving");
      expect(response.json()).toMatchObject({ cell: "blue", bodyBytes: 2 * half.length });
      await eventually(() => blue.stats().connections === 0, { what: "no connection to the cell is left" });
    });

    test("loses its idle connections at once", async () => {
      const green = contract.cell("green");
      const idle = contract.table((table) => {
        table.placements["leaving"] = { kind: "tier", url: green.url };
        table.routingTable["acme"] = "leaving";
      });
      await contract.apply(idle);
      await contract.served("acme");
      expect(green.stats().connections).toBeGreaterThan(0);
      await contract.apply(contract.table());
      // Less than the time for which an idle connection is kept.
      await eventually(() => green.stats().connections === 0, {
        what: "no connection to the cell is left",
        deadlineMs: 2_500,
      });
    });

    test("keeps the connections of the placements that stay", async () => {
      const cell = contract.cell("tier2");
      const isKept = async () => {
        await contract.served("globex");
        const { accepted } = cell.stats();
        await contract.apply(contract.table((table) => (table.routingTable["acme"] = "tier3")));
        await contract.served("globex");
        return cell.stats().accepted === accepted;
      };
      // On a busy machine, the connection may have been idle for too long: so once is enough.
      const what = "a request after a new table uses the connection of the one before";
      await eventually(isKept, { what, deadlineMs: 15_000 });
    });
  });
}
