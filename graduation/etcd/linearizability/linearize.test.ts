import fc from "fast-check";
import { expect, test } from "vitest";
import { type History, isNewer, type Operation, type Read, type Write } from "./history.ts";
import { linearize, type ReadPromise } from "./linearize.ts";
import { apply, isOptional, type RegisterState } from "./register.ts";
import { histories } from "./simulated-history.ts";

const promises = ["linearizable", "per-control-plane"] as const;
const initial = { version: '"e.1"', value: "" };

test.each(promises)("accepts every history that a real table has produced, with %s reads", (reads) => {
  fc.assert(
    fc.property(histories(reads, 60), (history) => {
      expect(linearize(history, reads)).toMatchObject({ ok: true });
    }),
  );
});

test.each(promises)("decides as the definition does, order by order, with %s reads", (reads) => {
  const verdicts = { right: 0, wrong: 0 };
  fc.assert(
    fc.property(histories(reads, 5, 3).chain(spoilt).chain(spoilt), (history) => {
      const expected = someOrderExplains(history, reads);
      verdicts[expected ? "right" : "wrong"] += 1;
      expect(linearize(history, reads).ok).toBe(expected);
    }),
    { numRuns: 500 },
  );
  // A generator that spoils nothing would prove nothing.
  expect(Math.min(verdicts.right, verdicts.wrong)).toBeGreaterThan(20);
});

test("an accepted history comes with an order that the table can follow", () => {
  fc.assert(
    fc.property(histories("linearizable", 40), (history) => {
      const verdict = linearize(history, "linearizable");
      const order = verdict.ok ? verdict.order : [];
      expect(follow(history, order)).toBeDefined();
      expect(order.filter((each) => !isOptional(each))).toHaveLength(
        history.operations.filter((each) => !isOptional(each)).length,
      );
    }),
  );
});

test("finds two winners of one compare-and-swap in any history", () => {
  fc.assert(
    fc.property(histories("per-control-plane", 40), fc.nat(), (history, choice) => {
      const winners = history.operations.filter(isStored);
      fc.pre(winners.length > 0);
      const first = winners[choice % winners.length] as Write;
      const second: Write = {
        ...first,
        client: "second",
        marker: "second",
        outcome: { kind: "stored", version: '"e.1000"' },
      };
      const spoilt = { ...history, operations: [...history.operations, second] };
      expect(linearize(spoilt, "per-control-plane").ok).toBe(false);
    }),
  );
});

const base = { client: "c1", via: "a" };
const stored = write({ marker: "k1", ifMatch: '"e.1"', times: [0, 10], outcome: '"e.2"' });

test("finds a stale read, where reads are linearizable", () => {
  const stale = read('"e.1"', "", [20, 30], "b");
  expect(verdictOf([stored, stale], "linearizable")).toContain('GET saw "e.1"');
  expect(verdictOf([stored, stale], "per-control-plane")).toBe("ok");
});

test("finds a read that is older than what the same control plane has shown before", () => {
  const reads = [read('"e.2"', "k1", [12, 14], "b"), read('"e.1"', "", [20, 30], "b")];
  expect(verdictOf([stored, ...reads], "per-control-plane")).toContain('GET saw "e.1"');
});

test("finds a read that is older than what the same control plane has stored before", () => {
  expect(verdictOf([stored, read('"e.1"', "", [20, 30], "a")], "per-control-plane")).toContain("GET saw");
});

test("takes a conflict before the read that names the version, whatever stands first", () => {
  const unknown = { ...stored, outcome: { kind: "unknown" } as const };
  // It ends before the others begin, so k1 has been stored by then.
  const first = write({ marker: "k2", ifMatch: '"e.1"', times: [5, 12], outcome: "conflict" });
  const second = write({ marker: "k3", ifMatch: '"e.3"', times: [20, 30], outcome: "conflict" });
  expect(verdictOf([unknown, first, read('"e.3"', "k1", [20, 30], "a"), second])).toBe("ok");
});

test("finds a read of something that nobody has begun to write yet", () => {
  const early = read('"e.2"', "k1", [0, 5], "b");
  const late = write({ marker: "k1", ifMatch: '"e.1"', times: [6, 10], outcome: '"e.2"' });
  expect(verdictOf([early, late], "per-control-plane")).toContain("No order explains");
});

test("finds a lost update: an acknowledged write that is in no later table", () => {
  const second = write({ marker: "k2", ifMatch: '"e.2"', times: [20, 30], outcome: '"e.3"' });
  expect(verdictOf([stored, second, read('"e.3"', "k1 k2", [40, 50])])).toBe("ok");
  expect(verdictOf([stored, second, read('"e.3"', "k2", [40, 50])])).toContain('GET saw "e.3"');
});

test("finds a 412 for the version that the table had all the time", () => {
  const refused = write({ marker: "k2", ifMatch: '"e.2"', times: [20, 30], outcome: "conflict" });
  expect(verdictOf([stored, refused])).toContain("PATCH k2");
});

test("finds a write that was refused and took place all the same", () => {
  const refused = write({ marker: "k2", ifMatch: '"e.2"', times: [20, 30], outcome: "refused" });
  expect(verdictOf([stored, refused, read('"e.3"', "k1 k2", [40, 50])])).toContain("GET saw");
});

test("takes nothing from a write that was refused, not even that its control plane knew of what came before", () => {
  const refused = {
    ...write({ marker: "k2", ifMatch: '"e.2"', times: [20, 30], outcome: "refused" }),
    via: "b",
  };
  expect(verdictOf([stored, refused, read('"e.1"', "", [40, 50], "b")], "per-control-plane")).toBe("ok");
});

test.each([
  ["never happened", '"e.2"', "k1"],
  ["happened after its client had given up", '"e.3"', "k1 k2"],
])("accepts that a write with an unknown outcome %s", (_, version, value) => {
  const unknown = write({ marker: "k2", ifMatch: '"e.2"', times: [20, 30], outcome: "unknown" });
  expect(verdictOf([stored, unknown, read(version, value, [40, 50])])).toBe("ok");
  const back = read('"e.2"', "k1", [60, 70]);
  const both = verdictOf([stored, unknown, read(version, value, [40, 50]), back]);
  expect(both === "ok").toBe(value === "k1");
});

test("finds a revision that goes back", () => {
  const second = write({ marker: "k2", ifMatch: '"e.2"', times: [20, 30], outcome: '"e.1"' });
  expect(verdictOf([stored, second])).toContain("No order explains");
  expect(isNewer('"e.10"', '"e.9"')).toBe(true);
});

function verdictOf(operations: readonly Operation[], reads: ReadPromise = "linearizable"): string {
  const verdict = linearize({ initial, operations }, reads);
  return verdict.ok ? "ok" : verdict.words;
}

function read(version: string, value: string, [startMs, endMs]: readonly [number, number], via = "a"): Read {
  return { ...base, via, kind: "get", version, value, startMs, endMs };
}

function write({
  times: [startMs, endMs],
  outcome,
  ...rest
}: Pick<Write, "marker" | "ifMatch"> & {
  readonly times: readonly [number, number];
  readonly outcome: string;
}): Write {
  const known = ["conflict", "refused", "unknown"] as const;
  const kind = known.find((each) => each === outcome);
  const told = kind === undefined ? ({ kind: "stored", version: outcome } as const) : { kind };
  return { ...base, kind: "patch", startMs, endMs, outcome: told, ...rest };
}

function isStored(operation: Operation): operation is Write {
  return operation.kind !== "get" && operation.outcome.kind === "stored";
}

/** The history, or the same with one operation changed. */
function spoilt(history: History): fc.Arbitrary<History> {
  const { operations } = history;
  if (operations.length === 0) return fc.constant(history);
  const change = fc.constantFrom("version", "value", "outcome", "earlier", "later", "via", "nothing");
  return fc
    .tuple(fc.nat(operations.length - 1), change, fc.nat(operations.length - 1))
    .map(([at, what, from]) => ({
      ...history,
      operations: operations.map((each, index) =>
        index === at ? changed(each, what, operations[from] ?? each) : each,
      ),
    }));
}

function changed(operation: Operation, what: string, other: Operation): Operation {
  const version = other.kind === "get" ? other.version : other.ifMatch;
  const byMs = { earlier: -15, later: 15 }[what] ?? 0;
  const { startMs, endMs, via } = operation;
  const moved = { ...operation, startMs: startMs + byMs, endMs: endMs + byMs };
  if (what === "via") return { ...moved, via: via === "a" ? "b" : "a" };
  if (moved.kind === "get") {
    if (what === "version") return { ...moved, version };
    return what === "value" && other.kind === "get" ? { ...moved, value: other.value } : moved;
  }
  if (what === "version") return { ...moved, ifMatch: version };
  return what === "outcome" && other.kind !== "get" ? { ...moved, outcome: other.outcome } : moved;
}

/** The definition: some order of some of the operations, in which nobody overtakes and the table can follow. */
function someOrderExplains(history: History, reads: ReadPromise): boolean {
  const orders = (taken: readonly Operation[], rest: readonly Operation[]): boolean => {
    if (follow(history, taken) === undefined) return false;
    if (rest.every(isOptional)) return true;
    return rest.some((next) => {
      const others = rest.filter((each) => each !== next);
      return !others.some((each) => mustPrecede(each, next, reads)) && orders([...taken, next], others);
    });
  };
  return orders([], history.operations);
}

function mustPrecede(first: Operation, second: Operation, reads: ReadPromise): boolean {
  if (isOptional(first) || first.endMs >= second.startMs) return false;
  return reads === "linearizable" || second.kind !== "get" || first.via === second.via;
}

function follow({ initial }: History, order: readonly Operation[]): RegisterState | undefined {
  return order.reduce<RegisterState | undefined>((state, each) => state && apply(state, each), {
    ...initial,
    isNamed: true,
  });
}
