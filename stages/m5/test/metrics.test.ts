import { describe, expect, test } from "vitest";
import { parsePrometheusText, sumOf } from "../../../shared/contract/m4/prometheus-text.ts";
import { Bench } from "./protected-table.ts";

const entry = {
  requestId: "r",
  method: "GET",
  path: "/",
  routingKey: "acme",
  placement: "one",
  reason: "tier",
  status: 200,
  durationMs: 12,
  bytesIn: 0,
  bytesOut: 0,
  outcome: "complete",
} as const;

describe("metrics", () => {
  const read = async (bench: Bench) => parsePrometheusText(await bench.metrics.text());

  test("count how requests ended", async () => {
    const bench = new Bench({ one: {}, two: {} });
    bench.metrics.requestEnded(entry);
    bench.metrics.requestEnded({ ...entry, status: 503, code: "overloaded" });
    bench.metrics.requestEnded({ ...entry, status: 0, outcome: "client-aborted" });
    bench.metrics.requestEnded({ ...entry, servedBy: "two", failoverReason: "unhealthy" });
    const { placement: _, ...unrouted } = entry;
    bench.metrics.requestEnded({ ...unrouted, status: 400, code: "missing-routing-key" });
    const families = await read(bench);
    const requests = (labels: Record<string, string>) =>
      sumOf(families, "cell_router_requests_total", labels);
    expect(requests({ placement: "one" })).toBe(4);
    expect(requests({ placement: "one", status: "0xx", outcome: "client-aborted" })).toBe(1);
    expect(requests({ placement: "none", status: "4xx" })).toBe(1);
    expect(sumOf(families, "cell_router_refusals_total")).toBe(2);
    expect(
      sumOf(families, "cell_router_failovers_total", { from: "one", to: "two", reason: "unhealthy" }),
    ).toBe(1);
    expect(
      sumOf(families, "cell_router_request_duration_seconds_bucket", { placement: "one", le: "0.01" }),
    ).toBe(0);
    expect(
      sumOf(families, "cell_router_request_duration_seconds_bucket", { placement: "one", le: "0.025" }),
    ).toBe(4);
  });

  test("count every attempt once, the abandoned ones too", async () => {
    const bench = new Bench({ one: {} });
    await bench.run("one", { one: [200] });
    await bench.run("one", { one: [503] });
    await bench.run("one", { one: [{ kind: "client-aborted" }] });
    const families = await read(bench);
    for (const result of ["success", "failure", "abandoned"])
      expect(sumOf(families, "cell_router_attempts_total", { placement: "one", result })).toBe(1);
  });

  test("show the state of this moment, and nothing of placements that are gone", async () => {
    const circuitBreaker = { consecutiveFailures: 1, waitMs: 1000 };
    const bench = new Bench({ one: { circuitBreaker }, two: {} });
    const state = async () => sumOf(await read(bench), "cell_router_breaker_state", { placement: "one" });
    expect(await state()).toBe(0);
    const held = bench.resilience.admit(
      bench.table,
      bench.table.placements.get("one") as never,
      new Map(),
      1000,
    );
    held.admission.record("failure", bench.clock.now());
    expect(await state()).toBe(2);
    await bench.clock.advance(1000);
    expect(await state(), "its wait is over, though nobody has asked").toBe(1);
    bench.unhealthy.add("two");
    expect(sumOf(await read(bench), "cell_router_healthy")).toBe(2);
    const breakers = (await read(bench)).get("cell_router_breaker_state")?.samples;
    expect(
      breakers?.map(({ labels }) => labels.get("placement")),
      "no breaker, no state",
    ).toEqual(["one"]);
    bench.resilience.update(new Bench({}).table, 2000);
    expect((await read(bench)).get("cell_router_healthy")?.samples).toHaveLength(1);
  });

  test("have no label that a client can choose", async () => {
    const bench = new Bench({ one: {} });
    const ended = (n: number) =>
      bench.metrics.requestEnded({
        ...entry,
        method: `M${n}`,
        path: `/p${n}`,
        routingKey: `k${n}`,
        requestId: `i${n}`,
        status: 200 + (n % 400),
      });
    for (let n = 0; n < 400; n++) ended(n);
    const before = (await bench.metrics.text()).split("\n").length;
    for (let n = 400; n < 2000; n++) ended(n);
    expect((await bench.metrics.text()).split("\n")).toHaveLength(before);
  });
});
