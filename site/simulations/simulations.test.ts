// What the simulations promise: the same log for the same parameters, and the truth about the stages.

import { describe, expect, test } from "vitest";
import { simulations } from "./all.ts";
import { EventQueue } from "./event-queue.ts";
import { fleetSim } from "./fleet-sim.ts";
import { seededRandom } from "./random.ts";
import { reloadLab } from "./reload-lab.ts";
import { socketCount } from "./resilience-scenario.ts";
import { resilienceSim } from "./resilience-sim.ts";
import type { ResilienceState } from "./resilience-view.ts";
import { routeLab } from "./route-lab.ts";
import { combinations, shuffleSharding } from "./shuffle-sharding.ts";
import {
  defaultValues,
  logText,
  readValues,
  type Simulation,
  type Values,
  valuesIn,
  writeValues,
} from "./simulation.ts";
import type { Trip } from "./trips.ts";

const seeds = Array.from({ length: 12 }, (_, index) => index + 1);

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
      const log = (seed: number) => logText(simulation.run(valuesOf(simulation, { seed })).events);
      expect(log(3)).toBe(log(3));
      expect(log(3)).not.toBe(log(4));
    });

    test("never goes back in time, and ends in time", () => {
      const { events } = simulation.run(defaultValues(simulation.parameters));
      const times = events.map(({ atMs }) => atMs);
      expect(times).toEqual([...times].sort((a, b) => a - b));
      expect(Math.max(...times)).toBeLessThanOrEqual(simulation.durationMs);
    });

    test("gives each dot an unbroken way: from place to place, without a jump in time", () => {
      for (const world of simulation.worlds) {
        const { trips } = simulation.run(valuesIn(world, defaultValues(simulation.parameters)));
        for (const { legs, startMs, endMs } of trips) {
          let [place, atMs] = [legs[0]?.from, startMs];
          for (const leg of legs) {
            if (leg.from !== place || leg.fromMs !== atMs)
              expect([leg.from, leg.fromMs]).toEqual([place, atMs]);
            [place, atMs] = [leg.to, leg.untilMs];
          }
          if (atMs < endMs) expect(atMs).toBe(endMs);
        }
      }
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

/** One world of a simulation, run with some values changed. */
function runIn<State>(simulation: Simulation<State>, world: string, changes: Values = {}) {
  const found = simulation.worlds.find(({ name }) => name === world);
  if (found === undefined) throw new Error(`there is no world "${world}"`);
  return simulation.run(valuesIn(found, valuesOf(simulation, changes)));
}

function failedOf(trips: readonly Trip[], isMeant: (owner: string) => boolean = () => true): number {
  return trips.filter(({ result, owner }) => result === "failed" && isMeant(owner)).length;
}

describe("routing", () => {
  const harmed = (world: string, changes: Values) => {
    const { trips } = runIn(routeLab, world, changes);
    return new Set(trips.filter(({ result }) => result === "failed").map(({ owner }) => owner));
  };

  test("reproduces the outage: behind one backend, one tenant's load test fails the others' requests", () => {
    for (const seed of seeds) {
      const { trips } = runIn(routeLab, "shared", { seed });
      expect(failedOf(trips, (owner) => owner !== "acme")).toBeGreaterThan(10);
    }
    expect(harmed("shared", {}).size).toBe(6);
  });

  test("mends it: with cells only the tenant that runs the load test fails", () => {
    for (const seed of seeds) expect([...harmed("cells", { seed })]).toEqual(["acme"]);
  });

  test("harms the tenants of a cell that is down, and no others", () => {
    for (const seed of seeds) {
      expect([...harmed("cells", { seed, rate: 16, faults: "cell-tier2_3000_9000" })]).toEqual(["globex"]);
      expect(harmed("shared", { seed, rate: 16, faults: "cell-tier2_3000_9000" }).size).toBe(6);
    }
  });

  test("sends the same requests into both worlds", () => {
    const sent = (world: string) =>
      runIn(routeLab, world, { faults: "" }).trips.map(({ owner, startMs }) => `${startMs} ${owner}`);
    expect(sent("shared")).toEqual(sent("cells"));
  });

  test("changes nothing before the moment at which something is broken", () => {
    const until = (faults: string) =>
      logText(runIn(routeLab, "cells", { faults }).events.filter(({ atMs }) => atMs < 5_000));
    expect(until("cell-visa_5000_12000.load-acme_3000_9000")).toBe(until("load-acme_3000_9000"));
  });
});

describe("reloading", () => {
  test("fails no request, whatever the bad edit and however it is saved", () => {
    for (const fault of choicesOf(reloadLab, "fault"))
      for (const save of choicesOf(reloadLab, "save"))
        for (const seed of seeds) {
          const { trips, events } = runIn(reloadLab, "m2", { seed, fault, save });
          expect([failedOf(trips), events.at(-1)?.state.inUse]).toEqual([0, "1.3.0"]);
        }
  });

  test("reproduces the outage: a router that takes what it reads fails every request until the file is mended", () => {
    for (const fault of choicesOf(reloadLab, "fault"))
      for (const seed of seeds) {
        const { trips } = runIn(reloadLab, "careless", { seed, fault });
        const meanwhile = trips.filter(({ startMs }) => startMs > 5_100 && startMs < 8_700);
        expect(meanwhile.length).toBeGreaterThan(10);
        expect(failedOf(meanwhile)).toBe(meanwhile.length);
      }
  });

  test("shows half a file to the careless router even where every save is good", () => {
    const { events } = runIn(reloadLab, "careless", { faults: "" });
    expect(logText(events)).toContain("has thrown its table away");
    expect(events.at(-1)?.state.inUse).toBe("1.1.0");
  });
});

describe("the fleet", () => {
  const troubles: Values[] = [
    {},
    { store: "backup" },
    { damage: true },
    { faults: "link-router-16_6000_9000" },
    { faults: "" },
  ];

  test("ends with every linked router at the newest revision, whatever happened, and fails no request", () => {
    for (const trouble of troubles) {
      for (const seed of seeds) {
        const { events, trips } = runIn(fleetSim, "m3", { seed, ...trouble });
        const end = events.at(-1)?.state;
        // Who has connected just now may still wait for its first message.
        const fresh = new Set(
          events
            .filter(({ atMs, what }) => atMs > 23_000 && what.startsWith("connects"))
            .map(({ actor }) => actor),
        );
        const late = end?.routers.filter(
          ({ id, isLinked, epoch, revision }) =>
            isLinked &&
            !fresh.has(id) &&
            (epoch !== end.controlPlane.epoch || revision !== end.controlPlane.revision),
        );
        expect(late, `seed ${seed}, ${JSON.stringify(trouble)}`).toEqual([]);
        expect(failedOf(trips)).toBe(0);
      }
    }
  });

  test("reproduces the stampede: with a fixed wait the control plane is knocked over again and again", () => {
    for (const seed of seeds) {
      const { events, trips } = runIn(fleetSim, "rival", { seed, rival: "stampede" });
      const falls = events.filter(({ what }) => what.startsWith("is knocked over"));
      expect(falls.length).toBeGreaterThanOrEqual(4);
      expect(fleetSim.share?.of(events.at(-1)?.state ?? fleetSim.before(valuesOf(fleetSim, {})))).toBe(0);
      // Memory serves on, all the same.
      expect(failedOf(trips)).toBe(0);
    }
  });

  test("mends it: with full jitter it is never knocked over, and most of the fleet is back within 12 s", () => {
    for (const seed of seeds) {
      const { events } = runIn(fleetSim, "m3", { seed });
      expect(logText(events)).not.toContain("knocked over");
      const linked = events.at(-1)?.state.routers.filter(({ isLinked }) => isLinked).length ?? 0;
      expect(linked).toBeGreaterThanOrEqual(10);
    }
  });

  test("reproduces the outage: routers that ask for every request fail all of them while nobody responds", () => {
    for (const seed of seeds) {
      const { trips } = runIn(fleetSim, "rival", { seed, rival: "asks" });
      const meanwhile = trips.filter(({ startMs }) => startMs > 6_000 && startMs < 11_500);
      expect(failedOf(meanwhile)).toBe(meanwhile.length);
      expect(failedOf(trips)).toBeGreaterThan(200);
    }
  });

  test("never takes a router back within an epoch", () => {
    for (const trouble of troubles) {
      const highest = new Map<string, number>();
      for (const { state } of runIn(fleetSim, "m3", { latency: 2000, ...trouble }).events) {
        for (const { id, epoch, revision = 0 } of state.routers) {
          const key = `${id} ${epoch}`;
          expect(revision).toBeGreaterThanOrEqual(highest.get(key) ?? 0);
          highest.set(key, revision);
        }
      }
    }
  });

  test("begins a new epoch when the store comes back from an old backup", () => {
    const log = logText(runIn(fleetSim, "m3", { store: "backup" }).events);
    expect(log).toContain("epoch-2 begins");
    expect(log).toMatch(/router-\d+: applies epoch-2 revision 1/);
  });

  test("refuses a damaged push and keeps what it had", () => {
    expect(logText(runIn(fleetSim, "m3", { damage: true }).events)).toContain(
      "refuses revision 2 and keeps revision 1: checksum",
    );
  });
});

describe("resilience", () => {
  const others = (owner: string) => owner !== "acme";
  const mostSockets = (events: ReturnType<typeof runIn<ResilienceState>>["events"]) =>
    Math.max(...events.map(({ state }) => state.sockets.length));

  test("reproduces the outage: without limits one hung cell takes every socket, and the others' requests fail", () => {
    for (const seed of seeds) {
      const { events, trips } = runIn(resilienceSim, "bare", { seed });
      expect(mostSockets(events)).toBe(socketCount);
      expect(failedOf(trips, others)).toBeGreaterThan(10);
    }
  });

  test("mends it: with a limit, a breaker and a fallback no socket runs out, and no bystander fails", () => {
    for (const seed of seeds) {
      const { events, trips } = runIn(resilienceSim, "guarded", { seed });
      expect(mostSockets(events)).toBeLessThan(socketCount);
      expect(failedOf(trips, others)).toBe(0);
      expect(events.at(-1)?.state.failovers["tier1 tier2"]).toBeGreaterThan(20);
    }
  });

  test("never harms the tenants of other placements, whatever the fault", () => {
    for (const fault of choicesOf(resilienceSim, "fault"))
      for (const seed of seeds) {
        const { trips } = runIn(resilienceSim, "guarded", {
          seed,
          fault,
          rate: 12,
          health: true,
          retries: true,
        });
        expect(failedOf(trips, others)).toBe(0);
      }
  });

  test("opens the breaker, which bounds what reaches the failing cell", () => {
    const end = (changes: Values) => runIn(resilienceSim, "guarded", { fault: "error", ...changes });
    const attempts = (breaker: boolean) =>
      end({ breaker, failover: false })
        .events.at(-1)
        ?.state.cells.find(({ name }) => name === "tier1")?.attempts ?? 0;
    expect(attempts(true)).toBeLessThan(attempts(false));
    expect(failedOf(end({ failover: true }).trips)).toBeLessThan(failedOf(end({ failover: false }).trips));
  });

  test("keeps the figure of the page: a cell that responds with 503 costs acme about five requests and the probes", () => {
    for (const seed of seeds) {
      const { trips } = runIn(resilienceSim, "guarded", { seed, fault: "error", rate: 12 });
      expect(failedOf(trips)).toBeGreaterThanOrEqual(5);
      expect(failedOf(trips)).toBeLessThanOrEqual(12);
    }
  });

  test("answers 503 where no fallback is named: isolation comes before availability", () => {
    const log = logText(runIn(resilienceSim, "guarded", { failover: false }).events);
    expect(log).toContain("acme: 503, nobody takes it (circuit-open)");
    expect(log).not.toContain("instead of");
  });

  test("adds at most a fifth to the load by retries, and a few more in quiet times", () => {
    const { events, trips } = runIn(resilienceSim, "guarded", {
      breaker: false,
      failover: false,
      retries: true,
      fault: "error",
      rate: 40,
    });
    const retries = events.at(-1)?.state.retries ?? 0;
    expect(retries).toBeGreaterThan(0);
    expect(retries).toBeLessThanOrEqual(trips.length * 0.2 + 10);
  });
});

describe("shuffle sharding", () => {
  const dead = (layout: string, seed: number) =>
    shuffleSharding
      .run(valuesOf(shuffleSharding, { layout, seed }))
      .events.at(-1)
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
