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
  return `examine, then ${words(decide(held, offered, epochs, table), table)}`;
}

function words(verdict: ReturnType<typeof decide>, examined?: Examined): string {
  switch (verdict.kind) {
    case "ignore":
      return `ignore: ${verdict.why}`;
    case "nack":
      return verdict.reasons.some((reason) => reason !== "") ? "nack" : "nack without a reason";
    case "apply":
      return examined?.ok && verdict.table === examined.table ? "apply" : "apply, but not the examined table";
    default:
      return verdict.kind;
  }
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
    likely: "A snapshot is whole, so the revisions in between need not come.",
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
    likely: "A late message would take the table back to what it was before.",
    lookAt,
    hint: 2,
  });
});

test("the same position again is ignored unread", async () => {
  await check({
    sent: "k/2 to a router at k/2, with the same content",
    expected: "ignore: same",
    got: () => ask({ held: at("k", 2), offered: at("k", 2) }),
    likely: "A repeated message is neither new nor wrong.",
    lookAt,
    hint: 2,
  });
});

test("the same revision with other content is refused", async () => {
  await check({
    sent: "k/57 with checksum bbb… to a router at k/57 with checksum aaa…",
    expected: "nack",
    got: () => ask({ held: at("k", 57, "a"), offered: at("k", 57, "b") }),
    accept: (verdict) => verdict === "nack" || verdict === "examine, then nack",
    likely: "One revision of one epoch has two different tables here, and the control plane has to be told.",
    lookAt,
    hint: 3,
  });
});

test("a higher revision is taken even when its content is the same", async () => {
  await check({
    sent: "k/3 to a router at k/2, with the same content",
    expected: "examine, then apply",
    got: () => ask({ held: at("k", 2), offered: at("k", 3) }),
    likely: "The router has to move to the new position, although its table stays the same.",
    lookAt,
  });
});

test("a new epoch is taken, however low its revision is", async () => {
  await check({
    sent: "m/41 and then b/41 to a router at k/900; m/1 to a router at k/2",
    expected: ["examine, then apply", "examine, then apply", "examine, then apply"],
    got: () => [
      ask({ held: at("k", 900), offered: at("m", 41, "b") }),
      ask({ held: at("k", 900), offered: at("b", 41, "b") }),
      ask({ held: at("k", 2), offered: at("m", 1, "b") }),
    ],
    likely: "The revisions of two epochs are two different counts, and the names of epochs have no order.",
    lookAt,
    hint: 1,
  });
});

test("a new epoch with the same revision is taken, whatever its content is", async () => {
  await check({
    sent: "m/57 to a router at k/57 with checksum aaa…: once with checksum bbb…, once with aaa…",
    expected: ["examine, then apply", "examine, then apply"],
    got: () => [
      ask({ held: at("k", 57, "a"), offered: at("m", 57, "b") }),
      ask({ held: at("k", 57, "a"), offered: at("m", 57, "a") }),
    ],
    likely: "The revisions are equal, but they count different things: m/57 is not k/57.",
    lookAt,
    hint: 1,
  });
});

test("a snapshot of an epoch that this link has left is ignored unread", async () => {
  await check({
    sent: "k/901, and then k/1, to a router at m/2 whose link has left the epoch k",
    expected: ["ignore: left", "ignore: left"],
    got: () => [
      ask({ held: at("m", 2), offered: at("k", 901, "b"), left: ["k"] }),
      ask({ held: at("m", 2), offered: at("k", 1, "b"), left: ["k"] }),
    ],
    likely: "The message was overtaken on its way: its history is over on this link.",
    lookAt,
    hint: 2,
  });
});

test("an epoch that only an earlier link has left is taken", async () => {
  await check({
    sent: "k/901 to a router at m/1 whose new link has left nothing; k/901 to a router at m/1 whose link has left b",
    expected: ["examine, then apply", "examine, then apply"],
    got: () => [
      ask({ held: at("m", 1), offered: at("k", 901, "b") }),
      ask({ held: at("m", 1), offered: at("k", 901, "b"), left: ["b"] }),
    ],
    likely:
      "On a new link, the control plane may go back to an earlier epoch: it says which one is in force.",
    lookAt,
  });
});

test("a table that is invalid, or not the announced one, is refused", async () => {
  await check({
    sent: "k/2 to a router at k/1, to one with nothing, and to one at b/1: with an invalid table, then with a table that has another checksum",
    expected: Array.from({ length: 6 }, () => "examine, then nack"),
    got: () =>
      [at("k", 1), undefined, at("b", 1)].flatMap((held) => [
        ask({
          held,
          offered: at("k", 2, "b"),
          examined: { ok: false, faults: ["defaultPlacement: missing"] },
        }),
        ask({ held, offered: at("k", 2, "b"), examined: tableWith("c") }),
      ]),
    likely: "The position is acceptable, but its table is not.",
    lookAt,
  });
});

test("the refusal of an invalid table names its faults", async () => {
  await check({
    sent: "k/2 to a router at k/1, with a table that has two faults; the reasons",
    expected: ["defaultPlacement: missing", "version: missing"],
    got: () => {
      const examined: Examined = { ok: false, faults: ["defaultPlacement: missing", "version: missing"] };
      const verdict = decide(at("k", 1), at("k", 2, "b"), new Set(), examined);
      return verdict.kind === "nack" ? [...verdict.reasons] : words(verdict);
    },
    likely: "Whoever wrote the table needs to know what is wrong with it.",
    lookAt,
  });
});

test("a snapshot that was overtaken while its table was examined is not applied", async () => {
  await check({
    sent: "decide for k/2 at k/1, without its table; then, with it, after k/3, after k/2, and after m/1 was applied meanwhile; decide for k/2 at m/1, after k/3 was applied meanwhile",
    expected: ["examine", "ignore: older", "ignore: same", "ignore: left", "ignore: older"],
    got: () => {
      const offered = at("k", 2, "b");
      return [
        words(decide(at("k", 1), offered, new Set())),
        words(decide(at("k", 3, "c"), offered, new Set(), tableWith("b"))),
        words(decide(at("k", 2, "b"), offered, new Set(), tableWith("b"))),
        words(decide(at("m", 1, "c"), offered, new Set(["k"]), tableWith("b"))),
        words(decide(at("k", 3, "c"), offered, new Set(["m"]), tableWith("b"))),
      ];
    },
    likely: "The second call has to check the position again: the router has moved on since the first one.",
    lookAt,
  });
});
