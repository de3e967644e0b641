import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { route } from "../../../stages/m4/src/routing.ts";
import type { RoutingTable } from "../../../stages/m4/src/routing-table.ts";
import { nginxConfiguration } from "../configuration.ts";
import { Maps, readConfiguration } from "./nginx-reader.ts";
import { anyKey, documentOver, oddKeys } from "./odd-keys.ts";
import { tableOf } from "./scene.ts";

const options = { listen: "127.0.0.1:8080", directory: "folder", generation: 1 };

/** Bytes as nginx sees them: one character a byte, so that its folding of case meets ASCII only. */
const latin1 = (text: string) => Buffer.from(text, "utf8").toString("latin1");

/** Asks the generated maps where a key leads. */
function routedBy(
  table: RoutingTable,
): (key: string) => { placement: string; reason: string; limit: string } {
  const maps = new Maps(readConfiguration(latin1(nginxConfiguration(table, options))));
  return (key) => {
    const known = { http_x_routing_key: latin1(key), dollar: "$" };
    const [placement = "", reason = "", limit = ""] = ["placement", "route_reason", "key_limit"].map((name) =>
      maps.variable(name, known),
    );
    return { placement, reason, limit };
  };
}

function expected(table: RoutingTable, key: string) {
  const { placement, reason } = route(table, key);
  return { placement: placement.name, reason };
}

/** The same letters in another case. */
const flipped = (key: string) =>
  key.replace(/[a-z]/gi, (letter) => (letter < "a" ? letter.toLowerCase() : letter.toUpperCase()));

describe("the map of keys", () => {
  test("leads every odd key where the table does, and its other spellings to the default", () => {
    const table = tableOf(documentOver(oddKeys));
    const ask = routedBy(table);
    for (const key of [...oddKeys, ...oddKeys.map(flipped), "nobody", "tier1", ""])
      expect(ask(key), JSON.stringify(key)).toMatchObject(expected(table, key));
  });

  test("leads any key where the table does", () => {
    const lists = fc.uniqueArray(anyKey, { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(lists, anyKey, (keys, other) => {
        const table = tableOf(documentOver(keys));
        const ask = routedBy(table);
        for (const key of [...keys, ...keys.map(flipped), other])
          expect(ask(key), JSON.stringify(key)).toMatchObject(expected(table, key));
      }),
      { numRuns: 150 },
    );
  });

  test("a key that only has a limit is not an unlisted one", () => {
    const limit = { ratePerSecond: 5, burst: 10 };
    const keyLimits = { lonely: limit, acme: { ratePerSecond: 0.5, burst: 1 } };
    const document = { ...documentOver(["acme"]), keyLimits, unlistedKeysLimit: limit };
    const ask = routedBy(tableOf(document));
    expect(ask("lonely")).toEqual({ placement: "tier3", reason: "default", limit: "key_5_10" });
    expect(ask("acme")).toEqual({ placement: "visa", reason: "dedicated", limit: "key_0p5_1" });
    expect(ask("LONELY").limit).toBe("unlisted");
  });

  test("space around a key is not part of it", () => {
    const ask = routedBy(tableOf(documentOver(["acme", "a b"])));
    expect(ask("\t acme \t").placement).toBe("visa");
    expect(ask(" a b ").placement).toBe("tier1");
  });
});
