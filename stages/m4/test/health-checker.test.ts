import { describe, expect, test } from "vitest";
import { within } from "../../../shared/testkit/eventually.ts";
import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import { type CheckedPlacement, HealthChecker, type Probe } from "../src/health-checker.ts";
import { DEFAULT_HEALTH, type HealthSettings } from "../src/resilience-settings.ts";

const placement = (name: string, health: Partial<HealthSettings> = {}, url = `http://${name}.test:9000`) => ({
  name,
  url,
  health: { ...DEFAULT_HEALTH, ...health },
});

/** On a fake clock everything that ends does so at once; a loop that does not must fail the test, not hang it. */
const ended = (checker: HealthChecker) => within(checker.close(), 1000, "all loops have ended");

/** A checker on a fake clock, whose cells answer as `down` and `hung` say. */
function setUp(placements: CheckedPlacement[], { random = (): number => 0.5 } = {}) {
  const clock = new FakeClock();
  const down = new Set<string>();
  const hung = new Set<string>();
  const probes: { atMs: number; url: string }[] = [];
  const aborted: string[] = [];
  const events: string[] = [];
  const probe: Probe = (url, signal) => {
    const { hostname } = new URL(url);
    const name = hostname.split(".")[0] ?? "";
    probes.push({ atMs: clock.now(), url });
    if (!hung.has(name)) return down.has(name) ? Promise.reject(new Error("refused")) : Promise.resolve(true);
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        aborted.push(`${clock.now()}: ${name}`);
        reject(signal.reason);
      });
    });
  };
  const checker = new HealthChecker({
    clock,
    random,
    probe,
    onTransition: (name, to, from) => events.push(`${clock.now()}: ${name} ${from.kind} → ${to.kind}`),
  });
  checker.update(placements);
  const stop = new AbortController();
  return { clock, checker, down, hung, probes, aborted, events, stop };
}

describe("HealthChecker", () => {
  test("does nothing before it is started, and everything counts as healthy", async () => {
    const { clock, checker, probes } = setUp([placement("tier1")]);
    await clock.advance(60_000);
    expect(probes).toEqual([]);
    expect(checker.isHealthy("tier1")).toBe(true);
    expect(checker.isHealthy("nobody")).toBe(true);
  });

  test("asks each cell at its own path, and again one interval after the response", async () => {
    const { clock, checker, probes, stop } = setUp([
      placement("tier1"),
      placement("tier2", { path: "/ready?deep=1", intervalMs: 5000 }),
    ]);
    checker.start(stop.signal);
    await clock.advance(7500);
    expect(probes).toEqual([
      { atMs: 1000, url: "http://tier1.test:9000/health" },
      { atMs: 2500, url: "http://tier2.test:9000/ready?deep=1" },
      { atMs: 3000, url: "http://tier1.test:9000/health" },
      { atMs: 5000, url: "http://tier1.test:9000/health" },
      { atMs: 7000, url: "http://tier1.test:9000/health" },
      { atMs: 7500, url: "http://tier2.test:9000/ready?deep=1" },
    ]);
    await ended(checker);
  });

  test("a cell becomes unhealthy after three failures and healthy after two successes", async () => {
    const { clock, checker, down, events, stop } = setUp([placement("tier1"), placement("tier2")]);
    checker.start(stop.signal);
    down.add("tier1");
    await clock.advance(4999);
    expect(checker.isHealthy("tier1")).toBe(true);
    await clock.advance(1);
    expect(checker.isHealthy("tier1")).toBe(false);
    expect(checker.isHealthy("tier2")).toBe(true);
    down.delete("tier1");
    await clock.advance(4000);
    expect(checker.isHealthy("tier1")).toBe(true);
    expect(events).toEqual(["5000: tier1 healthy → unhealthy", "9000: tier1 unhealthy → healthy"]);
    await ended(checker);
  });

  test("a probe that hangs fails when its time is up, and is aborted", async () => {
    const { clock, checker, hung, aborted, events, stop } = setUp([placement("tier1", { fall: 1 })]);
    checker.start(stop.signal);
    hung.add("tier1");
    await clock.advance(1999);
    expect(checker.isHealthy("tier1")).toBe(true);
    await clock.advance(1);
    expect(events).toEqual(["2000: tier1 healthy → unhealthy"]);
    expect(aborted).toEqual(["2000: tier1"]);
    await ended(checker);
  });

  test("a hanging cell does not delay the probes of the others", async () => {
    const { clock, checker, hung, probes, stop } = setUp([placement("tier1"), placement("tier2")]);
    checker.start(stop.signal);
    hung.add("tier1");
    await clock.advance(9000);
    expect(probes.filter(({ url }) => url.includes("tier2")).map(({ atMs }) => atMs)).toEqual([
      1000, 3000, 5000, 7000, 9000,
    ]);
    await ended(checker);
  });

  test("a probe that throws instead of rejecting is a failed probe, too", async () => {
    const clock = new FakeClock();
    const checker = new HealthChecker({
      clock,
      random: () => 0,
      probe: () => {
        throw new Error("no socket");
      },
    });
    checker.update([placement("tier1", { fall: 1 })]);
    checker.start(new AbortController().signal);
    await clock.advance(0);
    expect(checker.isHealthy("tier1")).toBe(false);
    await ended(checker);
  });

  test("jitter: the first probe comes within one interval, the next ones after 90 to 110 % of it", async () => {
    for (const [chance, first, second] of [
      [0, 0, 1800],
      [0.5, 1000, 3000],
      [0.999, 1998, 4197.6],
    ] as const) {
      const { clock, checker, probes, stop } = setUp([placement("tier1")], { random: () => chance });
      checker.start(stop.signal);
      await clock.advance(4198);
      expect(probes[0]?.atMs).toBeCloseTo(first, 3);
      expect(probes[1]?.atMs).toBeCloseTo(second, 3);
      await ended(checker);
    }
  });
});

describe("the router's own faults are not the cell's", () => {
  /** A cell that responds in its time, and a router that is paused for `pauseMs` in the middle of each probe. */
  async function probedThroughPauses(pauseMs: number) {
    const clock = new FakeClock();
    let lostMs = 0;
    const responses: ((succeeded: boolean) => void)[] = [];
    const events: string[] = [];
    const checker = new HealthChecker({
      clock: { now: () => clock.now() + lostMs, sleep: (ms, signal) => clock.sleep(ms, signal) },
      random: () => 0,
      probe: () => new Promise((resolve) => responses.push(resolve)),
      onTransition: (name, to) => events.push(`${name} ${to.kind}`),
    });
    checker.update([placement("tier1", { fall: 1, intervalMs: 1000, timeoutMs: 500 })]);
    checker.start(new AbortController().signal);
    for (let n = 0; n < 5; n++) {
      await clock.advance(100);
      lostMs += pauseMs;
      // Timers come before sockets: what the cell has sent is read only after them.
      await clock.advance(401);
      responses.pop()?.(true);
      await clock.advance(499);
    }
    await ended(checker);
    return events;
  }

  test.each([300, 14_000, 3_600_000])("a pause of %d ms in the middle of a probe", async (pauseMs) => {
    expect(await probedThroughPauses(pauseMs)).toEqual([]);
  });

  test("a cell that does not respond after the pause either is unhealthy all the same", async () => {
    const clock = new FakeClock();
    let lostMs = 0;
    const checker = new HealthChecker({
      clock: { now: () => clock.now() + lostMs, sleep: (ms, signal) => clock.sleep(ms, signal) },
      random: () => 0,
      probe: () => new Promise(() => {}),
    });
    checker.update([placement("tier1", { fall: 1, timeoutMs: 500 })]);
    checker.start(new AbortController().signal);
    await clock.advance(100);
    lostMs += 14_000;
    await clock.advance(500);
    expect(checker.isHealthy("tier1")).toBe(true);
    await clock.advance(150);
    expect(checker.isHealthy("tier1")).toBe(false);
    await ended(checker);
  });

  test.each(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL", "EAGAIN"])(
    "a probe for which there is no socket (%s) says nothing, in either direction",
    async (code) => {
      const clock = new FakeClock();
      let result: () => Promise<boolean> = () => Promise.reject(Object.assign(new Error(code), { code }));
      const checker = new HealthChecker({ clock, random: () => 0, probe: () => result() });
      checker.update([placement("tier1", { fall: 2, intervalMs: 1000 })]);
      checker.start(new AbortController().signal);
      await clock.advance(20_000);
      expect(checker.state("tier1")).toEqual({ kind: "healthy", failuresInARow: 0 });
      const exhausted = result;
      result = () => Promise.resolve(false);
      await clock.advance(900);
      result = exhausted;
      await clock.advance(20_000);
      expect(checker.state("tier1")).toEqual({ kind: "healthy", failuresInARow: 1 });
      await ended(checker);
    },
  );

  test("a listener that throws is reported, and the checks go on", async () => {
    const clock = new FakeClock();
    const faults: unknown[] = [];
    let up = false;
    const checker = new HealthChecker({
      clock,
      random: () => 0,
      probe: async () => up,
      onTransition: (name, { kind }) => {
        throw new Error(`${name} ${kind}`);
      },
      onFault: (error) => faults.push(String(error)),
    });
    checker.update([placement("tier1", { fall: 1, rise: 1, intervalMs: 1000 })]);
    checker.start(new AbortController().signal);
    await clock.advance(0);
    expect(checker.isHealthy("tier1")).toBe(false);
    up = true;
    await clock.advance(1000);
    expect(checker.isHealthy("tier1")).toBe(true);
    expect(faults).toEqual(["Error: tier1 unhealthy", "Error: tier1 healthy"]);
    await ended(checker);
  });
});

describe("HealthChecker and new tables", () => {
  test("a push that changes nothing of a placement keeps its counts and the rhythm of its loop", async () => {
    const { clock, checker, down, probes, stop } = setUp([placement("tier1"), placement("tier2")]);
    checker.start(stop.signal);
    down.add("tier1");
    await clock.advance(4000);
    checker.update([placement("tier1"), placement("tier3")]);
    await clock.advance(1000);
    expect(checker.isHealthy("tier1"), "two failures before the push, one after it").toBe(false);
    expect(probes.filter(({ url }) => url.includes("tier1")).map(({ atMs }) => atMs)).toEqual([
      1000, 3000, 5000,
    ]);
    await ended(checker);
  });

  test("a push of other settings does not make a dead cell healthy", async () => {
    const { clock, checker, down, events, stop } = setUp([placement("tier1")]);
    checker.start(stop.signal);
    down.add("tier1");
    await clock.advance(5000);
    checker.update([placement("tier1", { rise: 1 })]);
    expect(checker.isHealthy("tier1")).toBe(false);
    down.delete("tier1");
    await clock.advance(1000);
    expect(events.at(-1)).toBe("6000: tier1 unhealthy → healthy");
    await ended(checker);
  });

  test.each<Partial<HealthSettings>>([
    { path: "/ready" },
    { intervalMs: 1000 },
    { timeoutMs: 500 },
    { rise: 1 },
    { fall: 1 },
  ])("a push of %o is followed from the next probe on", async (change) => {
    const { clock, checker, hung, probes, aborted, events, stop } = setUp([placement("tier1")]);
    checker.start(stop.signal);
    await clock.advance(1000);
    checker.update([placement("tier1", change)]);
    probes.length = 0;
    hung.add("tier1");
    const settings = { ...DEFAULT_HEALTH, ...change };
    // Hung probes until it is unhealthy, then good ones until it is healthy again.
    const firstMs = 1000 + settings.intervalMs / 2;
    const fellMs = firstMs + settings.fall * settings.timeoutMs + (settings.fall - 1) * settings.intervalMs;
    await clock.advance(fellMs - clock.now());
    hung.clear();
    await clock.advance(settings.rise * settings.intervalMs);
    expect(probes[0]?.url).toBe(`http://tier1.test:9000${settings.path}`);
    expect(aborted[0]).toBe(`${firstMs + settings.timeoutMs}: tier1`);
    expect(events).toEqual([
      `${fellMs}: tier1 healthy → unhealthy`,
      `${fellMs + settings.rise * settings.intervalMs}: tier1 unhealthy → healthy`,
    ]);
    await ended(checker);
  });

  test("another URL is another cell: healthy until its own probes say otherwise", async () => {
    const { clock, checker, down, stop } = setUp([placement("tier1")]);
    checker.start(stop.signal);
    down.add("tier1");
    await clock.advance(5000);
    expect(checker.isHealthy("tier1")).toBe(false);
    checker.update([placement("tier1", {}, "http://replacement.test:9000")]);
    expect(checker.isHealthy("tier1")).toBe(true);
    await ended(checker);
  });

  test("settings belong to the placement: two of them check one endpoint in their own ways", async () => {
    const url = "http://cell.test:9000";
    const { clock, checker, down, probes, stop } = setUp([
      placement("strict", { path: "/strict", fall: 1 }, url),
      placement("patient", { path: "/patient", fall: 3 }, url),
    ]);
    checker.start(stop.signal);
    down.add("cell");
    await clock.advance(1000);
    expect(new Set(probes.map((each) => each.url))).toEqual(new Set([`${url}/strict`, `${url}/patient`]));
    expect(checker.isHealthy("strict")).toBe(false);
    expect(checker.isHealthy("patient")).toBe(true);
    await ended(checker);
  });

  test("a placement that left the table, or lost its health settings, is probed no more and counts as healthy", async () => {
    const { clock, checker, down, probes, stop } = setUp([placement("tier1"), placement("tier2")]);
    checker.start(stop.signal);
    down.add("tier1").add("tier2");
    await clock.advance(5000);
    checker.update([{ name: "tier1", url: "http://tier1.test:9000" }]);
    probes.length = 0;
    await clock.advance(60_000);
    expect(probes).toEqual([]);
    expect(checker.isHealthy("tier1")).toBe(true);
    expect(checker.isHealthy("tier2")).toBe(true);
    expect(checker.state("tier1")).toBeUndefined();
    expect(clock.sleeping).toBe(0);
    await ended(checker);
  });

  test("a result that arrives after its placement changed does not count", async () => {
    const { clock, checker, hung, events, stop } = setUp([placement("tier1", { fall: 1 })]);
    checker.start(stop.signal);
    hung.add("tier1");
    await clock.advance(1500);
    checker.update([placement("tier1", { fall: 1 }, "http://replacement.test:9000")]);
    await clock.advance(60_000);
    expect(events).toEqual([]);
    await ended(checker);
  });
});

describe("the end of a HealthChecker", () => {
  test.each(["close", "abort"] as const)("%s ends loops, probes and timers", async (way) => {
    const { clock, checker, hung, aborted, probes, stop } = setUp([placement("tier1"), placement("tier2")]);
    checker.start(stop.signal);
    hung.add("tier1");
    await clock.advance(1500);
    if (way === "abort") stop.abort();
    await ended(checker);
    expect(clock.sleeping).toBe(0);
    expect(aborted).toEqual(["1500: tier1"]);
    probes.length = 0;
    checker.update([placement("tier3")]);
    await clock.advance(60_000);
    expect(probes).toEqual([]);
  });

  test("the last results stay readable while requests drain", async () => {
    const { clock, checker, down, stop } = setUp([placement("tier1")]);
    checker.start(stop.signal);
    down.add("tier1");
    await clock.advance(5000);
    await ended(checker);
    expect(checker.isHealthy("tier1")).toBe(false);
  });
});
