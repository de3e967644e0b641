import { describe, expect, test } from "vitest";
import { NotPrometheusText, parsePrometheusText, sumOf } from "./prometheus-text.ts";

const good = `# HELP requests_total Requests, by \\\\ and \\n.
# TYPE requests_total counter
requests_total{placement="a",status="2xx"} 3
requests_total{placement="b \\"c\\" \\\\ \\n",status="2xx"} 4e2 1700000000000

# HELP up Whether it is up.
# TYPE up gauge
up 1
# HELP took_seconds Time.
# TYPE took_seconds histogram
took_seconds_bucket{le="0.1"} 1
took_seconds_bucket{le="+Inf"} 2
took_seconds_sum 0.5
took_seconds_count 2
`;

describe("the Prometheus text format", () => {
  test("is read with its families, labels and values", () => {
    const families = parsePrometheusText(good);
    expect([...families.keys()]).toEqual(["requests_total", "up", "took_seconds"]);
    expect(sumOf(families, "requests_total", { placement: 'b "c" \\ \n' })).toBe(400);
    expect(sumOf(families, "requests_total", { status: "2xx" })).toBe(403);
    expect(sumOf(families, "up")).toBe(1);
    expect(sumOf(families, "nothing")).toBe(0);
  });

  test.each<[string, (text: string) => string]>([
    ["no end of the last line", (text) => text.trimEnd()],
    ["a sample without a family", (text) => `${text}stray 1\n`],
    ["a family without HELP", (text) => text.replace(/# HELP up.*\n/, "")],
    ["a second TYPE", (text) => `${text}# TYPE up gauge\n`],
    ["an unknown type", (text) => text.replace("up gauge", "up meter")],
    ["a repeated series", (text) => text.replace("up 1\n", "up 1\nup 2\n")],
    ["a value that is no number", (text) => text.replace("up 1", "up one")],
    ["a label without quotes", (text) => text.replace('"2xx"', "2xx")],
    ["a repeated label", (text) => text.replace('status="2xx"', 'placement="2xx"')],
    ["an open label value", (text) => text.replace('status="2xx"', 'status="2xx')],
    ["a bare quote in a label", (text) => text.replace('"a"', '"a"b"')],
    ["a name with a dash", (text) => text.replaceAll("up", "is-up")],
    ["a negative counter", (text) => text.replace("} 3\n", "} -3\n")],
    ["a free comment", (text) => `# made by hand\n${text}`],
    ["buckets that fall", (text) => text.replace('le="0.1"} 1', 'le="0.1"} 3')],
    ["a count that is not the last bucket", (text) => text.replace("count 2", "count 3")],
    ["no last bucket", (text) => text.replace(/.*\+Inf.*\n/, "")],
  ])("is refused with %s", (_, spoil) => {
    expect(spoil(good)).not.toBe(good);
    expect(() => parsePrometheusText(spoil(good))).toThrow(NotPrometheusText);
  });
});
