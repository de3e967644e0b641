import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectRoot } from "../../scripts/stages.ts";
import { parseRoutingTable, type RoutingDocument } from "../../stages/m4/src/routing-table.ts";
import { envoyConfig, envoyConfigFromJson } from "./envoy-config.ts";
import { tokenBucket } from "./envoy-limits.ts";
import { duration } from "./envoy-values.ts";

const protectedTable = readFileSync(join(projectRoot, "stages/m4/routing.resilience.json"), "utf8");

function exported(change: (document: RoutingDocument) => RoutingDocument): Record<string, unknown> {
  const parsed = parseRoutingTable(change(JSON.parse(protectedTable) as RoutingDocument));
  if (!parsed.ok) throw new Error(parsed.faults.join("\n"));
  return envoyConfig(parsed.table) as Record<string, unknown>;
}

/** Every value in `config` that stands under `name`, however deep. */
function under(config: unknown, name: string): unknown[] {
  if (typeof config !== "object" || config === null) return [];
  return Object.entries(config).flatMap(([key, value]) => [
    ...(key === name ? [value] : []),
    ...under(value, name),
  ]);
}

interface Cluster {
  readonly name: string;
  readonly cluster_type?: { readonly typed_config: { readonly clusters: readonly string[] } };
}

const clustersOf = (config: unknown) =>
  under(config, "static_resources").flatMap((each) => (each as { clusters: Cluster[] }).clusters);

describe("the export for Envoy", () => {
  it("names no cluster that does not exist", () => {
    const config = exported((document) => document);
    const names = clustersOf(config).map(({ name }) => name);
    const used = [...under(config, "cluster").slice(1), ...under(config, "clusters").flat()].filter(
      (each): each is string => typeof each === "string" && each !== "cell-routing",
    );
    expect(used.length).toBeGreaterThan(8);
    for (const name of used) expect(names).toContain(name);
  });

  it("puts a chain in the order of m4's failover, and never a dedicated cell behind another placement", () => {
    const chains = clustersOf(exported((document) => document)).flatMap(({ name, cluster_type }) =>
      cluster_type === undefined ? [] : [[name, cluster_type.typed_config.clusters]],
    );
    const [tier1, tier2, tier3] = ["tier1@127.0.0.1:9001", "tier2@127.0.0.1:9002", "tier3@127.0.0.1:9003"];
    expect(chains).toEqual([
      [[tier1, tier2, tier3].join("+"), [tier1, tier2, tier3]],
      [[tier2, tier3].join("+"), [tier2, tier3]],
    ]);
  });

  it("has one entry in the map for each key, whatever its name is", () => {
    const names = ["__proto__", "constructor", "two words", "クレジット", "a,b"];
    const config = exported((document) => ({
      ...document,
      routingTable: Object.fromEntries(names.map((name) => [name, "tier1"])),
      keyLimits: { "only-limited": { ratePerSecond: 1, burst: 1 } },
    }));
    const [map] = under(under(config, "exact_match_map"), "map");
    expect(Object.keys(map as object).sort()).toEqual([...names, "only-limited"].sort());
    expect(JSON.stringify(map)).toContain('"__proto__":{"action":{"name":"route"');
  });

  it("has no empty map for a table without keys, and no filter for one without rate limits", () => {
    const config = exported(({ keyLimits: _, unlistedKeysLimit: __, ...document }) => {
      const { rateLimit: ___, ...tier1 } = document.placements["tier1"] ?? { kind: "tier", url: "" };
      return { ...document, routingTable: {}, placements: { ...document.placements, tier1 } };
    });
    expect(under(config, "exact_match_map")).toEqual([]);
    expect(under(config, "matcher_list")).toHaveLength(1);
    expect(JSON.stringify(config)).not.toContain("local_ratelimit");
  });

  it("never lets Envoy panic, and always lets it eject", () => {
    const config = exported((document) => document);
    expect(under(config, "healthy_panic_threshold")).toEqual(Array(4).fill({ value: 0 }));
    expect(under(config, "max_ejection_percent")).toEqual(Array(4).fill(100));
  });

  it("takes names that only DNS resolves, and addresses of both kinds", () => {
    const config = exported((document) => ({
      ...document,
      placements: {
        ...document.placements,
        visa: { kind: "dedicated", url: "http://visa.internal" },
        tier1: { kind: "tier", url: "http://[2001:db8::1]:9001" },
      },
    }));
    const text = JSON.stringify(clustersOf(config));
    expect(text).toContain('"type":"STRICT_DNS"');
    expect(text).toContain('{"address":"visa.internal","port_value":80}');
    expect(text).toContain('{"address":"2001:db8::1","port_value":9001}');
  });

  it("gives a cell that changes hands another name, so that no old route leads there", () => {
    const table = (visa: string, tier1: string) =>
      exported(({ placements, ...document }) => ({
        ...document,
        placements: {
          ...placements,
          visa: { kind: "dedicated", url: visa },
          tier1: { kind: "tier", url: tier1, fallback: ["tier2"] },
        },
      }));
    const [one, two] = ["http://127.0.0.1:1001", "http://127.0.0.1:1002"] as const;
    const named = (config: unknown) => clustersOf(config).map(({ name }) => name);
    const swapped = named(table(two, one));
    const stays = named(table(one, two)).filter((name) => swapped.includes(name));
    expect(stays.filter((name) => /visa|tier1/.test(name))).toEqual([]);
    expect(stays).toContain("tier3@127.0.0.1:9003");
  });

  it("dials loopback where the table says every address, as m4 does", () => {
    const config = exported(({ placements, ...document }) => ({
      ...document,
      placements: {
        ...placements,
        visa: { kind: "dedicated", url: "http://0.0.0.0:1001" },
        tier1: { kind: "tier", url: "http://[::]:1002" },
      },
    }));
    const addresses = under(clustersOf(config), "socket_address");
    expect(addresses).toContainEqual({ address: "127.0.0.1", port_value: 1001 });
    expect(addresses).toContainEqual({ address: "::1", port_value: 1002 });
  });

  it("refuses what is no routing table, with every fault", () => {
    expect(() => envoyConfigFromJson('{"version":""}')).toThrow(/version[\s\S]*placements/);
  });
});

describe("a rate as whole tokens in an interval", () => {
  it.each([
    [50, 20, 3, "0.06s"],
    [500, 1000, 25, "0.05s"],
    [0.5, 1, 1, "2s"],
    [1, 10, 1, "1s"],
    [3, 3, 1, "0.333333333s"],
  ])("%d a second is exact, and at least 50 ms long", (ratePerSecond, burst, tokens, interval) => {
    const bucket = tokenBucket({ ratePerSecond, burst });
    expect(bucket).toEqual({ max_tokens: burst, tokens_per_fill: tokens, fill_interval: interval });
    expect(tokens / Number.parseFloat(interval)).toBeCloseTo(ratePerSecond, 5);
  });

  it("writes durations without an exponent", () => {
    expect([duration(0.001), duration(1), duration(65_000)]).toEqual(["0.000001s", "0.001s", "65s"]);
  });
});
