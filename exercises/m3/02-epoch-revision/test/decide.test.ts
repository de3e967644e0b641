import { test } from "vitest";
import { check } from "../../../support/check.ts";
import { decide, type Examined, type Position } from "../starter/protocol.ts";

const lookAt = "protocol.ts, decide";
const sum = (digit: string) => digit.repeat(64);

/** A position whose table has the content named by one hex digit. */
function at(epoch: string, revision: number, content = "a"): Position {
  return { epoch, revision, checksum: sum(content) };
}

function tableWith(content: string): Examined {
  const tier1 = { name: "tier1", kind: "tier", url: "http://127.0.0.1:9001" } as const;
  const table = {
    version: "1",
    defaultPlacement: tier1,
    placements: new Map([["tier1", tier1]]),
    placementByKey: new Map(),
  };
  return { ok: true, table, checksum: sum(content) };
}

interface Asked {
  readonly held: Position | undefined;
  readonly offered: Position;
  readonly left?: readonly string[];
  readonly examined?: Examined;
}

/** Asks as the router does: without the table first, and with it only if it is wanted. */
function ask({ held, offered, left = [], examined }: Asked): string {
  const epochs = new Set(left);
  const first = decide(held, offered, epochs);
  if (first.kind !== "examine") return words(first);
  const table = examined ?? tableWith(offered.checksum.slice(0, 1));
  return `examine, then ${words(decide(held, offered, epochs, table))}`;
}

function words(verdict: ReturnType<typeof decide>): string {
  return verdict.kind === "ignore" ? `ignore: ${verdict.why}` : verdict.kind;
}

test("the first snapshot, and every higher revision, is examined and applied", async () => {
  await check({
    sent: "k/1 to a router with nothing; k/2, and then k/900, to a router at k/1 (epoch/revision)",
    expected: ["examine, then apply", "examine, then apply", "examine, then apply"],
    got: () => [
      ask({ held: undefined, offered: at("k", 1) }),
      ask({ held: at("k", 1), offered: at("k", 2, "b") }),
      ask({ held: at("k", 1), offered: at("k", 900, "b") }),
    ],
    likely: "Revisions in between need not come: a snapshot is whole.",
    lookAt,
  });
});

test("a lower revision of the same epoch is ignored unread", async () => {
  await check({
    sent: "k/1 to a router at k/2: once with the same content, once with other content",
    expected: ["ignore: older", "ignore: older"],
    got: () => [
      ask({ held: at("k", 2), offered: at("k", 1) }),
      ask({ held: at("k", 2), offered: at("k", 1, "b") }),
    ],
    likely: "A late message takes the table back to where it was before.",
    lookAt,
    hint: 2,
  });
});

test("the same position again is ignored unread", async () => {
  await check({
    sent: "k/2 to a router at k/2, with the same content",
    expected: "ignore: same",
    got: () => ask({ held: at("k", 2), offered: at("k", 2) }),
    likely: "A repeated message is no news and no fault.",
    lookAt,
    hint: 2,
  });
});

test("the same revision with other content is refused", async () => {
  await check({
    sent: "k/57 with checksum bbb… to a router at k/57 with checksum aaa…",
    expected: "nack",
    got: () => ask({ held: at("k", 57, "a"), offered: at("k", 57, "b") }),
    likely: "One revision of one epoch stands for two tables, and nobody is told.",
    lookAt,
    hint: 3,
  });
});

test("a higher revision is taken also when its content is the same", async () => {
  await check({
    sent: "k/3 to a router at k/2, then m/3 to a router at k/2: the same content all the time",
    expected: ["examine, then apply", "examine, then apply"],
    got: () => [
      ask({ held: at("k", 2), offered: at("k", 3) }),
      ask({ held: at("k", 2), offered: at("m", 3) }),
    ],
    likely: "Content stands in for the position, and the router stays at a revision that is over.",
    lookAt,
  });
});

test("a new epoch is taken, however low its revision is", async () => {
  await check({
    sent: "m/41 and then b/41 to a router at k/900",
    expected: ["examine, then apply", "examine, then apply"],
    got: () => [
      ask({ held: at("k", 900), offered: at("m", 41, "b") }),
      ask({ held: at("k", 900), offered: at("b", 41, "b") }),
    ],
    likely: "Two numbers from two different counts, or two names without an order, are compared.",
    lookAt,
    hint: 1,
  });
});

test("a new epoch with the same revision and other content is taken", async () => {
  await check({
    sent: "m/57 with checksum bbb… to a router at k/57 with checksum aaa…",
    expected: "examine, then apply",
    got: () => ask({ held: at("k", 57, "a"), offered: at("m", 57, "b") }),
    likely: "The revisions are equal, but they count different things.",
    lookAt,
    hint: 1,
  });
});

test("a snapshot of an epoch that this link has left is ignored unread", async () => {
  await check({
    sent: "k/901 to a router at m/1 whose link has left the epoch k",
    expected: "ignore: left",
    got: () => ask({ held: at("m", 1), offered: at("k", 901, "b"), left: ["k"] }),
    likely: "This message was overtaken on the way, and it brings back a history that is over.",
    lookAt,
    hint: 2,
  });
});

test("an epoch that only an earlier link has left is taken", async () => {
  await check({
    sent: "k/901 to a router at m/1 whose new link has left nothing",
    expected: "examine, then apply",
    got: () => ask({ held: at("m", 1), offered: at("k", 901, "b") }),
    likely: "On a new link the control plane may go back to an earlier epoch: it says which one is in force.",
    lookAt,
  });
});

test("a table that is invalid, or not the announced one, is refused", async () => {
  await check({
    sent: "k/2 to a router at k/1: with an invalid table, then with a table that has another checksum",
    expected: ["examine, then nack", "examine, then nack"],
    got: () => [
      ask({
        held: at("k", 1),
        offered: at("k", 2, "b"),
        examined: { ok: false, faults: ["defaultPlacement: missing"] },
      }),
      ask({ held: at("k", 1), offered: at("k", 2, "b"), examined: tableWith("c") }),
    ],
    likely: "A position may be acceptable and its table may not.",
    lookAt,
  });
});

test("a snapshot that was overtaken while its table was examined is not applied", async () => {
  await check({
    sent: "decide without a table for k/2 at k/1; meanwhile k/3 is applied; decide with the table for k/2 at k/3",
    expected: ["examine", "ignore: older"],
    got: () => [
      words(decide(at("k", 1), at("k", 2, "b"), new Set())),
      words(decide(at("k", 3, "c"), at("k", 2, "b"), new Set(), tableWith("b"))),
    ],
    likely: "The second call relies on what the first one found, and the router has moved on since.",
    lookAt,
  });
});
