import { test } from "vitest";
import type { RoutingTable } from "../../../../stages/m2/src/routing-table.ts";
import { check, within } from "../../../support/check.ts";
import { type Served, serveRequest } from "../starter/serve-request.ts";
import { type Snapshot, TableStore } from "../starter/table-store.ts";

const lookAt = "table-store.ts, swap";
const lookAtRequest = "serve-request.ts, serveRequest";

/** A table that sends `acme`, and everybody else, to the named placement. */
function tableWith(version: string, placementOfAcme: string): RoutingTable {
  const placement = {
    name: placementOfAcme,
    kind: "tier" as const,
    url: `http://${placementOfAcme}.example`,
  };
  return {
    version,
    defaultPlacement: placement,
    placements: new Map([[placement.name, placement]]),
    placementByKey: new Map([["acme", placement]]),
  };
}

const monday = tableWith("monday", "tier1");
const tuesday = tableWith("tuesday", "tier2");

const words = (snapshot: Snapshot | undefined): string =>
  snapshot === undefined ? "none" : `${snapshot.sequence}: ${snapshot.table.version}`;

test("before the first table there is no snapshot, and the first one has the number 1", async () => {
  await check({
    sent: "current(), swap(monday), current(), swap(tuesday), current()",
    expected: ["none", "1: monday", "1: monday", "2: tuesday", "2: tuesday"],
    got: () => {
      const store = new TableStore();
      const before = words(store.current());
      const swapped = [monday, tuesday].flatMap((table) => [
        words(store.swap(table)),
        words(store.current()),
      ]);
      return [before, ...swapped];
    },
    likely: "The store does not count its tables.",
    lookAt,
  });
});

test("a snapshot that somebody holds stays what it was when the table is swapped", async () => {
  await check({
    sent: "swap(monday); held = current(); swap(tuesday); then what is held, and what is current",
    expected: { held: "1: monday", current: "2: tuesday" },
    got: () => {
      const store = new TableStore();
      store.swap(monday);
      const held = store.current();
      store.swap(tuesday);
      return { held: words(held), current: words(store.current()) };
    },
    likely: "Somebody else's table was changed while it was in use.",
    lookAt,
    hint: 1,
  });
});

test("a subscriber is given the new snapshot and the old one, and can compare them", async () => {
  await check({
    sent: "subscribe(…), swap(monday), swap(tuesday)",
    expected: ["1: monday after none", "2: tuesday after 1: monday"],
    got: () => {
      const store = new TableStore();
      const told: string[] = [];
      store.subscribe((next, previous) => void told.push(`${words(next)} after ${words(previous)}`));
      store.swap(monday);
      store.swap(tuesday);
      return told;
    },
    likely:
      "The old and the new one are one object. Whoever closes what has been removed finds no difference.",
    lookAt,
    hint: 1,
  });
});

test("a subscriber that reads the store finds the snapshot that it was told of", async () => {
  await check({
    sent: "subscribe(() => current()), swap(monday), swap(tuesday)",
    expected: ["1: monday", "2: tuesday"],
    got: () => {
      const store = new TableStore();
      const found: string[] = [];
      store.subscribe(() => void found.push(words(store.current())));
      store.swap(monday);
      store.swap(tuesday);
      return found;
    },
    likely: "A subscriber hears of a table that is not in use yet.",
    lookAt,
  });
});

test("between two swaps every reader has the same snapshot", async () => {
  await check({
    sent: "swap(monday), then current() === current()",
    expected: true,
    got: () => {
      const store = new TableStore();
      store.swap(monday);
      const [one, other] = [store.current(), store.current()];
      return one === other;
    },
    likely: "Each request gets a table of its own, which may have 100,000 keys.",
    lookAt: "table-store.ts, current",
  });
});

test("who has ended the subscription is told no more", async () => {
  await check({
    sent: "end = subscribe(…), swap(monday), end(), swap(tuesday)",
    expected: ["1: monday"],
    got: () => {
      const store = new TableStore();
      const told: string[] = [];
      const end = store.subscribe((next) => void told.push(words(next)));
      store.swap(monday);
      end();
      store.swap(tuesday);
      return told;
    },
    likely: "The subscription cannot be ended.",
    lookAt: "table-store.ts, subscribe",
  });
});

interface UnderWay {
  readonly served: Served | undefined;
  /** Names of the placements whose cells got the request. */
  readonly asked: readonly string[];
}

/** Serves a request for acme whose cell takes its time: the table is swapped before the cell answers. */
async function swappedUnderWay(store: TableStore): Promise<UnderWay> {
  const asked: string[] = [];
  let release = () => {};
  const free = new Promise<void>((resolve) => {
    release = resolve;
  });
  const serving = serveRequest(store, "acme", async ({ name }) => {
    // A router that asks again and again must not hold the test up.
    if (asked.push(name) > 3) throw new Error("the cell was asked more than 3 times");
    await free;
    return `from ${name}`;
  });
  store.swap(tuesday);
  release();
  return { served: await within(1_000, "the request to end", serving), asked };
}

function storeWith(table: RoutingTable): TableStore {
  const store = new TableStore();
  store.swap(table);
  return store;
}

test("without a table nobody is asked", async () => {
  await check({
    sent: 'a request for "acme" before the first table; the first one comes a moment later',
    expected: { served: undefined, asked: [] },
    got: () => swappedUnderWay(new TableStore()),
    likely: "The request waited for a table, or was served without one.",
    lookAt: lookAtRequest,
  });
});

test("a request under way ends with the table with which it began", async () => {
  await check({
    sent: 'a request for "acme" under monday; swap(tuesday) while its cell works; then the cell answers',
    expected: { answer: "from tier1", routedTo: "tier1", version: "monday" },
    got: async () => {
      const { served } = await swappedUnderWay(storeWith(monday));
      return { answer: served?.answer, routedTo: served?.routedTo, version: served?.version };
    },
    likely: "The answer is from one table, and what is said about it from another.",
    lookAt: lookAtRequest,
    hint: 2,
  });
});

test("the number that is logged is that of the table that was used", async () => {
  await check({
    sent: 'a request for "acme" under the first table; the second is swapped in before its cell answers',
    expected: 1,
    got: async () => (await swappedUnderWay(storeWith(monday))).served?.sequence,
    likely: "The number was read, or changed, after the request had begun.",
    lookAt: "serve-request.ts, serveRequest; table-store.ts, swap",
    hint: 3,
  });
});

test("a swap does not send a request a second time", async () => {
  await check({
    sent: 'a request for "acme" under monday; swap(tuesday) while its cell works',
    expected: ["tier1"],
    got: async () => (await swappedUnderWay(storeWith(monday))).asked,
    likely: "One order became two.",
    lookAt: lookAtRequest,
  });
});

test("a request that begins after the swap uses the new table", async () => {
  await check({
    sent: 'swap(monday), swap(tuesday), then a request for "acme"',
    expected: { answer: "from tier2", routedTo: "tier2", reason: "tier", version: "tuesday", sequence: 2 },
    got: async () => {
      const store = storeWith(monday);
      store.swap(tuesday);
      const serving = serveRequest(store, "acme", async ({ name }) => `from ${name}`);
      return await within(1_000, "the request to end", serving);
    },
    likely: "A table is remembered beyond the request that read it.",
    lookAt: lookAtRequest,
  });
});
