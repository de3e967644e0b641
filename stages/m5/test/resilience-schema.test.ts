import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import {
  DEFAULT_CIRCUIT_BREAKER,
  DEFAULT_HEALTH,
  DEFAULT_RETRIES,
  DEFAULT_RETRY_BUDGET,
} from "../src/resilience-settings.ts";
import { parseRoutingTable, routingTableJsonSchema } from "../src/routing-table.ts";

const read = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), "utf8")) as Record<string, unknown>;

function documentWith(settings: object, top: object = {}): unknown {
  return {
    version: "1",
    defaultPlacement: "one",
    routingTable: { acme: "one" },
    placements: { one: { kind: "tier", url: "http://127.0.0.1:9001", ...settings } },
    ...top,
  };
}

function faultsOf(document: unknown): readonly string[] {
  const result = parseRoutingTable(document);
  return result.ok ? [] : result.faults;
}

describe("resilience settings", () => {
  test("are optional: a document without any is a table without any", () => {
    const result = parseRoutingTable(documentWith({}));
    expect(result.ok && result.table.placements.get("one")).toEqual({
      name: "one",
      kind: "tier",
      url: "http://127.0.0.1:9001",
    });
    expect(result.ok && Object.keys(result.table).sort()).toEqual([
      "defaultPlacement",
      "placementByKey",
      "placements",
      "version",
    ]);
  });

  test("are completed with their defaults", () => {
    const empty = { health: {}, circuitBreaker: {}, retries: {} };
    const result = parseRoutingTable(documentWith(empty, { retryBudget: {} }));
    expect(result.ok && result.table.placements.get("one")).toMatchObject({
      health: DEFAULT_HEALTH,
      circuitBreaker: DEFAULT_CIRCUIT_BREAKER,
      retries: DEFAULT_RETRIES,
    });
    expect(result.ok && result.table.retryBudget).toEqual(DEFAULT_RETRY_BUDGET);
  });

  test.each(["/", "/health", "/a/b?c=d&e=%20", "/health;v=1", '/"'])("a probe may ask for %s", (path) => {
    expect(faultsOf(documentWith({ health: { path } }))).toEqual([]);
  });

  test.each([
    "",
    "health",
    "//elsewhere.test",
    "/\\elsewhere.test",
    "/a b",
    "/a\r\nX: y",
    "/ä",
    "/a#b",
    "http://elsewhere.test/",
  ])("a probe may not ask for %j", (path) => {
    expect(faultsOf(documentWith({ health: { path } }))).toEqual([
      expect.stringMatching(/^placements\.one\.health\.path: /),
    ]);
  });

  test("a path that is allowed stays at the cell", () => {
    // All that one character after the slash could do.
    for (let code = 0; code < 256; code++) {
      const path = `/${String.fromCharCode(code)}elsewhere.test/`;
      if (faultsOf(documentWith({ health: { path } })).length > 0) continue;
      expect(new URL(path, "http://127.0.0.1:9001").host, JSON.stringify(path)).toBe("127.0.0.1:9001");
    }
  });

  test.each([
    [{ rateLimit: { ratePerSecond: Number.NaN, burst: 1 } }, "rateLimit.ratePerSecond"],
    [{ rateLimit: { ratePerSecond: 1, burst: Number.POSITIVE_INFINITY } }, "rateLimit.burst"],
    [{ concurrencyLimit: null }, "concurrencyLimit"],
    [{ circuitBreaker: { waitMs: 0 } }, "circuitBreaker.waitMs"],
    [{ circuitBreaker: { halfOpenProbes: 0 } }, "circuitBreaker.halfOpenProbes"],
    [{ retries: { capMs: -1 } }, "retries.capMs"],
    [{ fallback: Array.from({ length: 17 }, (_, n) => `p${n}`) }, "fallback"],
    [{ fallback: [1] }, "fallback[0]"],
    [{ retrys: {} }, "retrys"],
  ])("%j is a fault", (settings, path) => {
    expect(faultsOf(documentWith(settings)).join("\n")).toContain(
      `placements.one.${path.replace("[0]", ".0")}`,
    );
  });

  test("a limit may be for a key of any name", () => {
    const keyLimits = JSON.parse(
      '{ "__proto__": { "ratePerSecond": 1, "burst": 2 }, "ключ": { "ratePerSecond": 3, "burst": 4 } }',
    );
    const result = parseRoutingTable(documentWith({}, { keyLimits }));
    expect(result.ok && [...(result.table.keyLimits ?? [])].map(([key]) => key)).toEqual([
      "__proto__",
      "ключ",
    ]);
  });

  test("a fallback to a placement with faults of its own is not taken for an unknown one", () => {
    const placements = {
      one: { kind: "tier", url: "http://127.0.0.1:9001", fallback: ["two"] },
      two: { kind: "tier", url: "not a url" },
    };
    const faults = faultsOf({ ...(documentWith({}) as object), placements });
    expect(faults).toEqual([expect.stringMatching(/^placements\.two\.url: /)]);
  });
});

describe("the files beside the stage", () => {
  test.each(["routing.json", "routing.resilience.json"])(
    "%s is valid, for the router and for an editor",
    (name) => {
      const document = read(name);
      expect(faultsOf(document)).toEqual([]);
      const validate = new Ajv2020({ strict: false }).compile(routingTableJsonSchema() as object);
      expect(validate(document), JSON.stringify(validate.errors)).toBe(true);
    },
  );

  test("routing.schema.json is what the validator says", () => {
    expect(read("routing.schema.json"), "npm run schema writes the new one").toEqual(
      JSON.parse(JSON.stringify(routingTableJsonSchema())),
    );
  });

  test("routing.json protects nothing, so that the earlier contracts hold by default", () => {
    const { $schema: _, ...plain } = read("routing.json");
    expect(Object.keys(plain).sort()).toEqual(["defaultPlacement", "placements", "routingTable", "version"]);
    for (const placement of Object.values(plain["placements"] as object))
      expect(Object.keys(placement).sort()).toEqual(["kind", "url"]);
  });
});
