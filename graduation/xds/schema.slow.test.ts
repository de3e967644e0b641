import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { projectRoot } from "../../scripts/stages.ts";
import { buildSchemaCheck } from "./envoy.ts";
import { envoyConfigFromJson } from "./envoy-config.ts";

const folder = mkdtempSync(join(tmpdir(), "schema-check-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const built = await buildSchemaCheck(folder);
const check = built.missing === undefined ? built.check : () => ({ faults: built.missing });
const exported = (file: string) =>
  envoyConfigFromJson(readFileSync(join(projectRoot, "stages/m4", file), "utf8"));

/** The exported configuration with one text replaced. */
function planted(from: string, to: string): unknown {
  const text = JSON.stringify(exported("routing.resilience.json"));
  expect(text).toContain(from);
  return JSON.parse(text.replace(from, to));
}

const skipped = built.missing === undefined ? "" : ` (skipped: ${built.missing})`;
describe.skipIf(skipped !== "")(`Envoy's published schema${skipped}`, () => {
  it.each(["routing.json", "routing.resilience.json"])("takes the export of %s", (file) => {
    expect(check(exported(file))).toMatchObject({ version: "v1.40.0", messages: expect.any(Number) });
  });

  it("was looked at inside every extension", () => {
    const types = check(exported("routing.resilience.json"));
    expect(types).toMatchObject({
      types: expect.arrayContaining([
        "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        "envoy.extensions.clusters.aggregate.v3.ClusterConfig",
        "envoy.config.route.v3.RouteList",
        "xds.type.matcher.v3.Matcher.MatcherTree",
        "envoy.config.cluster.v3.OutlierDetection",
      ]),
    });
  });

  it.each([
    [
      "an unknown field",
      '"no_traffic_interval"',
      '"no_trafic_interval"',
      /unknown field "no_trafic_interval"/,
    ],
    ["an unknown field inside an extension", '"suppress_envoy_headers"', '"quiet"', /unknown field "quiet"/],
    [
      "a value out of bounds",
      '"max_ejection_percent":100',
      '"max_ejection_percent":101',
      /MaxEjectionPercent/,
    ],
    [
      "a value out of bounds inside an extension",
      '"fill_interval":"0.06s"',
      '"fill_interval":"-1s"',
      /FillInterval/,
    ],
    ["an extension that does not exist", "v3.LocalRateLimit", "v3.LocalLimit", /LocalLimit/],
    ["a text for a number", '"healthy_threshold":2', '"healthy_threshold":"two"', /two/],
  ])("refuses %s", (_, from, to, words) => {
    expect(check(planted(from, to))).toMatchObject({ faults: expect.stringMatching(words) });
  });
});
