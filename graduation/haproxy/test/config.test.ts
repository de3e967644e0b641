import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { haproxyConfig } from "../config.ts";
import { keyInMap } from "../names.ts";
import { rateWindow } from "../rate-window.ts";
import { fourKeys, fourPlacements, tableOf, tables } from "./tables.ts";

const options = { host: "127.0.0.1", port: 8080, socket: "/run/r.sock", folder: "/etc/maps" };

/** The servers of each backend, as HAProxy will read them. */
function serversIn(text: string): ReadonlyMap<string, readonly string[]> {
  const backends = new Map<string, string[]>();
  let servers: string[] = [];
  for (const line of text.split("\n")) {
    const head = /^(?:backend|frontend|global|defaults)(?: (\S+))?/.exec(line);
    if (head !== null) {
      servers = [];
      backends.set(head[1] ?? head[0], servers);
    }
    const server = /^ {2}server (\S+) (\S+)/.exec(line);
    if (server !== null) servers.push(`${server[1]} ${server[2]}`);
  }
  return backends;
}

describe("the configuration", () => {
  test("keeps keys and the default placement in maps, where they can change without a reload", () => {
    const table = tableOf(fourPlacements, fourKeys);
    const { text, maps } = haproxyConfig(table, options);
    expect(maps.get("keys.map")).toBe(
      "76697361 visa\n61636D65 tier1\n676C6F626578 tier2\n696E6974656368 tier3\n",
    );
    expect(maps.get("default.map")).toBe("default tier3\n");
    expect(text).not.toContain("acme");
    expect(
      haproxyConfig(tableOf(fourPlacements, { ...fourKeys, defaultPlacement: "tier1" }), options).text,
    ).toBe(text);
  });

  test("writes a key with spaces, quotes and letters beyond ASCII as plain hex digits", () => {
    expect(keyInMap('a "b" é')).toBe("612022622220C3A9");
  });

  test("lists the placement's own cell, then the chain in its order, and nobody else", () => {
    const servers = serversIn(haproxyConfig(tableOf(fourPlacements, fourKeys), options).text);
    expect(servers.get("p_visa")).toEqual(["cell 127.0.0.1:9001"]);
    expect(servers.get("p_tier1")).toEqual([
      "cell 127.0.0.1:9002",
      "f1_tier2 127.0.0.1:9003",
      "f2_tier3 127.0.0.1:9004",
    ]);
  });

  test("never leads from one placement to another tenant's dedicated cell, and has no default backend", () => {
    const property = fc.property(tables, (table) => {
      const { text } = haproxyConfig(table, options);
      expect(text).not.toContain("default_backend");
      const servers = serversIn(text);
      for (const { name, kind, url } of table.placements.values()) {
        const { port } = new URL(url);
        const leading = [...servers].filter(([, all]) => all.some((server) => server.endsWith(`:${port}`)));
        if (kind === "dedicated") expect(leading.map(([backend]) => backend)).toEqual([`p_${name}`]);
      }
    });
    fc.assert(property, { numRuns: 50, seed: 16 });
  });

  test("keeps a quote in a health check's path within its word", () => {
    const table = tableOf({ one: { health: { path: "/a'b" } } });
    expect(haproxyConfig(table, options).text).toContain("uri '/a'\\''b' ver");
  });

  test("refuses a folder whose name HAProxy would read as something else", () => {
    const table = tableOf({ one: {} });
    expect(() => haproxyConfig(table, { ...options, folder: "/run/a b" })).toThrow(RangeError);
    expect(() => haproxyConfig(table, { ...options, socket: "/run/a,b" })).toThrow(RangeError);
  });
});

describe("a token bucket as a window", () => {
  test.each([
    [
      { ratePerSecond: 50, burst: 20 },
      { most: 20, periodMs: 400, retryAfterSeconds: 1 },
    ],
    [
      { ratePerSecond: 0.1, burst: 1 },
      { most: 1, periodMs: 10_000, retryAfterSeconds: 10 },
    ],
    [
      { ratePerSecond: 10, burst: 2.5 },
      { most: 2, periodMs: 200, retryAfterSeconds: 1 },
    ],
    // 1 ms is too short to count in.
    [
      { ratePerSecond: 1000, burst: 1 },
      { most: 10, periodMs: 10, retryAfterSeconds: 1 },
    ],
  ])("%o is %o", (bucket, window) => {
    expect(rateWindow(bucket)).toEqual(window);
  });

  test("has the bucket's rate in the long run, within the rounding of its period", () => {
    const rates = fc.double({ min: 0.01, max: 100_000, noNaN: true });
    const bursts = fc.double({ min: 1, max: 10_000, noNaN: true });
    const property = fc.property(rates, bursts, (ratePerSecond, burst) => {
      const { most, periodMs } = rateWindow({ ratePerSecond, burst });
      const exactMs = (most * 1000) / ratePerSecond;
      expect(Math.abs(periodMs - exactMs)).toBeLessThanOrEqual(0.5);
    });
    fc.assert(property, { numRuns: 200, seed: 16 });
  });
});
