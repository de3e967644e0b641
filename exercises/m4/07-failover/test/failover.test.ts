import { test } from "vitest";
import { check, shows } from "../../../support/check.ts";
import { type ChainedPlacement, chooseTarget, type Refusal, type TargetChoice } from "../starter/failover.ts";

const lookAtChain = "failover.ts, fallbackChain";
const lookAtChoice = "failover.ts, chooseTarget";

/** name → what it names as fallback; a name that ends in `-cell` is a dedicated one. The order is the table's. */
type Chains = Readonly<Record<string, readonly string[] | undefined>>;
type Refusals = Readonly<Record<string, Refusal>>;

const down: Refusal = { reason: "unhealthy" };

const twice = (names: readonly string[]) => new Set(names).size < names.length;

/** Chooses for the first placement of `chains`. `refusals`: who does not take it, and why; the others do. */
function choose(chains: Chains, refusals: Refusals) {
  const placements = new Map<string, ChainedPlacement>();
  for (const [name, fallback] of Object.entries(chains)) {
    const placement: ChainedPlacement = { name, kind: name.endsWith("-cell") ? "dedicated" : "tier" };
    placements.set(name, fallback === undefined ? placement : { ...placement, fallback });
  }
  const asked: string[] = [];
  const [primary] = placements.values();
  if (primary === undefined) throw new Error("no placement");
  const choice = chooseTarget({ placements }, primary, (placement) => {
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

interface Told {
  readonly kind: string;
  readonly target?: string;
  readonly from?: string;
  readonly reason?: string;
  readonly retryAfterMs?: number | undefined;
  readonly skipped: readonly string[];
}

/** A choice with placements as names, and only the fields that its kind has. */
function told(choice: TargetChoice<ChainedPlacement>): Told {
  const skipped = choice.skipped.map((each) => `${each.placement} ${each.reason}`);
  switch (choice.kind) {
    case "primary":
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
      return { kind: (choice satisfies never as { kind: string }).kind, skipped };
  }
}

test("a primary that takes the request serves it, and nobody else is asked", async () => {
  await check({
    sent: "visa-cell → tier1, both up",
    expected: {
      choice: { kind: "primary", target: "visa-cell", skipped: [] },
      asked: ["visa-cell"],
    },
    got: () => {
      const { choice, asked } = choose({ "visa-cell": ["tier1"], tier1: [] }, {});
      return { choice: told(choice), asked };
    },
    likely: shows((got) => {
      if (got.asked.length > 1)
        return "Somebody besides the primary was asked, or the primary more than once.";
      return got.choice.skipped.length > 0 ? "The primary serves, and counts as skipped." : undefined;
    }),
    lookAt: lookAtChoice,
  });
});

test("the fallbacks are asked in the order in which the primary names them", async () => {
  await check({
    sent: "visa-cell → tier2, tier1; in the table, tier1 comes first. Who is asked when nobody takes it",
    expected: ["visa-cell", "tier2", "tier1"],
    got: () => order({ "visa-cell": ["tier2", "tier1"], tier1: [], tier2: [] }),
    likely: shows((got) => {
      if (got.length < 3) return "Not everybody whom the primary names was asked.";
      return got[1] === "tier1"
        ? "tier1 was asked first: it comes first in the table, and last in the list."
        : undefined;
    }),
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
    likely: shows((serves) =>
      serves === "tier3"
        ? "tier3 was chosen only because it is up, and its tenants now share the trouble."
        : undefined,
    ),
    lookAt: lookAtChain,
    hint: 1,
  });
});

test("an overloaded primary does not fail over, and is itself the one that was skipped", async () => {
  await check({
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
    likely: shows(({ choice, asked }) => {
      if (choice.kind === "fallback")
        return "The flood that the limit of tier1 has stopped goes on to tier2.";
      if (asked.length > 1) return "Somebody was asked after the primary.";
      return choice.skipped.length === 0
        ? "tier1 refused the request, and nobody counts as skipped."
        : undefined;
    }),
    lookAt: lookAtChoice,
    hint: 2,
  });
});

test("an overloaded fallback is passed over like any other", async () => {
  for (const [words, chains] of [
    ["tier1 → tier2, tier3", { tier1: ["tier2", "tier3"], tier2: [], tier3: [] }],
    ["tier1 → tier2 → tier3", { tier1: ["tier2"], tier2: ["tier3"], tier3: [] }],
  ] as const) {
    await check({
      sent: `${words}; tier1 is down, tier2 is overloaded, tier3 is up`,
      expected: {
        kind: "fallback",
        target: "tier3",
        from: "tier1",
        reason: "unhealthy",
        skipped: ["tier1 unhealthy", "tier2 overloaded"],
      },
      got: () => told(choose(chains, { tier1: down, tier2: { reason: "overloaded" } }).choice),
      likely: shows((got) => {
        if (got.kind === "none") return "The search ended without asking tier3, which is up.";
        if (got.skipped.length < 2) return "Not everybody who refused counts as skipped.";
        return got.reason === "overloaded" ? "The reason is that of tier2." : undefined;
      }),
      lookAt: lookAtChoice,
      hint: 2,
    });
  }
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
    likely: shows(({ serves, asked }) => {
      if (serves === "acme-cell" || serves === "bank-cell")
        return "The request reached another tenant's cell.";
      if (twice(asked)) return "A placement was asked more than once.";
      return serves === "nobody" ? "Nobody serves, although tier1 names tier2, which is up." : undefined;
    }),
    lookAt: lookAtChain,
    hint: 2,
  });
});

test("the list of a dedicated cell that is left out is not followed", async () => {
  await check({
    sent: "tier1 → acme-cell, tier2; acme-cell → tier3; all down. Who is asked",
    expected: ["tier1", "tier2"],
    got: () => order({ tier1: ["acme-cell", "tier2"], "acme-cell": ["tier3"], tier2: [], tier3: [] }),
    likely: shows((asked) => {
      if (asked.includes("acme-cell")) return "Another tenant's cell was asked.";
      return asked.includes("tier3") ? "tier3 was asked, and only acme-cell names it." : undefined;
    }),
    lookAt: lookAtChain,
    hint: 3,
  });
});

test("a fallback's own fallbacks come next", async () => {
  await check({
    sent: "visa-cell → tier1 → tier2 → tier3, all down; tier0 is in no chain. Who is asked",
    expected: ["visa-cell", "tier1", "tier2", "tier3"],
    got: () => order({ "visa-cell": ["tier1"], tier0: [], tier1: ["tier2"], tier2: ["tier3"], tier3: [] }),
    likely: shows((asked) => {
      if (asked.includes("tier0")) return "tier0 was asked, although no list names it.";
      return asked.includes("tier3")
        ? undefined
        : `The search ended with ${asked.at(-1)}, and did not go on with its list.`;
    }),
    lookAt: lookAtChain,
    hint: 3,
  });
});

test("what the primary names itself comes before what its fallbacks name", async () => {
  await check({
    sent: "visa-cell → tier1, tier2; tier1 → tier3; all down. Who is asked",
    expected: ["visa-cell", "tier1", "tier2", "tier3"],
    got: () => order({ "visa-cell": ["tier1", "tier2"], tier3: [], tier1: ["tier3"], tier2: [] }),
    likely: shows((asked) => {
      if (!asked.includes("tier3")) return "tier3 was not asked, although tier1 names it.";
      return asked.indexOf("tier3") < asked.indexOf("tier2")
        ? "tier3 was asked before tier2, which the primary names itself."
        : undefined;
    }),
    lookAt: lookAtChain,
    hint: 3,
  });
});

test("a chain that leads back ends, and asks each placement once", async () => {
  await check({
    sent: "tier1 → tier1, tier2, tier2; tier2 → tier1 and tier2; tier9 is in no chain; all down. Who is asked",
    expected: ["tier1", "tier2"],
    got: () => order({ tier1: ["tier1", "tier2", "tier2"], tier2: ["tier1", "tier2"], tier9: [] }),
    likely: shows((asked) => {
      if (asked.includes("tier9")) return "tier9 was asked, although no list names it.";
      return twice(asked) ? "A placement was asked more than once." : undefined;
    }),
    lookAt: lookAtChain,
    hint: 3,
  });
});

test("the walk goes level by level, however the lists cross", async () => {
  const chains = {
    primary: ["a", "b"],
    f: ["constructor"],
    e: ["g"],
    d: ["b", "f"],
    c: ["f", "primary"],
    b: ["d", "e", "a"],
    a: ["c", "d"],
    g: undefined,
    constructor: ["c", "h"],
    h: ["not-in-the-table", "a"],
  };
  await check({
    sent: "primary → a, b; a → c, d; b → d, e, a; c → f, primary; d → b, f; e → g; f → constructor; g without a list; constructor → c, h; h → not-in-the-table, a; all down. Who is asked",
    expected: ["primary", "a", "b", "c", "d", "e", "f", "g", "constructor", "h"],
    got: () => order(chains),
    likely: shows((asked) => {
      if (twice(asked)) return "A placement was asked more than once.";
      if (asked.includes("c") && asked.indexOf("c") < asked.indexOf("b"))
        return "c was asked before b, which the primary names itself.";
      if (asked.includes("g") && !asked.includes("constructor"))
        return "`constructor` was left out: a name that every object has may count as one that was asked already.";
      return asked.length < 10 ? "The search ended before everybody whom a list names was asked." : undefined;
    }),
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
    likely: shows(({ asked }) => {
      if (twice(asked))
        return "A placement was asked twice: if it gives a permit each time, one of them is never given back.";
      return asked.includes("tier3") ? "tier3 was asked although tier2 had taken the request." : undefined;
    }),
    lookAt: lookAtChoice,
  });
});

test("from and reason are the primary's, skipped names everybody before the target", async () => {
  for (const reason of ["circuit-open", "connect-failed", "unhealthy"] as const) {
    const other = reason === "unhealthy" ? "circuit-open" : "unhealthy";
    await check({
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
      likely: shows((got) => {
        if (got.kind === "none") return "The search ended at somebody who refused, although tier3 is up.";
        if (got.reason === other) return "The reason is that of tier2.";
        return got.skipped.length < 2 ? "Not everybody who refused counts as skipped." : undefined;
      }),
      lookAt: lookAtChoice,
      hint: 2,
    });
  }
});

test("when nobody takes it, the reason is the primary's and the wait the shortest", async () => {
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
    await check({
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
      likely: shows(({ reason, retryAfterMs, skipped }) => {
        if (reason === "overloaded") return "The reason is that of tier3, which was asked last.";
        if (skipped.length < 3) return "Not everybody who refused counts as skipped.";
        if (retryAfterMs === undefined) return "A wait that was named is lost.";
        if (!waits.some((wait) => wait === retryAfterMs)) return "Nobody named this wait.";
        return shortest === 0
          ? "A wait of 0 ms was taken for none."
          : "A shorter wait was named than this one.";
      }),
      lookAt: lookAtChoice,
    });
  }
});
