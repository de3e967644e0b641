import { describe, expect, test } from "vitest";
import type { RoutingTable } from "../../../stages/m4/src/routing-table.ts";
import { addressOf } from "../../address.ts";
import { mapEntries } from "../maps.ts";
import { serversOf } from "../names.ts";
import { type PlacementDocument, tableOf } from "../test/tables.ts";
import { type OldWorker, toBeClosed } from "./old-workers.ts";
import type { ShownServer } from "./runtime-output.ts";

function shown(table: RoutingTable): readonly ShownServer[] {
  return [...table.placements.values()].flatMap(({ name, url }) => {
    const { host, port } = addressOf(url);
    const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    return serversOf(table, name).map((each) => ({ ...each, address, maxconn: 0 }));
  });
}

function oldWorker(table: RoutingTable): OldWorker {
  const maps = mapEntries(table);
  return {
    servers: shown(table),
    kinds: [...maps["kinds.map"]],
    keys: [...maps["keys.map"]],
    defaults: [...maps["default.map"]],
  };
}

type Placements = Readonly<Record<string, PlacementDocument>>;
const at = (port: number) => ({ url: `http://127.0.0.1:${port}` });
const own = (port: number) => ({ kind: "dedicated", ...at(port) }) as const;
const rest = { defaultPlacement: "other" };
const other = at(9);

describe("an old worker keeps away from", () => {
  test.each<[string, Placements, Placements, readonly string[]]>([
    ["nothing, where only others change", { a: own(1), b: at(2) }, { a: own(1), c: at(3) }, []],
    ["a dedicated cell that has left", { a: own(1) }, {}, ["a"]],
    ["a dedicated cell with another name", { a: own(1) }, { a: own(2), b: own(1) }, ["a"]],
    [
      "a dedicated cell in another spelling of its address",
      { a: { url: "http://[::1]:1" } },
      { b: own(1), a: at(2) },
      ["a"],
    ],
    ["shared cells that change hands", { a: at(1), b: at(2) }, { a: at(2), b: at(1) }, ["a", "b"]],
    ["no shared cell that its other placement keeps", { a: at(1), b: at(1) }, { b: at(1) }, []],
    [
      "a fallback that is dedicated now",
      { a: { ...at(1), fallback: ["b"] }, b: at(2) },
      { a: at(1), b: own(2) },
      ["a"],
    ],
    [
      "no fallback that has left the chain",
      { a: { ...at(1), fallback: ["b"] }, b: at(2) },
      { a: at(1), b: at(2) },
      [],
    ],
  ])("%s", (_, before, after, closed) => {
    const [last, next] = [before, after].map((each) => tableOf({ ...each, other }, rest));
    if (last === undefined || next === undefined) expect.fail("two tables");
    expect([...toBeClosed(oldWorker(last), shown(next), next)]).toEqual(closed);
  });

  test("a dedicated cell that has lost a key, or is the default no more", () => {
    const table = (
      kind: "dedicated" | "tier",
      keys: Readonly<Record<string, string>>,
      defaultPlacement = "other",
    ) => tableOf({ a: { kind, ...at(1) }, other }, { routingTable: keys, defaultPlacement });
    const next = table("dedicated", { one: "a" });
    const closed = (last: RoutingTable) => [...toBeClosed(oldWorker(last), shown(next), next)];
    expect(closed(table("dedicated", { one: "a", two: "a" }))).toEqual(["a"]);
    expect(closed(table("tier", {}, "a"))).toEqual(["a"]);
    expect(closed(table("dedicated", { one: "a" }))).toEqual([]);
    expect(closed(table("dedicated", {}))).toEqual([]);
  });
});
