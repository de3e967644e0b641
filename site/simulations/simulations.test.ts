// What the simulations promise: the same log for the same parameters, and the truth about the stages.

import { describe, expect, test } from "vitest";
import { simulations } from "./all.ts";
import { EventQueue } from "./event-queue.ts";
import { fleetSim } from "./fleet-sim.ts";
import { seededRandom } from "./random.ts";
import { reloadLab } from "./reload-lab.ts";
import { resilienceSim } from "./resilience-sim.ts";
import { routeLab } from "./route-lab.ts";
import { combinations, shuffleSharding } from "./shuffle-sharding.ts";
import { defaultValues, logText, readValues, type Values, writeValues } from "./simulation.ts";

const seeds = Array.from({ length: 20 }, (_, index) => index + 1);

function valuesOf(simulation: { parameters: Parameters<typeof defaultValues>[0] }, changes: Values): Values {
  return { ...defaultValues(simulation.parameters), ...changes };
}

function choicesOf(simulation: { parameters: Parameters<typeof defaultValues>[0] }, name: string): string[] {
  const parameter = simulation.parameters.find((each) => each.name === name);
  return parameter?.kind === "choice" ? parameter.choices.map(({ value }) => value) : [];
}

describe("virtual time", () => {
  test("lets what is due first happen first, and of two at once the one that was planned first", () => {
    const queue = new EventQueue();
    const happened: string[] = [];
    queue.at(20, () => happened.push("late"));
    queue.at(10, () => {
      happened.push("first");
      queue.at(10, () => happened.push("third"));
      queue.at(5, () => happened.push("fourth: the past is now"));
    });
    queue.at(10, () => happened.push("second"));
    queue.at(21, () => happened.push("never"));
    queue.runUntil(20);
    expect(happened).toEqual(["first", "second", "third", "fourth: the past is now", "late"]);
    expect(queue.nowMs).toBe(20);
  });

  test("draws the same numbers for the same seed, spread over the whole range", () => {
    const draw = (seed: number) => Array.from({ length: 1000 }, seededRandom(seed));
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    const mean = draw(7).reduce((sum, each) => sum + each, 0) / 1000;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.05);
  });
});

describe.each(simulations.map((simulation) => [simulation.name, simulation] as const))(
  "%s",
  (_, simulation) => {
    test("gives the same log for the same parameters, and another one for another seed", () => {
      const log = (seed: number) => logText(simulation.run(valuesOf(simulation, { seed })));
      expect(log(3)).toBe(log(3));
      expect(log(3)).not.toBe(log(4));
    });

    test("never goes back in time, and ends in time", () => {
      const events = simulation.run(defaultValues(simulation.parameters));
      const times = events.map(({ atMs }) => atMs);
      expect(times).toEqual([...times].sort((a, b) => a - b));
      expect(Math.max(...times)).toBeLessThanOrEqual(simulation.durationMs);
    });

    test("keeps its parameters in the address, and ignores what makes no sense there", () => {
      const query = new URLSearchParams("other=1");
      writeValues(simulation, valuesOf(simulation, { seed: 42 }), query);
      expect(query.toString()).toBe(`other=1&${simulation.name}.seed=42`);
      expect(readValues(simulation, query)).toEqual(valuesOf(simulation, { seed: 42 }));
      for (const seed of ["", "x", "-1", "1e9"]) {
        const usual = defaultValues(simulation.parameters);
        expect(readValues(simulation, new URLSearchParams(`${simulation.name}.seed=${seed}`))).toEqual(usual);
      }
    });
  },
);

describe("routing", () => {
  const harmed = (values: Values) =>
    routeLab
      .run(values)
      .at(-1)
      ?.state.tenants.filter(({ failed }) => failed > 0)
      .map(({ key }) => key);

  test("harms the tenants of the failing cell only", () => {
    for (const seed of seeds) {
      expect(harmed(valuesOf(routeLab, { seed, rate: 20, fails: "tier1" }))).toEqual(["acme"]);
      expect(harmed(valuesOf(routeLab, { seed, rate: 20, fails: "visa" }))).toEqual(["visa"]);
    }
  });

  test("harms everyone behind one shared backend", () => {
    expect(harmed(valuesOf(routeLab, { rate: 20, shared: true }))).toHaveLength(6);
  });
});

describe("reloading", () => {
  test("fails no request, whatever the second edit and however it is saved", () => {
    for (const fault of choicesOf(reloadLab, "fault"))
      for (const save of choicesOf(reloadLab, "save"))
        for (const seed of seeds) {
          const end = reloadLab.run(valuesOf(reloadLab, { seed, fault, save })).at(-1)?.state;
          expect([end?.failed, end?.inUse]).toEqual([0, "1.3.0"]);
        }
  });

  test("fails requests in the router that takes what it reads", () => {
    const values = valuesOf(reloadLab, { router: "careless", fault: "comma" });
    expect(reloadLab.run(values).at(-1)?.state.failed).toBeGreaterThan(5);
  });
});

describe("the fleet", () => {
  test("ends with every router at the newest revision, whatever happened, and never fails a request after its first table", () => {
    for (const trouble of choicesOf(fleetSim, "trouble")) {
      for (const seed of seeds) {
        const events = fleetSim.run(valuesOf(fleetSim, { seed, trouble }));
        const settled = events.find(({ atMs }) => atMs > 2_000)?.state;
        const end = events.at(-1)?.state;
        const late = end?.routers.filter(
          ({ isLinked, epoch, revision }) =>
            isLinked && (epoch !== end.controlPlane.epoch || revision !== end.controlPlane.revision),
        );
        expect(late, `seed ${seed}, ${trouble}`).toEqual([]);
        for (const [index, router] of (end?.routers ?? []).entries())
          expect(router.failed).toBe(settled?.routers[index]?.failed);
      }
    }
  });

  test("never takes a router back within an epoch", () => {
    for (const trouble of choicesOf(fleetSim, "trouble")) {
      const highest = new Map<string, number>();
      for (const { state } of fleetSim.run(valuesOf(fleetSim, { trouble, latency: 2000 }))) {
        for (const { id, epoch, revision = 0 } of state.routers) {
          const key = `${id} ${epoch}`;
          expect(revision).toBeGreaterThanOrEqual(highest.get(key) ?? 0);
          highest.set(key, revision);
        }
      }
    }
  });

  test("begins a new epoch when the store comes back from an old backup", () => {
    const log = logText(fleetSim.run(valuesOf(fleetSim, { trouble: "restore" })));
    expect(log).toContain("epoch-2 begins");
    expect(log).toMatch(/router-\d: applies epoch-2 revision 1/);
  });

  test("refuses a damaged push and keeps what it had", () => {
    expect(logText(fleetSim.run(valuesOf(fleetSim, { trouble: "damage" })))).toContain(
      "refuses revision 3 and keeps revision 2: checksum",
    );
  });
});

describe("resilience", () => {
  const end = (changes: Values) => resilienceSim.run(valuesOf(resilienceSim, changes)).at(-1)?.state;
  const failuresOf = (changes: Values, tenant: string) =>
    end(changes)?.tenants.find(({ key }) => key === tenant)?.bad;

  test("never harms the tenants of other placements", () => {
    for (const fault of choicesOf(resilienceSim, "fault"))
      for (const seed of seeds)
        for (const tenant of ["visa", "globex", "initech"])
          expect(failuresOf({ seed, fault, health: true, retries: true }, tenant)).toBe(0);
  });

  test("opens the breaker, which bounds what reaches the failing cell", () => {
    const attempts = (breaker: boolean) =>
      end({ breaker, failover: false })?.cells.find(({ name }) => name === "tier1")?.attempts ?? 0;
    expect(attempts(true)).toBeLessThan(attempts(false));
    expect(failuresOf({ failover: true }, "acme")).toBeLessThan(failuresOf({ failover: false }, "acme") ?? 0);
  });

  test("answers 503 where no fallback is named: isolation comes before availability", () => {
    const log = logText(resilienceSim.run(valuesOf(resilienceSim, { failover: false })));
    expect(log).toContain("acme: 503, nobody takes it (circuit-open)");
    expect(log).not.toContain("instead of");
  });

  test("adds at most a fifth to the load by retries, and a few more in quiet times", () => {
    const state = end({ breaker: false, failover: false, retries: true, rate: 40 });
    const requests = state?.tenants.reduce((sum, { good, bad }) => sum + good + bad, 0) ?? 0;
    expect(state?.retries).toBeGreaterThan(0);
    expect(state?.retries).toBeLessThanOrEqual(requests * 0.2 + 10);
  });
});

describe("shuffle sharding", () => {
  const dead = (layout: string, seed: number) =>
    shuffleSharding
      .run(valuesOf(shuffleSharding, { layout, seed }))
      .at(-1)
      ?.state.tenants.slice(1)
      .filter(({ up }) => up === 0).length ?? 0;
  const mean = (layout: string) => seeds.reduce((sum, seed) => sum + dead(layout, seed), 0) / seeds.length;

  test("takes along everyone, a shard, or next to nobody", () => {
    expect(mean("shared")).toBe(39);
    expect(mean("shards")).toBe(9);
    // 39 tenants, each with one chance in 28 to hold the same two workers.
    expect(mean("shuffle")).toBeLessThan(3);
  });

  test("counts the hands there are", () => {
    expect([combinations(8, 2), combinations(100, 5), combinations(4, 4)]).toEqual([28, 75_287_520, 1]);
  });
});
