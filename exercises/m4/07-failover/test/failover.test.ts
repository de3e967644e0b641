import { test } from "vitest";
import { check } from "../../../support/check.ts";
import { type ChainedPlacement, chooseTarget, type Refusal, type TargetChoice } from "../starter/failover.ts";

const lookAtChain = "failover.ts, fallbackChain";
const lookAtChoice = "failover.ts, chooseTarget";

/** name → what it names as fallback; a name that ends in `-cell` is a dedicated one. The order is the table's. */
type Chains = Readonly<Record<string, readonly string[] | undefined>>;
type Refusals = Readonly<Record<string, Refusal>>;

const down: Refusal = { reason: "unhealthy" };

/** Chooses for the first placement of `chains`. `refusals`: who does not take it, and why; the others do. */
function choose(chains: Chains, refusals: Refusals) {
  const placements = new Map<string, ChainedPlacement>();
  for (const [name, fallback] of Object.entries(chains)) {
    const placement: ChainedPlacement = { name, kind: name.endsWith("-cell") ? "dedicated" : "tier" };
    placements.set(name, fallback === undefined ? placement : { ...placement, fallback });
  }
  const asked: string[] = [];
  const [origin] = placements.values();
  if (origin === undefined) throw new Error("no placement");
  const choice = chooseTarget({ placements }, origin, (placement) => {
    asked.push(placement.name);
    if (asked.length > 20) throw new Error(`asked without end: ${asked.slice(0, 8).join(", ")} …`);
    return new Map(Object.entries(refusals)).get(placement.name);
  });
  return { choice, asked, serves: choice.kind === "none" ? "nobody" : choice.target.name };
}

/** Who is asked, in order, when nobody takes it. */
function order(chains: Chains): string[] {
  return choose(chains, Object.fromEntries(Object.keys(chains).map((name) => [name, down]))).asked;
}

/** A choice with placements as names, and only the fields that its kind has. */
function told(choice: TargetChoice<ChainedPlacement>): object {
  const skipped = choice.skipped.map((each) => `${each.placement} ${each.reason}`);
  switch (choice.kind) {
    case "origin":
      return { kind: choice.kind, target: choice.target.name, skipped };
    case "fallback":
      return {
        kind: choice.kind,
        target: choice.target.name,
        from: choice.from.name,
        reason: choice.reason,
        skipped,
      };
    case "none":
      return { kind: choice.kind, reason: choice.reason, retryAfterMs: choice.retryAfterMs, skipped };
    default:
      return { kind: (choice satisfies never as { kind: unknown }).kind };
  }
}

test("an origin that takes the request serves it, and nobody else is asked", async () => {
  await check<object>({
    sent: "visa-cell → tier1, both up",
    expected: {
      choice: { kind: "origin", target: "visa-cell", skipped: [] },
      asked: ["visa-cell"],
    },
    got: () => {
      const { choice, asked } = choose({ "visa-cell": ["tier1"], tier1: [] }, {});
      return { choice: told(choice), asked };
    },
    likely: "Failover is for a request that its own placement does not take.",
    lookAt: lookAtChoice,
  });
});

test("the stand-ins are asked in the order in which the origin names them", async () => {
  await check({
    sent: "visa-cell → tier2, tier1; in the table, tier1 comes first. Who is asked when nobody takes it",
    expected: ["visa-cell", "tier2", "tier1"],
    got: () => order({ "visa-cell": ["tier2", "tier1"], tier1: [], tier2: [] }),
    likely: "The order is that of the table and not that of the chain.",
    lookAt: lookAtChain,
    hint: 1,
  });
});

test("a placement that the chain does not name never serves", async () => {
  await check({
    sent: "visa-cell → tier1, both down; tier3 is up and in no chain",
    expected: "nobody",
    got: () =>
      choose({ "visa-cell": ["tier1"], tier1: [], tier3: [] }, { "visa-cell": down, tier1: down }).serves,
    likely: "A placement was chosen only because it was up, and its tenants now share the trouble.",
    lookAt: lookAtChain,
    hint: 1,
  });
});

test("an overloaded origin does not fail over, and is itself the one that was skipped", async () => {
  await check<object>({
    sent: "tier1 → tier2; tier1 is overloaded for 250 ms, tier2 is up",
    expected: {
      choice: { kind: "none", reason: "overloaded", retryAfterMs: 250, skipped: ["tier1 overloaded"] },
      asked: ["tier1"],
    },
    got: () => {
      const { choice, asked } = choose(
        { tier1: ["tier2"], tier2: [] },
        { tier1: { reason: "overloaded", retryAfterMs: 250 } },
      );
      return { choice: told(choice), asked };
    },
    likely:
      "The flood that the limit has stopped goes on to the next placement, or nobody hears where it was.",
    lookAt: lookAtChoice,
    hint: 2,
  });
});

test("an overloaded stand-in is passed over like any other", async () => {
  await check<object>({
    sent: "tier1 → tier2, tier3; tier1 is down, tier2 is overloaded, tier3 is up",
    expected: {
      kind: "fallback",
      target: "tier3",
      from: "tier1",
      reason: "unhealthy",
      skipped: ["tier1 unhealthy", "tier2 overloaded"],
    },
    got: () =>
      told(
        choose(
          { tier1: ["tier2", "tier3"], tier2: [], tier3: [] },
          { tier1: down, tier2: { reason: "overloaded" } },
        ).choice,
      ),
    likely:
      "The requests of a dead cell are not a flood: if the first stand-in is full, the next one may serve.",
    lookAt: lookAtChoice,
    hint: 2,
  });
});

test("a dedicated cell never stands in, even if the table names it", async () => {
  await check({
    sent: "visa-cell → acme-cell, tier1; tier1 → bank-cell, tier2; visa-cell and tier1 are down, the others are up",
    expected: { serves: "tier2", asked: ["visa-cell", "tier1", "tier2"] },
    got: () => {
      const chains = {
        "visa-cell": ["acme-cell", "tier1"],
        "acme-cell": [],
        "bank-cell": [],
        tier1: ["bank-cell", "tier2"],
        tier2: [],
      };
      const { serves, asked } = choose(chains, { "visa-cell": down, tier1: down });
      return { serves, asked };
    },
    likely: "One tenant's requests reached another tenant's cell.",
    lookAt: lookAtChain,
    hint: 2,
  });
});

test("the list of a dedicated cell that is left out is not followed", async () => {
  await check({
    sent: "tier1 → acme-cell, tier2; acme-cell → tier3; all down. Who is asked",
    expected: ["tier1", "tier2"],
    got: () => order({ tier1: ["acme-cell", "tier2"], "acme-cell": ["tier3"], tier2: [], tier3: [] }),
    likely: "tier3 stands in for acme-cell only. acme-cell is no part of this chain.",
    lookAt: lookAtChain,
    hint: 3,
  });
});

test("a stand-in's own stand-ins come next", async () => {
  await check({
    sent: "visa-cell → tier1 → tier2 → tier3, all down; tier0 is in no chain. Who is asked",
    expected: ["visa-cell", "tier1", "tier2", "tier3"],
    got: () => order({ "visa-cell": ["tier1"], tier0: [], tier1: ["tier2"], tier2: ["tier3"], tier3: [] }),
    likely: "The chain ends with the origin's own list, or follows something other than the lists.",
    lookAt: lookAtChain,
    hint: 3,
  });
});

test("what the origin names itself comes before what its stand-ins name", async () => {
  await check({
    sent: "visa-cell → tier1, tier2; tier1 → tier3; all down. Who is asked",
    expected: ["visa-cell", "tier1", "tier2", "tier3"],
    got: () => order({ "visa-cell": ["tier1", "tier2"], tier3: [], tier1: ["tier3"], tier2: [] }),
    likely: "tier3 is asked before tier2, which the origin chose itself, or it is not asked at all.",
    lookAt: lookAtChain,
    hint: 3,
  });
});

test("a chain that leads back ends, and asks each placement once", async () => {
  await check({
    sent: "tier1 → tier1, tier2, tier2; tier2 → tier1 and tier2; tier9 is in no chain; all down. Who is asked",
    expected: ["tier1", "tier2"],
    got: () => order({ tier1: ["tier1", "tier2", "tier2"], tier2: ["tier1", "tier2"], tier9: [] }),
    likely: "A placement that was asked already is asked again.",
    lookAt: lookAtChain,
    hint: 3,
  });
});

test("the walk goes level by level, however the lists cross", async () => {
  const chains = {
    origin: ["a", "b"],
    f: ["constructor"],
    e: ["g"],
    d: ["b", "f"],
    c: ["f", "origin"],
    b: ["d", "e", "a"],
    a: ["c", "d"],
    g: undefined,
    constructor: ["c", "h"],
    h: ["not-in-the-table", "a"],
  };
  await check({
    sent: "origin → a, b; a → c, d; b → d, e, a; c → f, origin; d → b, f; e → g; f → constructor; g without a list; constructor → c, h; h → not-in-the-table, a; all down. Who is asked",
    expected: ["origin", "a", "b", "c", "d", "e", "f", "g", "constructor", "h"],
    got: () => order(chains),
    likely:
      "Nearest first: the origin names a and b; these name c, d and e; these name f and g. A name that the table does not have is nobody.",
    lookAt: lookAtChain,
    hint: 3,
  });
});

test("each placement is asked at most once, and not again after it has taken the request", async () => {
  await check({
    sent: "tier1 → tier2, tier3; tier1 is down, the others are up",
    expected: { serves: "tier2", asked: ["tier1", "tier2"] },
    got: () => {
      const { serves, asked } = choose({ tier1: ["tier2", "tier3"], tier2: [], tier3: [] }, { tier1: down });
      return { serves, asked };
    },
    likely: "Each question takes a permit, and a second one is never given back.",
    lookAt: lookAtChoice,
  });
});

test("from and reason are the origin's, skipped names everybody before the target", async () => {
  for (const reason of ["circuit-open", "connect-failed", "unhealthy"] as const) {
    const other = reason === "unhealthy" ? "circuit-open" : "unhealthy";
    await check<object>({
      sent: `tier1 → tier2, tier3; tier1 refuses with ${reason}, tier2 with ${other}, tier3 is up`,
      expected: {
        kind: "fallback",
        target: "tier3",
        from: "tier1",
        reason,
        skipped: [`tier1 ${reason}`, `tier2 ${other}`],
      },
      got: () => {
        const chains = { tier1: ["tier2", "tier3"], tier2: [], tier3: [] };
        return told(choose(chains, { tier1: { reason }, tier2: { reason: other } }).choice);
      },
      likely: "The client wants to know why its own placement did not serve.",
      lookAt: lookAtChoice,
      hint: 2,
    });
  }
});

test("when nobody takes it, the reason is the origin's and the wait the shortest", async () => {
  const words = (waits: readonly (number | undefined)[]) =>
    waits.map((wait) => (wait === undefined ? "not said" : `${wait} ms`)).join(", ");
  for (const [waits, shortest] of [
    [[5000, 800, 3000], 800],
    [[700, 800, 3000], 700],
    [[5000, undefined, 4000], 4000],
    [[undefined, 800, undefined], 800],
    [[300, undefined, undefined], 300],
    [[600, 0, 900], 0],
    [[undefined, undefined, undefined], undefined],
  ] as const) {
    await check<object>({
      sent: `tier1 → tier2, tier3; the circuits of tier1 and tier2 are open and tier3 is overloaded; they may take one again in: ${words(waits)}`,
      expected: {
        kind: "none",
        reason: "circuit-open",
        retryAfterMs: shortest,
        skipped: ["tier1 circuit-open", "tier2 circuit-open", "tier3 overloaded"],
      },
      got: () => {
        const [first, second, third] = waits;
        const { choice } = choose(
          { tier1: ["tier2", "tier3"], tier2: [], tier3: [] },
          {
            tier1: { reason: "circuit-open", retryAfterMs: first },
            tier2: { reason: "circuit-open", retryAfterMs: second },
            tier3: { reason: "overloaded", retryAfterMs: third },
          },
        );
        return told(choice);
      },
      likely:
        "The reason is the origin's. The wait is the shortest that was named; 0 is a wait, and undefined is none.",
      lookAt: lookAtChoice,
    });
  }
});
