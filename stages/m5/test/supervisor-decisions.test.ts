// What a supervisor decides, with workers that do and say what the test tells them: when it asks, waits, gives up and kills. Real
// processes, and what happens between them, are in `supervisor.test.ts`.

import { EventEmitter } from "node:events";
import pino from "pino";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import type { RoutingTable } from "../src/routing-table.ts";
import { TableStore } from "../src/table-store.ts";
import { Supervisor } from "../src/workers/supervisor.ts";
import type { FromWorker, ToWorker } from "../src/workers/worker-messages.ts";
import { tableOf } from "./protected-table.ts";

const forks = vi.hoisted(() => ({ made: [] as unknown[], make: (): unknown => undefined }));
vi.mock(import("node:cluster"), () => ({
  default: {
    SCHED_NONE: 1,
    setupPrimary: () => {},
    fork: () => {
      const worker = forks.make();
      forks.made.push(worker);
      return worker;
    },
  } as never,
}));

/** A worker that comes up, applies tables and lives, unless it is told otherwise. */
class FakeWorker extends EventEmitter {
  static next = 1;
  readonly heard: ToWorker[] = [];
  readonly signals: string[] = [];
  /** What it does not do. */
  readonly not = new Set<"listening" | "applied" | "alive" | "ending">();
  readonly process: { readonly pid: number; readonly kill: (signal: string) => boolean };

  constructor() {
    super();
    const kill = (signal: string) => {
      this.signals.push(signal);
      if (!this.not.has("ending")) queueMicrotask(() => this.ends(null, signal));
      return true;
    };
    this.process = { pid: FakeWorker.next++, kill };
    queueMicrotask(() => this.emit("online"));
  }

  isConnected(): boolean {
    return true;
  }

  send(message: ToWorker): void {
    this.heard.push(message);
    queueMicrotask(() => {
      if (message.type === "listen" && !this.not.has("listening")) this.says({ type: "listening" });
      if (message.type === "table" && !this.not.has("applied")) this.says({ type: "applied" });
      if (message.type === "beat" && !this.not.has("alive")) this.says({ type: "alive" });
      if (message.type === "retire" && !this.not.has("ending")) this.ends(0, null);
    });
  }

  says(message: FromWorker): void {
    this.emit("message", message);
  }

  ends(code: number | null, signal: string | null): void {
    this.emit("exit", code, signal);
  }

  /** Versions of the tables that it was told, `share` for a share alone. */
  get tables(): string[] {
    return this.heard.flatMap((each) => (each.type === "table" ? [each.table?.version ?? "share"] : []));
  }

  get share(): string {
    const last = this.heard.findLast((each) => each.type === "table");
    return last?.type === "table" ? `${last.share.index + 1} of ${last.share.of}` : "none";
  }
}

const table = (version: string): RoutingTable => tableOf({ one: { concurrencyLimit: 4 } }, { version });

function setUp(workers = 2) {
  const clock = new FakeClock();
  const store = new TableStore();
  store.swap(table("first"));
  const logged: Record<string, unknown>[] = [];
  const faults: string[] = [];
  let lostMs = 0;
  const supervisor = new Supervisor({
    workers,
    host: "127.0.0.1",
    store,
    logger: pino({ base: null }, { write: (line: string) => void logged.push(JSON.parse(line)) }),
    clock: { now: () => clock.now() + lostMs, sleep: (ms, signal) => clock.sleep(ms, signal) },
    random: () => 0.5,
    linesDropped: () => 0,
    report: (error) => void faults.push(String(error)),
    onBreaker: (placement) => {
      if (placement === "planted") throw new Error("planted");
    },
  });
  const events = (name: string) => logged.filter(({ event }) => event === name).length;
  const made = () => forks.made as FakeWorker[];
  /** Everything that follows from what has just happened, without time passing. */
  const settle = () => clock.advance(0);
  const pause = (ms: number) => {
    lostMs += ms;
  };
  const start = async () => {
    const port = supervisor.start(8080);
    await settle();
    return await port;
  };
  return { clock, store, supervisor, events, faults, made, settle, pause, start };
}

/** The workers that are made next: each description is for one, the last one for all that follow. */
function workersThat(...describe: ((worker: FakeWorker) => void)[]): void {
  let at = 0;
  forks.make = () => {
    const worker = new FakeWorker();
    describe[Math.min(at++, describe.length - 1)]?.(worker);
    return worker;
  };
}

const well = () => {};
const silent = (worker: FakeWorker) => void worker.not.add("listening");
const killed = (worker: FakeWorker) => void queueMicrotask(() => worker.ends(null, "SIGKILL"));
const broken = (worker: FakeWorker) => void queueMicrotask(() => worker.ends(1, null));

beforeEach(() => {
  forks.made.length = 0;
  workersThat(well);
});

describe("a start", () => {
  test("tells each worker its table, who is not healthy, and then to listen", async () => {
    const { start, supervisor, made } = setUp();
    supervisor.setUnhealthy(["one"]);
    expect(await start()).toBe(8080);
    expect(made()).toHaveLength(2);
    expect(made()[1]?.heard).toMatchObject([
      { type: "table", table: { version: "first" }, share: { index: 1, of: 2 } },
      { type: "unhealthy", placements: ["one"] },
      { type: "listen", port: 8080, slot: 1 },
    ]);
  });

  test.each([
    ["was killed while it came up", killed, 200],
    ["did not listen in time", silent, 16_000],
  ])("tries again when a worker %s, however often", async (_, fails, waitMs) => {
    workersThat(...Array(20).fill(fails), well);
    const { supervisor, clock, made, events } = setUp(1);
    const started = supervisor.start(8080);
    for (let n = 0; n < 20; n++) await clock.advance(waitMs + 10_000);
    expect(await started).toBe(8080);
    expect([made().length, events("worker-not-started")]).toEqual([21, 20]);
    const late = made().slice(0, 20);
    if (fails === silent) expect(late.every(({ signals }) => signals.includes("SIGKILL"))).toBe(true);
  });

  test("fails when workers end by themselves, five times in a row", async () => {
    workersThat(broken);
    const { supervisor, clock, made } = setUp(1);
    const failed = supervisor.start(8080).catch(String);
    await clock.advance(60_000);
    expect(await failed).toBe("EarlyExitError: A worker ended with 1 before it listened.");
    expect(made()).toHaveLength(5);
  });

  test("fails at once when a worker cannot listen", async () => {
    workersThat((worker) => {
      worker.not.add("listening");
      queueMicrotask(() => worker.says({ type: "failed", code: "EADDRINUSE", message: "taken" }));
    });
    const { supervisor, settle, made } = setUp(1);
    const failed = supervisor.start(8080).catch((error) => error.code);
    await settle();
    expect([await failed, made().length]).toEqual(["EADDRINUSE", 1]);
  });

  test("waits longer for a worker while this process itself stands still", async () => {
    workersThat(silent);
    const { supervisor, clock, pause, made } = setUp(1);
    void supervisor.start(8080);
    await clock.advance(1_000);
    pause(3_600_000);
    await clock.advance(13_000);
    expect(made()).toHaveLength(1);
    made()[0]?.says({ type: "listening" });
    await clock.advance(60_000);
    expect(made()).toHaveLength(1);
  });
});

describe("a reload", () => {
  test("before all workers have started replaces nobody", async () => {
    workersThat(well, silent);
    const { supervisor, settle, made } = setUp(2);
    void supervisor.start(8080);
    await settle();
    await supervisor.replaceAll();
    expect(made()).toHaveLength(2);
  });

  test("that is asked for many times at once happens once more, and no more", async () => {
    const { supervisor, start, clock, made, events } = setUp(2);
    await start();
    for (let n = 0; n < 50; n++) void supervisor.replaceAll();
    await clock.advance(1_000);
    expect([events("workers-replaced"), made().length]).toEqual([2, 6]);
    void supervisor.replaceAll();
    await clock.advance(1_000);
    expect(events("workers-replaced")).toBe(3);
  });

  test("whose new worker does not come up leaves the old one in its place", async () => {
    const { supervisor, start, clock, made, events } = setUp(1);
    await start();
    workersThat(silent);
    void supervisor.replaceAll();
    await clock.advance(20_000);
    expect([events("worker-not-replaced"), made()[0]?.signals, made()[1]?.signals]).toEqual([
      1,
      [],
      ["SIGKILL"],
    ]);
  });
});

describe("a table", () => {
  test("is told to a worker once it has applied the last one: those in between it never hears of", async () => {
    const { store, start, settle, made } = setUp(1);
    await start();
    const [worker] = made();
    worker?.not.add("applied");
    for (const version of ["a", "b", "c", "d"]) store.swap(table(version));
    await settle();
    expect(worker?.tables).toEqual(["first", "a"]);
    worker?.says({ type: "applied" });
    expect(worker?.tables).toEqual(["first", "a", "d"]);
    worker?.says({ type: "applied" });
    expect(worker?.tables).toEqual(["first", "a", "d"]);
  });

  test("that comes while a worker comes up is not lost on it", async () => {
    workersThat(silent);
    const { store, supervisor, settle, made } = setUp(1);
    void supervisor.start(8080);
    await settle();
    store.swap(table("second"));
    await settle();
    expect(made()[0]?.tables).toEqual(["first", "second"]);
  });
});

describe("limits", () => {
  test("are divided among the workers that live", async () => {
    const { start, clock, settle, made, events } = setUp(3);
    await start();
    const shares = () => made().map(({ share }) => share);
    expect(shares()).toEqual(["1 of 3", "2 of 3", "3 of 3"]);
    made()[1]?.ends(null, "SIGKILL");
    await settle();
    expect(shares()).toEqual(["1 of 2", "2 of 3", "2 of 2"]);
    await clock.advance(1_000);
    expect([shares(), events("worker-started")]).toEqual([["1 of 3", "2 of 3", "3 of 3", "2 of 3"], 1]);
    expect(made()[0]?.tables, "the table is not sent again").toEqual([
      "first",
      "share",
      "share",
      "share",
      "share",
    ]);
  });
});

describe("a worker that hangs", () => {
  test("is noticed after ten seconds, killed and replaced", async () => {
    const { start, clock, made, events } = setUp(2);
    await start();
    made()[0]?.not.add("alive");
    await clock.advance(9_000);
    expect([made()[0]?.signals, events("worker-hung")]).toEqual([[], 0]);
    await clock.advance(6_000);
    expect([made()[0]?.signals, made()[1]?.signals]).toEqual([["SIGKILL"], []]);
    expect([events("worker-hung"), events("worker-died"), events("worker-started"), made().length]).toEqual([
      1, 1, 1, 3,
    ]);
  });

  test("for a while only is left alone", async () => {
    const { start, clock, made, events } = setUp(1);
    await start();
    for (let n = 0; n < 10; n++) {
      made()[0]?.not.add("alive");
      await clock.advance(8_000);
      made()[0]?.not.delete("alive");
      await clock.advance(2_000);
    }
    expect([events("worker-hung"), made().length]).toEqual([0, 1]);
  });

  test("is not one that waited for a supervisor which stood still", async () => {
    const { start, clock, pause, made, events } = setUp(1);
    await start();
    for (let n = 0; n < 10; n++) {
      pause(60_000);
      await clock.advance(1_500);
    }
    expect([events("worker-hung"), made().length]).toEqual([0, 1]);
  });

  test("is ended also when it has been replaced", async () => {
    const { supervisor, start, clock, made, events } = setUp(1);
    await start();
    const [old] = made();
    old?.not.add("ending").add("alive");
    void supervisor.replaceAll();
    await clock.advance(15_000);
    expect([old?.signals, events("worker-hung")]).toEqual([["SIGKILL"], 1]);
  });
});

describe("a stop", () => {
  test("asks all workers, and those that come up; it kills in time, and waits for nobody longer", async () => {
    const { supervisor, start, clock, made } = setUp(2);
    await start();
    workersThat(silent);
    void supervisor.replaceAll();
    await clock.advance(0);
    made()[0]?.not.add("ending");
    let isOver = false;
    const stopped = supervisor.stop(10_500).then(() => {
      isOver = true;
    });
    await clock.advance(10_499);
    expect([isOver, ...made().map(({ signals }) => signals)]).toEqual([
      false,
      ["SIGTERM"],
      ["SIGTERM"],
      ["SIGTERM"],
    ]);
    await clock.advance(251);
    expect([isOver, made()[0]?.signals]).toEqual([true, ["SIGTERM", "SIGKILL"]]);
    await stopped;
    await clock.advance(60_000);
    expect(made()).toHaveLength(3);
  });
});

test("what a message makes somebody throw is reported, and nothing else happens", async () => {
  const { start, made, faults } = setUp(1);
  await start();
  made()[0]?.says({ type: "breaker", placement: "planted", to: "open", from: "closed" });
  expect(faults).toEqual(["Error: planted"]);
});
