import { test } from "vitest";
import type { Placement, RoutingTable } from "../../../../stages/m2/src/routing-table.ts";
import { check, ifGot, within } from "../../../support/check.ts";
import { type Served, serveRequest } from "../starter/serve-request.ts";
import { type Snapshot, TableStore } from "../starter/table-store.ts";

const lookAt = "table-store.ts, swap";
const lookAtRequest = "serve-request.ts, serveRequest";

/** A table that sends `acme` to one placement, and everybody else to another. */
function tableWith(
  version: string,
  kind: Placement["kind"],
  acmesName: string,
  othersName: string,
): RoutingTable {
  const placementOf = (name: string): Placement => ({ name, kind, url: `http://${name}.example` });
  const [acmes, others] = [placementOf(acmesName), placementOf(othersName)];
  return {
    version,
    defaultPlacement: others,
    placements: new Map([acmes, others].map((placement) => [placement.name, placement])),
    placementByKey: new Map([["acme", acmes]]),
  };
}

const monday = () => tableWith("monday", "tier", "tier1", "tier3");
const tuesday = () => tableWith("tuesday", "dedicated", "tier2", "tier4");

const words = (snapshot: Snapshot | undefined): string => {
  if (snapshot === undefined) return "none";
  const { version, placementByKey, defaultPlacement } = snapshot.table;
  return `${snapshot.sequence}: ${version}, acme on ${placementByKey.get("acme")?.name}, others on ${defaultPlacement.name}`;
};
const first = "1: monday, acme on tier1, others on tier3";
const second = "2: tuesday, acme on tier2, others on tier4";

function storeWith(table: RoutingTable): TableStore {
  const store = new TableStore();
  store.swap(table);
  return store;
}

test("before the first table there is no snapshot, and the first one has the number 1", async () => {
  await check({
    sent: "current(), swap(monday), current(), swap(tuesday), current(), and swap(tuesday) again",
    expected: ["none", first, first, second, second, second.replace("2:", "3:")],
    got: () => {
      const store = new TableStore();
      const before = words(store.current());
      const swapped = [monday(), tuesday()].flatMap((table) => [
        words(store.swap(table)),
        words(store.current()),
      ]);
      return [before, ...swapped, words(store.swap(tuesday()))];
    },
    likely: ifGot(
      [(got) => got[0] !== "none", "There is a snapshot before the first table."],
      [
        (got) => got[1] !== got[2] || got[3] !== got[4],
        "swap() and current() do not return the same snapshot.",
      ],
      [(got) => got[1]?.startsWith("1:") === false, "The first table does not have the number 1."],
      [(got) => got[5]?.startsWith("3:") === false, "The third swap does not have the number 3."],
    ),
    lookAt,
  });
});

test("a snapshot that somebody holds stays what it was when the table is swapped", async () => {
  await check({
    sent: "swap(monday); held = current(); swap(tuesday); then what is held, and what is current",
    expected: { held: first, current: second },
    got: () => {
      const store = storeWith(monday());
      const held = store.current();
      store.swap(tuesday());
      return { held: words(held), current: words(store.current()) };
    },
    likely: ifGot(
      [({ held }) => held === second, "The snapshot that was held now reads like the new one."],
      [({ held }) => held !== first, "The snapshot that was held has changed since it was taken."],
      [({ current }) => current !== second, "The snapshot in use is not the table that was swapped in."],
    ),
    lookAt,
    hint: 1,
  });
});

test("a subscriber is given the new snapshot and the old one, and can compare them", async () => {
  await check({
    sent: "subscribe(…), swap(monday), swap(tuesday)",
    expected: [`${first} after none`, `${second} after ${first}`],
    got: () => {
      const store = new TableStore();
      const told: string[] = [];
      store.subscribe((next, previous) => void told.push(`${words(next)} after ${words(previous)}`));
      store.swap(monday());
      store.swap(tuesday());
      return told;
    },
    likely: ifGot(
      [(got) => got.length !== 2, "The subscriber was not told once for each swap."],
      [
        (got) => got[1]?.endsWith(`after ${second}`) === true,
        "At the second swap, the old snapshot reads like the new one: the subscriber finds no difference.",
      ],
      [
        (got) => got[1]?.endsWith(`after ${first}`) === false,
        "At the second swap, the old snapshot is no longer what it was.",
      ],
    ),
    lookAt,
    hint: 1,
  });
});

test("a subscriber that reads the store finds the snapshot that it was told of", async () => {
  await check({
    sent: "subscribe((next) => next === current()), swap(monday), swap(tuesday)",
    expected: [true, true],
    got: () => {
      const store = new TableStore();
      const found: boolean[] = [];
      store.subscribe((next) => void found.push(next === store.current()));
      store.swap(monday());
      store.swap(tuesday());
      return found;
    },
    likely: ifGot(
      [
        (got) => got.includes(false),
        "While the subscriber is told of one snapshot, current() returns another.",
      ],
      [(got) => got.length !== 2, "The subscriber was not told once for each swap."],
    ),
    lookAt,
  });
});

test("between two swaps every reader has the same snapshot", async () => {
  await check({
    sent: "snapshot = swap(monday), then current() twice; and the table in it",
    expected: { sameSnapshot: true, sameTable: true },
    got: () => {
      const store = new TableStore();
      const table = monday();
      const snapshot = store.swap(table);
      const read = [store.current(), store.current()];
      return { sameSnapshot: read.every((each) => each === snapshot), sameTable: snapshot.table === table };
    },
    likely: ifGot(
      [({ sameSnapshot }) => !sameSnapshot, "current() returns another object than swap() did."],
      [
        ({ sameTable }) => !sameTable,
        "The table in the snapshot is another object than the one that was swapped in.",
      ],
    ),
    lookAt: "table-store.ts, swap and current",
  });
});

test("a subscription that has ended hears of no swap", async () => {
  await check({
    sent: "end = subscribe(…), and a second subscriber; swap(monday), end(), swap(tuesday)",
    expected: { ended: [first], other: [first, second] },
    got: () => {
      const store = new TableStore();
      const told: { ended: string[]; other: string[] } = { ended: [], other: [] };
      const end = store.subscribe((next) => void told.ended.push(words(next)));
      store.subscribe((next) => void told.other.push(words(next)));
      store.swap(monday());
      end();
      store.swap(tuesday());
      return told;
    },
    likely: ifGot(
      [
        ({ ended }) => ended.length > 1,
        "The subscriber was told of a swap after its subscription had ended.",
      ],
      [({ other }) => other.length < 2, "Ending one subscription cut the other one off."],
    ),
    lookAt: "table-store.ts, subscribe",
  });
});

test("a subscriber hears of later swaps only", async () => {
  await check({
    sent: "swap(monday), subscribe(…), swap(tuesday)",
    expected: [second],
    got: () => {
      const store = storeWith(monday());
      const told: string[] = [];
      store.subscribe((next) => void told.push(words(next)));
      store.swap(tuesday());
      return told;
    },
    likely: ifGot(
      [(got) => got[0] === first, "The subscriber was told of the table that was there before it."],
      [(got) => got.length === 0, "The subscriber was not told of the swap that came after it."],
    ),
    lookAt: "table-store.ts, subscribe and swap",
  });
});

interface UnderWay {
  readonly served: Served | undefined;
  /** The endpoints that got the request. */
  readonly asked: readonly string[];
}

/** A cell that takes its time: it answers when `release` is called. */
function slowCell() {
  const asked: string[] = [];
  const { promise: free, resolve: release } = Promise.withResolvers<void>();
  const ask = async ({ name, url }: Placement): Promise<string> => {
    // A router that asks again and again must not hold the test up.
    if (asked.push(url) > 3) throw new Error("the cell was asked more than 3 times");
    await free;
    return `from ${name}`;
  };
  return { asked, ask, release };
}

/** Serves a request whose cell takes its time: the table is swapped before the cell answers. */
async function swappedUnderWay(store: TableStore, routingKey = "acme"): Promise<UnderWay> {
  const { asked, ask, release } = slowCell();
  const serving = serveRequest(store, routingKey, ask);
  store.swap(tuesday());
  release();
  return { served: await within(1_000, "the request to end", serving), asked };
}

test("without a table nobody is asked", async () => {
  await check({
    sent: 'a request for "acme" before the first table; the first one comes a moment later',
    expected: { served: undefined, asked: [] },
    got: () => swappedUnderWay(new TableStore()),
    likely: (came) => {
      if (came.kind === "silent") return "Without a table, the request did not end.";
      return ifGot<UnderWay>([
        ({ asked }) => asked.length > 0,
        "A cell was asked, with a table that came after the request.",
      ])(came);
    },
    lookAt: lookAtRequest,
  });
});

test("a request under way ends with the table with which it began", async () => {
  for (const [routingKey, name, reason] of [
    ["acme", "tier1", "tier"],
    ["umbrella", "tier3", "default"],
  ] as const) {
    await check({
      sent: `a request for "${routingKey}" under monday; swap(tuesday) while its cell works; then the cell answers`,
      expected: { response: `from ${name}`, routedTo: name, reason, version: "monday" },
      got: async () => {
        const { served } = await swappedUnderWay(storeWith(monday()), routingKey);
        return {
          response: served?.response,
          routedTo: served?.routedTo,
          reason: served?.reason,
          version: served?.version,
        };
      },
      likely: ifGot(
        [
          ({ response, routedTo, version }) =>
            response === `from ${name}` && (routedTo !== name || version !== "monday"),
          "The response comes from one table, but what is said about it comes from another.",
        ],
        [
          ({ response = "" }) => ["from tier2", "from tier4"].includes(response),
          "The request was answered by the table that came while it was under way.",
        ],
      ),
      lookAt: lookAtRequest,
      hint: 2,
    });
  }
});

test("the number that is logged is that of the table that was used", async () => {
  await check({
    sent: 'a request for "acme" under the first table; the second is swapped in before its cell answers',
    expected: 1,
    got: async () => (await swappedUnderWay(storeWith(monday()))).served?.sequence,
    likely: ifGot([
      (got) => got === 2,
      "The number is that of the table which came while the request was under way.",
    ]),
    lookAt: "serve-request.ts, serveRequest; table-store.ts, swap",
    hint: 3,
  });
});

test("two requests under way keep a table each", async () => {
  await check({
    sent: 'a request for "acme" under monday; swap(tuesday); another one, which ends first; then the first ends',
    expected: { first: "monday, 1, tier1", second: "tuesday, 2, tier2" },
    got: async () => {
      const store = storeWith(monday());
      const cells = [slowCell(), slowCell()] as const;
      const firstServing = serveRequest(store, "acme", cells[0].ask);
      store.swap(tuesday());
      const secondServing = serveRequest(store, "acme", cells[1].ask);
      const said = async (serving: Promise<Served | undefined>) => {
        const served = await within(1_000, "the request to end", serving);
        return `${served?.version}, ${served?.sequence}, ${served?.routedTo}`;
      };
      cells[1].release();
      const later = await said(secondServing);
      cells[0].release();
      return { first: await said(firstServing), second: later };
    },
    likely: ifGot(
      [
        (got) => got.first === "tuesday, 2, tier2",
        "The first request ended with the table of the second one.",
      ],
      [(got) => got.first !== "monday, 1, tier1", "What is said about the first request mixes two tables."],
      [
        (got) => got.second !== "tuesday, 2, tier2",
        "What is said about the second request is not all from the new table, which was in use when it began.",
      ],
    ),
    lookAt: lookAtRequest,
    hint: 2,
  });
});

test("a swap does not send a request a second time", async () => {
  await check({
    sent: 'a request for "acme" under monday; swap(tuesday) while its cell works',
    expected: ["http://tier1.example"],
    got: async () => (await swappedUnderWay(storeWith(monday()))).asked,
    likely: ifGot(
      [(got) => got.length > 1, "The request was sent more than once: one order became two."],
      [
        (got) => got[0] === "http://tier2.example",
        "The request was sent to the placement of the later table.",
      ],
    ),
    lookAt: lookAtRequest,
  });
});

test("a request whose cell fails is not sent again", async () => {
  for (const swaps of [false, true]) {
    await check({
      sent: `a request for "acme" under monday; ${swaps ? "swap(tuesday); then" : "then"} its cell fails with "reset"`,
      expected: { outcome: "failed: reset", asked: ["http://tier1.example"] },
      got: async () => {
        const store = storeWith(monday());
        const { asked, ask, release } = slowCell();
        const serving = serveRequest(store, "acme", async (placement) => {
          await ask(placement);
          throw new Error("reset");
        });
        const outcome = serving.then(
          () => "served",
          (error: Error) => `failed: ${error.message}`,
        );
        if (swaps) store.swap(tuesday());
        release();
        return { outcome: await within(1_000, "the request to end", outcome), asked };
      },
      likely: ifGot(
        [
          ({ asked }) => asked.length > 1,
          "The request was sent again after the cell had failed: one order may become two.",
        ],
        [
          ({ asked }) => asked[0] === "http://tier2.example",
          "The request was sent to the placement of the later table.",
        ],
        [({ outcome }) => outcome === "served", "The cell failed, but the request counts as served."],
      ),
      lookAt: lookAtRequest,
    });
  }
});

test("a request that begins after the swap uses the new table", async () => {
  await check({
    sent: 'swap(monday), a request for "acme", swap(tuesday), then another request for "acme"',
    expected: {
      response: "from tier2",
      routedTo: "tier2",
      reason: "dedicated",
      version: "tuesday",
      sequence: 2,
    },
    got: async () => {
      const store = storeWith(monday());
      const serve = () =>
        within(
          1_000,
          "the request to end",
          serveRequest(store, "acme", async ({ name }) => `from ${name}`),
        );
      await serve();
      store.swap(tuesday());
      return await serve();
    },
    likely: ifGot(
      [
        (got) => got?.response === "from tier1",
        "The second request was sent to the placement of the old table.",
      ],
      [
        (got) => got?.version === "monday" || got?.sequence === 1,
        "What is said about the second request is from the old table.",
      ],
    ),
    lookAt: lookAtRequest,
  });
});
