import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Program } from "../../shared/testkit/program.ts";
import { commandWords } from "../command-line.ts";
import { runNode } from "../run-tool.ts";
import { projectRoot } from "../stages.ts";
import { findCulprit } from "./culprit.ts";
import { cut, lengthOf } from "./delivery.ts";
import type { PlantedFault } from "./fake-router.ts";
import { readOptions } from "./options.ts";
import { cellMode, clientKinds, planConnection } from "./plan.ts";
import { runChaos } from "./run.ts";
import type { RunOptions, RunResult, SoFar } from "./run-result.ts";
import { cleanIdOf, isCleanId, readTag, tagOf, tagsIn } from "./tags.ts";

const fakeRouter = join(projectRoot, "scripts/chaos/fake-router.ts");

describe("the plan", () => {
  test("is a function of the seed and the connection's number alone", () => {
    for (const number of [0, 1, 77, 4096])
      expect(planConnection(7, number)).toEqual(planConnection(7, number));
    expect(planConnection(8, 77)).not.toEqual(planConnection(7, 77));
  });

  test("has every kind of client, every ending and every mode of a cell in a few hundred connections", () => {
    const plans = Array.from({ length: 400 }, (_, number) => planConnection(7, number));
    expect(new Set(plans.map(({ kind }) => kind))).toEqual(new Set(clientKinds));
    const endings = new Set(plans.map(({ delivery }) => delivery.ending.kind));
    expect(endings).toEqual(new Set(["reset", "close", "half-close", "stay"]));
    const modes = new Set(plans.map(({ number }) => cellMode(7, 2, number)));
    expect(modes).toEqual(new Set(["up", "down", "resetting", "deaf", "babbling"]));
  });

  test("sends the bytes of the stream, cut where it says", () => {
    for (let number = 0; number < 300; number++) {
      const { stream, delivery } = planConnection(11, number);
      const sent = delivery.steps.flatMap((step) => (step.kind === "send" ? [step.piece] : []));
      const wanted = delivery.cutAt === undefined ? stream : cut(stream, delivery.cutAt);
      expect(lengthOf(sent)).toBe(lengthOf(wanted));
      expect(lengthOf(wanted)).toBe(delivery.cutAt ?? lengthOf(stream));
    }
  });
});

describe("tags", () => {
  test("tell what they stand for, and nothing to whoever does not know the seed", () => {
    const facts = { connection: 12, request: 3 };
    for (const kind of ["request", "decoy", "forged"] as const) {
      const tag = tagOf(7, facts, kind);
      expect(readTag(7, tag)).toEqual({ ...facts, kind });
      expect(readTag(8, tag)).toBeUndefined();
      expect(tagsIn(`GET /${tag}/b900 HTTP/1.1`)).toEqual([tag]);
    }
    expect(isCleanId(7, cleanIdOf(7, 1, 2))).toBe(true);
    expect(isCleanId(8, cleanIdOf(7, 1, 2))).toBe(false);
  });
});

describe("the flags", () => {
  test("name stages, a command, or a router that runs", () => {
    expect(readOptions({}).jobs.map(({ name }) => name)).toEqual(["m1", "m2", "m3", "m4", "m5"]);
    expect(readOptions({ start: "./router --x 'a b'", level: "m4" }).jobs[0]).toMatchObject({
      target: { kind: "command", words: ["./router", "--x", "a b"] },
      level: "m4",
    });
    expect(readOptions({ router: "http://127.0.0.1:1", pid: "12", ports: "visa=1" }).jobs[0]).toMatchObject({
      target: { kind: "running", pid: 12 },
      ports: { visa: 1, tier1: 9001 },
    });
    expect(readOptions({ replay: "7:5x3,9" })).toMatchObject({
      seed: 7,
      sequence: [{ number: 5 }, { number: 5 }, { number: 5 }, { number: 9 }],
    });
    expect(commandWords(`a "b c" 'd' e`)).toEqual(["a", "b c", "d", "e"]);
  });
});

describe("a run", { concurrent: true, timeout: 150_000 }, () => {
  const freePorts = { visa: 0, tier1: 0, tier2: 0, tier3: 0 };
  type Changed = "seconds" | "target" | "ports" | "recoveryMs" | "withAftermath" | "isEnough";
  type Changes = Partial<Pick<RunOptions, Changed>> & { readonly only?: string };
  /** Runs end when they have come far enough: the time is for a machine that is very slow, or a fault that is not found. */
  const run = (fault: PlantedFault, changes: Changes) => runChaos(optionsOf(fault, changes));
  const optionsOf = (fault: PlantedFault, { only, ...changes }: Changes = {}): RunOptions => {
    const options = readOptions({ seed: "5", seconds: "60", ...(only === undefined ? {} : { only }) });
    return {
      ...options,
      target: { kind: "command", words: [process.execPath, fakeRouter], env: { FAULT: fault } },
      level: "m1",
      ports: freePorts,
      lanes: 16,
      cleanClients: 4,
      recoveryMs: 30_000,
      withAftermath: true,
      signal: new AbortController().signal,
      ...changes,
    };
  };
  const rules = ({ faults }: SoFar) => faults.map(({ rule }) => rule).join("\n");
  const served = ({ clean }: SoFar) => clean.outcomes.get("served") ?? 0;
  /** Until the run has shown all rules. */
  const runUntil = async (fault: PlantedFault, sought: readonly RegExp[], only?: string) => {
    const isEnough = (soFar: SoFar) => sought.every((rule) => rule.test(rules(soFar)));
    const kinds = only === undefined ? {} : { only };
    const result = await run(fault, { ...kinds, withAftermath: false, isEnough });
    for (const rule of sought) expect(rules(result)).toMatch(rule);
    return result;
  };

  // The longest comes first: the others run beside it.
  test("finds a router that SIGTERM does not end", async () => {
    const result = await run("never-stops", { seconds: 1 });
    expect(rules(result)).toContain("8 survival: SIGTERM does not end it in time");
  });

  test("finds nothing in a router that does it right", async () => {
    const isEnough = (soFar: SoFar) => soFar.connections >= 100 && served(soFar) >= 20;
    const result = await run("none", { isEnough });
    expect([result.death, result.faults, isEnough(result)]).toEqual([undefined, [], true]);
  });

  test("says at once that the router has ended, how, and after which connections", async () => {
    const { death, latest, seconds } = await run("dies-on-reset", {});
    expect(death?.how).toBe("ended with exit code 7");
    expect(seconds).toBeLessThan(60);
    // Who closes with a response unread resets the connection, too.
    expect(latest.some(({ ending, sent }) => /^(reset|closed)/.test(ending) && sent !== "")).toBe(true);
  });

  test("says that the router no longer responds, although its process lives", async () => {
    const { death, faults } = await run("hangs-on-reset", {});
    expect(death).toMatchObject({ how: "no longer responds", isStall: true });
    // What clients suffer from it is not told again and again.
    expect(faults).toEqual([]);
  });

  test("ends soon with a router that has never responded, and blames no connection", async () => {
    const { death, faults, connections } = await run("serves-nobody", { recoveryMs: 1_000 });
    expect(death).toMatchObject({ how: "no longer responds", isStall: true });
    expect(faults.map(({ rule, count }) => [rule, count])).toEqual([
      ["8 survival: a tenant is not served again after its cell has come back", 5],
    ]);
    expect(connections).toBe(0);
  });

  test("looks no longer than it may for the connection that ended a router", async () => {
    const told: string[] = [];
    // As many suspects as there are, on a router that none of them ends.
    const latest = Array.from({ length: 40 }, (_, number) => ({
      number,
      startedAtMs: 0,
      lastActAtMs: 1_000,
      lastHeardAtMs: 1_000,
      sentBytes: 1,
      ending: "reset after 1 bytes",
    }));
    const death = { how: "no longer responds", lastLines: [], afterMs: 1_000, isStall: true };
    const result = { latest, death, startedAtMs: 0 } as unknown as RunResult;
    const found = await findCulprit(optionsOf("none"), result, (line) => told.push(line), 0);
    expect(found).toBeUndefined();
    expect(told).toEqual([
      "Looking for the connection that did it, among the last 40 …",
      "Not found within 0 s.",
    ]);
  });

  test("ends at once where it can make no client", async () => {
    await expect(run("none", { only: "admin" })).rejects.toThrow("no kind of client is left");
  });

  test("takes a router that runs already, and leaves it running", async () => {
    const first = 12_000 + Math.floor(Math.random() * 19_000);
    const ports = { visa: first, tier1: first + 1, tier2: first + 2, tier3: first + 3 };
    const cells = Object.entries(ports).map(([name, port]) => `${name}=http://127.0.0.1:${port}`);
    const env = { CELLS: cells.join(","), PORT: "0" };
    await using program = new Program({
      name: "a router",
      command: process.execPath,
      args: [fakeRouter],
      env,
    });
    await program.ready();
    const target = { kind: "running", url: program.url, pid: program.pid } as const;
    const result = await run("none", { seconds: 1, target, ports });
    expect([result.death, result.faults, result.stopMs]).toEqual([undefined, [], undefined]);
    expect(program.hasEnded).toBe(false);
  });

  test("finds responses that reach another request", async () => {
    await runUntil("mixes-responses", [
      /a client got the response to (another connection's|a clean client's) request/,
      /clean client: .*(another request|another body)/,
    ]);
  });

  test("finds sockets that never come back", async () => {
    // One stays open for each response; the router is given a moment to close them.
    const result = await run("leaks-sockets", {
      isEnough: (soFar) => served(soFar) >= 40,
      recoveryMs: 3_000,
    });
    expect(rules(result)).toContain("descriptors stay open after everybody has gone");
  });

  test("finds smuggled requests by what the cells saw", async () => {
    const result = await runUntil(
      "smuggles",
      [/a cell got a smuggled request/],
      "one-request,upload,pipeline",
    );
    const group = result.faults.find(({ rule }) => rule.includes("smuggled"));
    const connection = group?.cases[0]?.connection;
    expect(result.guilty.map(({ number }) => number)).toContain(connection);
  });

  test("finds cut responses that look whole", async () => {
    await runUntil("hides-cuts", [/clean client: 7 truthful endings: a response that looks whole/]);
  });
});

describe("the command", { concurrent: true, timeout: 150_000 }, () => {
  const chaos = (...args: string[]) =>
    runNode(join(projectRoot, "scripts/chaos.ts"), args, { cwd: projectRoot });
  const start = `${process.execPath} ${fakeRouter}`;

  test("names the connection that ended the router, with its bytes, and can make it again", async () => {
    const first = await chaos("--start", start, "--env", "FAULT=dies-on-reset", "--seed", "5");
    expect(first.code).toBe(1);
    expect(first.output).toMatch(/^FAULT: the router ended with exit code 7 after \d/m);
    expect(first.output).toMatch(
      /^Connection \d+ \(.*\): sent \d+ bytes, .*(reset|closed) after \d+ bytes\n {2}> /m,
    );
    const [, replay = ""] = /^Again: .* --replay (5:\d+x\d+)$/m.exec(first.output) ?? [];
    const replayed = () => chaos("--start", start, "--env", "FAULT=dies-on-reset", "--replay", replay);
    let again = await replayed();
    // Whether the router is hit at the wrong moment is chance: a busy machine needs another go now and then.
    for (let more = 5; more > 0 && again.code === 0; more--) again = await replayed();
    expect(again.output).toMatch(/^FAULT: the router ended with exit code 7/m);
    expect(again.code).toBe(1);
  });

  test("makes the same connections from the same seed, and prints one JSON line", async () => {
    const args = ["--start", start, "--seed", "9", "--connections", "30", "--seconds", "60", "--json"];
    const reports = await Promise.all([chaos(...args), chaos(...args)]);
    const [one, other] = reports.map(({ stdout }) => JSON.parse(stdout) as Record<string, unknown>);
    expect(one).toMatchObject({ seed: 9, connections: 30, faultCount: 0 });
    expect(other?.["connectionsByKind"]).toEqual(one?.["connectionsByKind"]);
  });
});
