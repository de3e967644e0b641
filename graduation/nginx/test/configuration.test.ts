import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseRoutingTable, type RoutingTable } from "../../../stages/m4/src/routing-table.ts";
import { nginxConfiguration } from "../configuration.ts";
import { nginxRate } from "../limits.ts";
import { serverAddress } from "../upstreams.ts";
import { readConfiguration, type Statement } from "./nginx-reader.ts";

const options = { listen: "127.0.0.1:8080", directory: "folder", generation: 1 };

type Placements = Readonly<Record<string, object>>;

function tableOf(placements: Placements, top: object = {}): RoutingTable {
  const names = Object.keys(placements);
  const result = parseRoutingTable({
    version: "test",
    defaultPlacement: names.at(-1),
    routingTable: Object.fromEntries(names.map((name) => [name, name])),
    placements,
    ...top,
  });
  if (!result.ok) throw new Error(result.faults.join("\n"));
  return result.table;
}

const cell = (port: number, more: object = {}, kind = "tier") => ({
  kind,
  url: `http://127.0.0.1:${port}`,
  ...more,
});

function httpOf(table: RoutingTable): readonly Statement[] {
  return readConfiguration(nginxConfiguration(table, options))
    .find(([name]) => name === "http")
    ?.at(-1) as Statement[];
}

/** The servers of each group, without the settings that are not asked for. */
function groups(table: RoutingTable): string[][] {
  return httpOf(table)
    .filter(([word]) => word === "upstream")
    .map((upstream) => (upstream.at(-1) as readonly Statement[]).filter(([word]) => word === "server"))
    .map((servers) => servers.map((server) => server.slice(1).join(" ")));
}

describe("upstream groups", () => {
  test("hold a cell as often as it may be tried, and its chain as backups, best first", () => {
    const table = tableOf({
      one: cell(1001, { retries: { maxRetries: 1 }, fallback: ["two"], circuitBreaker: { waitMs: 2500 } }),
      two: cell(1002, { fallback: ["three"] }),
      three: cell(1003),
    });
    const ejection = "max_fails=3 fail_timeout=3s";
    expect(groups(table)[0]).toEqual([
      `127.0.0.1:1001 ${ejection}`,
      `127.0.0.1:1001 ${ejection}`,
      "127.0.0.1:1002 backup weight=1000000000 max_fails=0",
      "127.0.0.1:1003 backup weight=1000000 max_fails=0",
    ]);
  });

  test("give a lonely cell with a breaker a second server that is down, without which nginx never ejects it", () => {
    const [breaker, health, plain] = groups(
      tableOf({
        one: cell(1001, { circuitBreaker: {} }),
        two: cell(1002, { health: { intervalMs: 1000 } }),
        three: cell(1003),
      }),
    );
    expect(breaker).toEqual(["127.0.0.1:1001 max_fails=5 fail_timeout=5s", "127.0.0.1:1 down"]);
    expect(health).toEqual(["127.0.0.1:1002 max_fails=3 fail_timeout=2s", "127.0.0.1:1 down"]);
    expect(plain).toEqual(["127.0.0.1:1003 max_fails=0"]);
  });

  test("never hold another tenant's cell, or a cell that no chain names", () => {
    const names = ["a", "b", "c", "d", "e"];
    const drawn = fc.array(
      fc.record({ isOwn: fc.boolean(), chain: fc.subarray(names), retries: fc.nat(2) }),
      {
        minLength: 4,
        maxLength: 4,
      },
    );
    fc.assert(
      fc.property(drawn, (settings) => {
        const placements = Object.fromEntries(
          [...settings, { isOwn: false, chain: [], retries: 0 }].map(({ isOwn, chain, retries }, at) => {
            // Later ones only: a loop is no valid table. Own cells stand in for nobody.
            const fallback = chain.filter(
              (name) => names.indexOf(name) > at && settings[names.indexOf(name)]?.isOwn !== true,
            );
            const more = { fallback, retries: { maxRetries: retries } };
            return [names[at], cell(2000 + at, more, isOwn ? "dedicated" : "tier")];
          }),
        );
        const table = tableOf(placements);
        for (const [at, servers] of groups(table).entries()) {
          const reachable = new Set([at]);
          for (const each of reachable)
            for (const name of table.placements.get(names[each] ?? "")?.fallback ?? [])
              reachable.add(names.indexOf(name));
          const ports = new Set(servers.map((server) => Number(/:(\d+)/.exec(server)?.[1]) - 2000));
          expect(ports).toEqual(reachable);
        }
      }),
      { numRuns: 100 },
    );
  });

  test("refuse a chain with a name that only DNS knows: nobody could tell who served", () => {
    const table = tableOf({
      one: cell(1001, { fallback: ["two"] }),
      two: { kind: "tier", url: "http://cell.test:80" },
    });
    expect(() => nginxConfiguration(table, options)).toThrow(/Write the url of "two" with an IP address/);
    expect(() =>
      nginxConfiguration(tableOf({ two: { kind: "tier", url: "http://cell.test" } }), options),
    ).not.toThrow();
  });
});

describe("limits", () => {
  test.each([
    [50, "50r/s"],
    [0.5, "30r/m"],
    [1.5, "90r/m"],
    [0.01, "1r/m"],
    [1_000_000, "1000000r/s"],
  ])("write %d a second as %s", (ratePerSecond, rate) => {
    expect(nginxRate({ ratePerSecond, burst: 1 })).toBe(rate);
  });

  test("share a zone where they are equal, and none where they differ", () => {
    const limit = { ratePerSecond: 5, burst: 10 };
    const table = tableOf(
      {
        one: cell(1001, { rateLimit: limit, concurrencyLimit: 3 }),
        two: cell(1002, { concurrencyLimit: 3 }),
      },
      {
        keyLimits: { one: limit, two: limit, three: { ratePerSecond: 5, burst: 1 } },
        unlistedKeysLimit: limit,
      },
    );
    const server = httpOf(table)
      .find(([word]) => word === "server")
      ?.at(-1) as readonly Statement[];
    const directives = server
      .filter(([word]) => /^limit_(req|conn)$/.test(String(word)))
      .map((each) => each.join(" "));
    expect(directives).toEqual([
      "limit_req zone=key_5_10 burst=9 nodelay",
      "limit_req zone=key_5_1",
      "limit_req zone=unlisted_5_10 burst=9 nodelay",
      "limit_req zone=placement_5_10 burst=9 nodelay",
      "limit_conn under_way_3 3",
    ]);
  });
});

describe("what m4 takes and nginx would misread or refuse", () => {
  const at = (url: string, more: object = {}) =>
    nginxConfiguration(tableOf({ one: { kind: "tier", url, ...more } }), options);

  test.each(["http://unix:1001", "http://UNIX:1001"])(
    "the host of %s is no socket in the file system",
    (url) => {
      expect(() => at(url)).toThrow(/cannot name the host of "one"/);
    },
  );

  test.each(["a;b", "a{b", "a$b", "*", "it's"])(
    "the host %s never becomes a part of the configuration",
    (host) => {
      const url = `http://${host}:1001`;
      // The validator may refuse it already.
      const placement = { name: "one", kind: "tier", url } as const;
      expect(() => serverAddress(placement)).toThrow(/cannot name the host/);
    },
  );

  test.each([
    ["http://0.0.0.0:1001", "127.0.0.1:1001"],
    ["http://[::]:1001", "[::1]:1001"],
    ["http://[::ffff:127.0.0.1]:1001", "127.0.0.1:1001"],
    ["http://[::ffff:0.0.0.0]:1001", "127.0.0.1:1001"],
    ["http://[2001:db8::1]", "[2001:db8::1]:80"],
    ["http://constructor:1001", "constructor:1001"],
  ])("%s is %s", (url, address) => {
    expect(groups(tableOf({ one: { kind: "tier", url } }))[0]).toEqual([`${address} max_fails=0`]);
  });

  test("more requests under way than nginx can count", () => {
    expect(at("http://a:1", { concurrencyLimit: 65_535 })).toContain("limit_conn under_way_65535 65535;");
    expect(() => at("http://a:1", { concurrencyLimit: 65_536 })).toThrow(
      /"one" is 65536; nginx counts to 65535/,
    );
  });

  test("a rate of next to nothing is a wait of a day", () => {
    const rateLimit = { ratePerSecond: 1e-300, burst: 1 };
    expect(at("http://a:1", { rateLimit })).toMatch(
      /map \$placement_number \$placement_wait \{\s+default 1;\s+0 86400;/,
    );
  });
});

test("a version that tries to end the comment it stands in stays in it", () => {
  const table = tableOf({ one: cell(1001) }, { version: "1\n}\nevil on;" });
  const words = readConfiguration(nginxConfiguration(table, options)).map(([word]) => word);
  expect(words).not.toContain("evil");
});
