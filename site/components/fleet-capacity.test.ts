import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { capacityOf, maxMessageBytes, type Push } from "./fleet-capacity.ts";
import { fleetFields, fleetRows, readField } from "./fleet-words.ts";

interface FleetRow {
  readonly keys: number;
  readonly push: Push;
  readonly bytesToRouters: number;
  readonly lastAckMedianMs: number;
  readonly controlPlaneCpuMs: number;
  readonly controlPlanePeakRssMiB: number;
}

// biome-ignore lint/suspicious/noExplicitAny: results that this project's own commands wrote
const saved = (name: string): any =>
  JSON.parse(readFileSync(new URL(`../data/${name}.json`, import.meta.url), "utf8"));

/** The page says these factors. */
const factors = { bytes: 1.1, time: 2, cost: 1.35 };

function expectWithin(model: number, measured: number, factor: number, what: string): void {
  const ratio = Math.max(model / measured, measured / model);
  expect(ratio, `${what}: the model says ${model.toFixed(1)}, measured were ${measured}`).toBeLessThan(
    factor,
  );
}

describe("the capacity of a fleet", () => {
  const runs = ["bench-fleet", "bench-fleet-m5"].map(saved);
  const rows = runs.flatMap(({ stage, routers, rows: all }) =>
    (all as FleetRow[]).map(
      (row) => [`${stage}, ${row.keys} keys, ${row.push}`, routers as number, row] as const,
    ),
  );

  test.each(rows)("agrees with the fleet bench: %s", (_, routers, row) => {
    const { pushBytes, lastAckMs, controlPlaneCores, controlPlaneMiB } = capacityOf(
      { routers, keys: row.keys, pushesPerSecond: 1, bytesPerEntry: 23 },
      row.push,
    );
    expectWithin(pushBytes, row.bytesToRouters, factors.bytes, "bytes");
    expectWithin(lastAckMs, row.lastAckMedianMs, factors.time, "time to the last ack");
    expectWithin(controlPlaneCores * 1000, row.controlPlaneCpuMs, factors.cost, "CPU");
    expectWithin(controlPlaneMiB, row.controlPlanePeakRssMiB, factors.cost, "memory");
  });

  const sizes = saved("fleet-sizes");
  test.each(sizes.rows as (FleetRow & { readonly routers: number })[])(
    "agrees with fleets of $routers",
    (row) => {
      const { pushBytes, lastAckMs, controlPlaneCores, controlPlaneMiB } = capacityOf(
        { routers: row.routers, keys: sizes.keys, pushesPerSecond: 1, bytesPerEntry: 23 },
        "whole",
      );
      expectWithin(pushBytes, row.bytesToRouters, factors.bytes, "bytes");
      expectWithin(lastAckMs, row.lastAckMedianMs, factors.time, "time to the last ack");
      expectWithin(controlPlaneCores * 1000, row.controlPlaneCpuMs, factors.time, "CPU");
      expectWithin(controlPlaneMiB, row.controlPlanePeakRssMiB, factors.cost, "memory");
    },
  );

  test.each(
    saved("router-memory").rows as {
      stage: string;
      keys: number;
      residentMiB: number;
      swapPeakMiB: number;
    }[],
  )("agrees with the memory of a router: $stage, $keys keys", ({ keys, residentMiB, swapPeakMiB }) => {
    const model = capacityOf({ routers: 1, keys, pushesPerSecond: 1, bytesPerEntry: 23 }, "whole");
    expectWithin(model.routerMiB, residentMiB, factors.bytes, "memory");
    expectWithin(model.routerPeakMiB, swapPeakMiB, factors.bytes, "peak");
  });

  test("names a table that the default limit of a message refuses, and only where the table is sent", () => {
    const keys = maxMessageBytes / 20;
    const fleet = { routers: 10, keys, pushesPerSecond: 1, bytesPerEntry: 20 };
    expect(capacityOf(fleet, "whole").isTooLarge).toBe(true);
    expect(capacityOf({ ...fleet, keys: keys - 100 }, "whole").isTooLarge).toBe(false);
    expect(capacityOf(fleet, "delta").isTooLarge).toBe(false);
  });
});

describe("the calculator's words", () => {
  const fleet = { routers: 1000, keys: 100_000, pushesPerSecond: 1, bytesPerEntry: 23 };

  test("have units that a reader can compare", () => {
    const rows = fleetRows(capacityOf(fleet, "whole"), capacityOf(fleet, "delta"));
    expect(rows.slice(0, 4)).toEqual([
      { name: "One message", whole: "2.2 MiB", delta: "288 B" },
      { name: "One push to all routers", whole: "2.1 GiB", delta: "281 KiB" },
      { name: "Sent per second", whole: "2.1 GiB", delta: "281 KiB" },
      { name: "Until the last router has it", whole: "6.6 s", delta: "3.3 s" },
    ]);
  });

  test.each([
    ["5", 5, ""],
    ["0", 1, "Routers: 1 to 100000; it is now 1."],
    ["1e9", 100_000, "Routers: 1 to 100000; it is now 100000."],
    ["2.4", 2, "Routers: 1 to 100000; it is now 2."],
    ["", 7, "Routers: 1 to 100000; it is now 7."],
    ["many", 7, "Routers: 1 to 100000; it is now 7."],
  ])("take %j as %d", (text, value, words) => {
    const [routers] = fleetFields;
    if (routers === undefined) throw new Error("no fields");
    expect(readField(routers, text, 7)).toEqual({ value, words });
  });
});
