import { test } from "vitest";
import { check } from "../../../support/check.ts";
import { type ChainedPlacement, chooseTarget, type Refusal } from "../starter/failover.ts";

const lookAtChain = "failover.ts, fallbackChain";
const lookAtChoice = "failover.ts, chooseTarget";

/** name → what it names as fallback; a name that ends in `-cell` is a dedicated one. The order is the table's. */
type Chains = Readonly<Record<string, readonly string[]>>;

const downEverywhere: Refusal = { reason: "unhealthy" };

/** Chooses for the first placement of `chains`. `refusals`: who does not take it, and why; the others do. */
function choose(chains: Chains, refusals: Readonly<Record<string, Refusal>>) {
  const placements = new Map<string, ChainedPlacement>();
  for (const [name, fallback] of Object.entries(chains)) {
    placements.set(name, { name, kind: name.endsWith("-cell") ? "dedicated" : "tier", fallback });
  }
  const asked: string[] = [];
  const [origin] = placements.values();
  if (origin === undefined) throw new Error("no placement");
  const choice = chooseTarget({ placements }, origin, (placement) => {
    asked.push(placement.name);
    if (asked.length > 20) throw new Error(`asked without end: ${asked.slice(0, 8).join(", ")} …`);
    return refusals[placement.name];
  });
  const serves = choice.kind === "none" ? "nobody" : choice.target.name;
  return { choice, asked, serves };
}

/** Who is asked, in order, when nobody takes it. */
function order(chains: Chains): string[] {
  const refusals = Object.fromEntries(Object.keys(chains).map((name) => [name, downEverywhere]));
  return choose(chains, refusals).asked;
}

test("an origin that takes the request serves it, and nobody else is asked", async () => {
  await check({
    sent: "visa-cell → tier1, both well",
    expected: { serves: "visa-cell", asked: ["visa-cell"] },
    got: () => {
      const { serves, asked } = choose({ "visa-cell": ["tier1"], tier1: [] }, {});
      return { serves, asked };
    },
    likely: "Failover is for a request that its own placement does not take.",
    lookAt: lookAtChoice,
  });
});

test("the stand-ins are asked in the order in which the origin names them", async () => {
  await check({
    sent: "visa-cell → tier2, tier1; in the table, tier1 stands first. Who is asked when nobody takes it",
    expected: ["visa-cell", "tier2", "tier1"],
    got: () => order({ "visa-cell": ["tier2", "tier1"], tier1: [], tier2: [] }),
    likely: "The order is that of the table and not that of the chain.",
    lookAt: lookAtChain,
    hint: 1,
  });
});

test("a placement that the chain does not name never serves", async () => {
  await check({
    sent: "visa-cell → tier1, both down; tier3 is well and in no chain",
    expected: "nobody",
    got: () =>
      choose(
        { "visa-cell": ["tier1"], tier1: [], tier3: [] },
        { "visa-cell": downEverywhere, tier1: downEverywhere },
      ).serves,
    likely: "Some placement that happened to be well was chosen, and its tenants now share the trouble.",
    lookAt: lookAtChain,
    hint: 1,
  });
});

test("an overloaded origin does not fail over", async () => {
  await check({
    sent: "tier1 → tier2; tier1 is overloaded, tier2 is well",
    expected: { serves: "nobody", reason: "overloaded", asked: ["tier1"] },
    got: () => {
      const { choice, asked, serves } = choose(
        { tier1: ["tier2"], tier2: [] },
        { tier1: { reason: "overloaded" } },
      );
      return { serves, reason: choice.kind === "origin" ? "" : (choice.reason as string), asked };
    },
    likely: "The flood that the limit has stopped goes on to the next placement.",
    lookAt: lookAtChoice,
    hint: 2,
  });
});

test("a dedicated cell never stands in, even if the table names it", async () => {
  await check({
    sent: "visa-cell → acme-cell, tier1; visa-cell is down, the others are well",
    expected: { serves: "tier1", asked: ["visa-cell", "tier1"] },
    got: () => {
      const chains = { "visa-cell": ["acme-cell", "tier1"], "acme-cell": [], tier1: [] };
      const { serves, asked } = choose(chains, { "visa-cell": downEverywhere });
      return { serves, asked };
    },
    likely: "One tenant's requests reached another tenant's cell.",
    lookAt: lookAtChain,
    hint: 2,
  });
});

test("a stand-in's own stand-ins come next", async () => {
  await check({
    sent: "visa-cell → tier1 → tier2 → tier3, all down; tier0 is in no chain. Who is asked",
    expected: ["visa-cell", "tier1", "tier2", "tier3"],
    got: () => order({ "visa-cell": ["tier1"], tier0: [], tier1: ["tier2"], tier2: ["tier3"], tier3: [] }),
    likely: "The chain ends with the origin's own list, or follows something else than the lists.",
    lookAt: lookAtChain,
    hint: 3,
  });
});

test("what the origin names itself comes before what its stand-ins name", async () => {
  await check({
    sent: "visa-cell → tier1, tier2; tier1 → tier3; all down. Who is asked",
    expected: ["visa-cell", "tier1", "tier2", "tier3"],
    got: () => order({ "visa-cell": ["tier1", "tier2"], tier3: [], tier1: ["tier3"], tier2: [] }),
    likely:
      "tier3 is asked although tier2, which the origin chose itself, has not been asked yet; or not at all.",
    lookAt: lookAtChain,
    hint: 3,
  });
});

test("a chain that leads back ends, and asks each placement once", async () => {
  await check({
    sent: "tier1 → tier2, tier2 → tier1 and tier2; tier9 is in no chain; all down. Who is asked",
    expected: ["tier1", "tier2"],
    got: () => order({ tier1: ["tier2", "tier2"], tier2: ["tier1", "tier2"], tier9: [] }),
    likely: "Somebody who has been asked already is asked again.",
    lookAt: lookAtChain,
    hint: 3,
  });
});

test("each placement is asked at most once, and not again after it has taken the request", async () => {
  await check({
    sent: "tier1 → tier2, tier3; tier1 is down, the others are well",
    expected: { serves: "tier2", asked: ["tier1", "tier2"] },
    got: () => {
      const { serves, asked } = choose(
        { tier1: ["tier2", "tier3"], tier2: [], tier3: [] },
        { tier1: downEverywhere },
      );
      return { serves, asked };
    },
    likely: "To be asked takes a permit; the second one is never given back.",
    lookAt: lookAtChoice,
  });
});

test("from and reason are the origin's, skipped names everybody before the target", async () => {
  await check({
    sent: "tier1 → tier2, tier3; tier1's circuit is open, tier2 is unhealthy, tier3 is well",
    expected: {
      target: "tier3",
      from: "tier1",
      reason: "circuit-open",
      skipped: ["tier1 circuit-open", "tier2 unhealthy"],
    },
    got: () => {
      const chains = { tier1: ["tier2", "tier3"], tier2: [], tier3: [] };
      const { choice } = choose(chains, { tier1: { reason: "circuit-open" }, tier2: downEverywhere });
      const skipped = choice.skipped.map((each) => `${each.placement} ${each.reason}`);
      if (choice.kind !== "fallback") return { target: choice.kind, from: "", reason: "", skipped };
      return { target: choice.target.name, from: choice.from.name, reason: choice.reason as string, skipped };
    },
    likely: "The client wants to know why its own placement did not serve.",
    lookAt: lookAtChoice,
    hint: 2,
  });
});

test("when nobody takes it, the reason is the origin's and the wait the shortest", async () => {
  await check({
    sent: "tier1 → tier2, tier3; circuits open for 5,000 ms and 800 ms, tier3 overloaded for 3,000 ms",
    expected: { kind: "none", reason: "circuit-open", retryAfterMs: 800 },
    got: () => {
      const { choice } = choose(
        { tier1: ["tier2", "tier3"], tier2: [], tier3: [] },
        {
          tier1: { reason: "circuit-open", retryAfterMs: 5000 },
          tier2: { reason: "circuit-open", retryAfterMs: 800 },
          tier3: { reason: "overloaded", retryAfterMs: 3000 },
        },
      );
      if (choice.kind !== "none") return { kind: choice.kind as string, reason: "", retryAfterMs: undefined };
      return {
        kind: choice.kind as string,
        reason: choice.reason as string,
        retryAfterMs: choice.retryAfterMs,
      };
    },
    likely: "The wait or the reason is that of whoever was asked last.",
    lookAt: lookAtChoice,
  });
});
