// What a new table changes, once it is in use.

import { describe, expect, test } from "vitest";
import type { ReloadContract } from "./contract.ts";

export function describeRouting(contract: ReloadContract): void {
  describe("a new table", () => {
    test("moves a routing key to another placement", async () => {
      expect(await contract.served("acme")).toBe("tier1 by tier1 because tier");
      await contract.apply(contract.table((table) => (table.routingTable["acme"] = "tier2")));
      expect(await contract.served("acme")).toBe("tier2 by tier2 because tier");
      expect(await contract.served("globex")).toBe("tier2 by tier2 because tier");
    });

    test("gives a tenant a cell of its own, and takes it away", async () => {
      const { url } = contract.cell("blue");
      await contract.apply(
        contract.table((table) => {
          table.placements["acme-own"] = { kind: "dedicated", url };
          table.routingTable["acme"] = "acme-own";
        }),
      );
      expect(await contract.served("acme")).toBe("acme-own by blue because dedicated");
      await contract.apply(contract.table());
      expect(await contract.served("acme")).toBe("tier1 by tier1 because tier");
    });

    test("moves a placement to another endpoint", async () => {
      const { url } = contract.cell("green");
      await contract.apply(contract.table((table) => (table.placements["tier1"] = { kind: "tier", url })));
      expect(await contract.served("acme")).toBe("tier1 by green because tier");
    });

    test("changes the default placement", async () => {
      await contract.apply(contract.table((table) => (table.defaultPlacement = "tier2")));
      expect(await contract.served("hooli")).toBe("tier2 by tier2 because default");
      expect(await contract.served("initech")).toBe("tier3 by tier3 because tier");
    });

    test("drops a routing key, which the default placement serves from then on", async () => {
      await contract.apply(contract.table((table) => delete table.routingTable["acme"]));
      expect(await contract.served("acme")).toBe("tier3 by tier3 because default");
    });

    test.each([
      ["__proto__", "__proto__"],
      ["constructor", "constructor"],
      ["a key in UTF-8", "münchen-東京"],
      ["a key of 256 bytes", "é".repeat(128)],
    ])("can list %s like any other key", async (_, key) => {
      // Written as text: in an object literal, __proto__ would not become a key.
      const text = contract.text(contract.table((table) => (table.routingTable["PLACE"] = "tier1")));
      const { version } = JSON.parse(text) as { version: string };
      await contract.write(text.replace('"PLACE"', JSON.stringify(key)));
      await contract.uses({ ...contract.table(), version });
      expect(await contract.served(Buffer.from(key).toString("latin1"))).toBe("tier1 by tier1 because tier");
    });

    test("may name its JSON Schema, for editors", async () => {
      await contract.apply(contract.table((table) => (table["$schema"] = "./routing.schema.json")));
    });
  });
}
