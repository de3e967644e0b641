import { test } from "vitest";
import { check, ifGot } from "../../../support/check.ts";
import { decide, type Position, type Validated } from "../starter/protocol.ts";

/** Whether a verdict, or the one after a validation, is to apply. */
const applies = (verdict = ""): boolean => verdict.replace("validate, then ", "").startsWith("apply");

const lookAt = "protocol.ts, decide";
const sum = (digit: string) => digit.repeat(64);

/** A position whose table has the content named by one hex digit. */
function at(epoch: string, revision: number, content = "a"): Position {
  return { epoch, revision, checksum: sum(content) };
}

function tableWith(content: string): Validated {
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
  readonly validated?: Validated;
}

/** Asks as the router does: without the table first, and with it only if it is wanted. */
function ask({ held, offered, left = [], validated }: Asked): string {
  const epochs = new Set(left);
  const first = decide(held, offered, epochs);
  if (first.kind !== "validate") return words(first);
  const table = validated ?? tableWith(offered.checksum.slice(0, 1));
  return `validate, then ${words(decide(held, offered, epochs, table), table)}`;
}

function words(verdict: ReturnType<typeof decide>, validated?: Validated): string {
  switch (verdict.kind) {
    case "ignore":
      return `ignore: ${verdict.why}`;
    case "nack":
      return verdict.reasons.some((reason) => reason !== "") ? "nack" : "nack without a reason";
    case "apply":
      return validated?.ok && verdict.table === validated.table
        ? "apply"
        : "apply, but not the validated table";
    default:
      return verdict.kind;
  }
}

test("the first snapshot, and every higher revision, is validated and applied", async () => {
  await check({
    sent: "k/1 to a router with nothing; k/2, and then k/900, to a router at k/1 (epoch/revision)",
    expected: ["validate, then apply", "validate, then apply", "validate, then apply"],
    got: () => [
      ask({ held: undefined, offered: at("k", 1) }),
      ask({ held: at("k", 1), offered: at("k", 2, "b") }),
      ask({ held: at("k", 1), offered: at("k", 900, "b") }),
    ],
    likely: ifGot(
      [
        ([, next, far]) => applies(next) && !applies(far),
        "k/2 was taken but k/900 was not: the gap between the revisions was held against it.",
      ],
      [([first]) => !applies(first), "The first snapshot that came was not taken."],
      [([, next]) => !applies(next), "A higher revision was not taken."],
    ),
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
    likely: ifGot(
      [(got) => got.some(applies), "A lower revision was applied: the table went back."],
      [
        (got) => got.some((verdict) => verdict.startsWith("validate")),
        "The table was asked for, although its revision is lower than the one held.",
      ],
      [
        (got) => got.some((verdict) => verdict.startsWith("nack")),
        "A late message was refused as if its table had a fault.",
      ],
      [(got) => got.includes("ignore: same"), "A lower revision passed for the same one."],
    ),
    lookAt,
    hint: 2,
  });
});

test("the same position again is ignored unread", async () => {
  await check({
    sent: "k/2 to a router at k/2, with the same content",
    expected: "ignore: same",
    got: () => ask({ held: at("k", 2), offered: at("k", 2) }),
    likely: ifGot(
      [(got) => applies(got), "The position that the router holds was applied once more."],
      [(got) => got.startsWith("validate"), "The table was asked for, although the router holds it."],
      [(got) => got.startsWith("nack"), "A repeated message was refused as if its table had a fault."],
      [
        (got) => got === "ignore: older",
        "The repeated message is called older, although its revision is the one held.",
      ],
    ),
    lookAt,
    hint: 2,
  });
});

test("the same revision with other content is refused", async () => {
  await check({
    sent: "k/57 with checksum bbb… to a router at k/57 with checksum aaa…",
    expected: "nack",
    got: () => ask({ held: at("k", 57, "a"), offered: at("k", 57, "b") }),
    accept: (verdict) => verdict === "nack" || verdict === "validate, then nack",
    likely: ifGot(
      [(got) => got === "ignore: same", "Two tables with different checksums passed for the same one."],
      [(got) => applies(got), "A second table with the number 57 took the place of the first."],
      [(got) => got === "ignore: older", "The verdict is that k/57 is older than k/57."],
      [(got) => got.includes("without a reason"), "The refusal gives no reason."],
    ),
    lookAt,
    hint: 3,
  });
});

test("a higher revision is taken even when its content is the same", async () => {
  await check({
    sent: "k/3 to a router at k/2, with the same content",
    expected: "validate, then apply",
    got: () => ask({ held: at("k", 2), offered: at("k", 3) }),
    likely: ifGot(
      [
        (got) => got === "ignore: same",
        "k/3 passed for k/2: their content is the same, but their revisions are not.",
      ],
      [(got) => got === "ignore: older", "The verdict is that k/3 is older than k/2."],
      [(got) => got.includes("nack"), "k/3 was refused."],
    ),
    lookAt,
  });
});

test("a new epoch is taken, however low its revision is", async () => {
  await check({
    sent: "m/41 and then b/41 to a router at k/900; m/1 to a router at k/2",
    expected: ["validate, then apply", "validate, then apply", "validate, then apply"],
    got: () => [
      ask({ held: at("k", 900), offered: at("m", 41, "b") }),
      ask({ held: at("k", 900), offered: at("b", 41, "b") }),
      ask({ held: at("k", 2), offered: at("m", 1, "b") }),
    ],
    likely: ifGot(
      [
        ([m, b]) => applies(m) && b === "ignore: older",
        "m/41 was taken, but b/41 is called older. Only the names of their epochs differ.",
      ],
      [
        (got) => got.includes("ignore: older"),
        "A snapshot of another epoch is called older than the one held: what was compared?",
      ],
      [(got) => got.some((verdict) => verdict.includes("nack")), "A snapshot of another epoch was refused."],
    ),
    lookAt,
    hint: 1,
  });
});

test("a new epoch with the same revision is taken, whatever its content is", async () => {
  await check({
    sent: "m/57 to a router at k/57 with checksum aaa…: once with checksum bbb…, once with aaa…",
    expected: ["validate, then apply", "validate, then apply"],
    got: () => [
      ask({ held: at("k", 57, "a"), offered: at("m", 57, "b") }),
      ask({ held: at("k", 57, "a"), offered: at("m", 57, "a") }),
    ],
    likely: ifGot(
      [
        ([other, equal]) => applies(other) && equal === "ignore: same",
        "With the same content, m/57 passed for k/57. Their epochs differ.",
      ],
      [
        ([other]) => other === "ignore: same",
        "m/57 passed for k/57, even with other content. Their epochs differ.",
      ],
      [
        (got) => got.some((verdict) => verdict.includes("nack")),
        "m/57 was refused, as if k/57 and it were one position.",
      ],
      [
        (got) => got.includes("ignore: older"),
        "A snapshot of another epoch is called older than the one held: what was compared?",
      ],
    ),
    lookAt,
    hint: 1,
  });
});

test("a snapshot of an epoch that this link has left is ignored unread", async () => {
  await check({
    sent: "k/901, and then k/1, to a router at m/2 whose link has left the epoch k",
    expected: ["ignore: superseded", "ignore: superseded"],
    got: () => [
      ask({ held: at("m", 2), offered: at("k", 901, "b"), left: ["k"] }),
      ask({ held: at("m", 2), offered: at("k", 1, "b"), left: ["k"] }),
    ],
    likely: ifGot(
      [(got) => got.some(applies), "A snapshot was applied, although this link has left its epoch."],
      [
        (got) => got.some((verdict) => verdict.startsWith("validate")),
        "The table was asked for, although this link has left its epoch.",
      ],
      [
        (got) => got.some((verdict) => verdict.startsWith("nack")),
        "A late message was refused as if its table had a fault.",
      ],
      [
        (got) => got.some((verdict) => verdict !== "ignore: superseded"),
        "It was ignored for another reason than the epoch that this link has left.",
      ],
    ),
    lookAt,
    hint: 2,
  });
});

test("an epoch that only an earlier link has left is taken", async () => {
  await check({
    sent: "k/901 to a router at m/1 whose new link has left nothing; k/901 to a router at m/1 whose link has left b",
    expected: ["validate, then apply", "validate, then apply"],
    got: () => [
      ask({ held: at("m", 1), offered: at("k", 901, "b") }),
      ask({ held: at("m", 1), offered: at("k", 901, "b"), left: ["b"] }),
    ],
    likely: ifGot(
      [
        (got) => got.includes("ignore: older"),
        "A snapshot of another epoch is called older than the one held: what was compared?",
      ],
      [
        (got) => got.includes("ignore: superseded"),
        "The epoch k counts as left, but this link has not left it.",
      ],
    ),
    lookAt,
  });
});

test("a table that is invalid, or not the announced one, is refused", async () => {
  await check({
    sent: "k/2 to a router at k/1, to one with nothing, and to one at b/1: with an invalid table, then with a table that has another checksum",
    expected: Array.from({ length: 6 }, () => "validate, then nack"),
    got: () =>
      [at("k", 1), undefined, at("b", 1)].flatMap((held) => [
        ask({
          held,
          offered: at("k", 2, "b"),
          validated: { ok: false, faults: ["defaultPlacement: missing"] },
        }),
        ask({ held, offered: at("k", 2, "b"), validated: tableWith("c") }),
      ]),
    likely: ifGot(
      [
        (got) => got.some((verdict, i) => i % 2 === 0 && applies(verdict)),
        "A table with a fault was applied.",
      ],
      [
        (got) => got.some((verdict, i) => i % 2 === 1 && applies(verdict)),
        "A table was applied, although its checksum is not the one that was announced.",
      ],
      [(got) => got.some((verdict) => verdict.includes("without a reason")), "A refusal gives no reason."],
      [
        (got) => got.some((verdict) => verdict.includes("ignore")),
        "A bad table was ignored: nobody learns of it.",
      ],
    ),
    lookAt,
  });
});

test("the refusal of an invalid table names its faults", async () => {
  await check({
    sent: "k/2 to a router at k/1, with a table that has two faults; the reasons",
    expected: ["defaultPlacement: missing", "version: missing"],
    got: () => {
      const validated: Validated = { ok: false, faults: ["defaultPlacement: missing", "version: missing"] };
      const verdict = decide(at("k", 1), at("k", 2, "b"), new Set(), validated);
      return verdict.kind === "nack" ? [...verdict.reasons] : words(verdict);
    },
    likely: ifGot(
      [(got) => typeof got === "string", "A table with two faults was not refused."],
      [
        (got) => Array.isArray(got) && got.length < 2,
        "The table has two faults, but the reasons name fewer.",
      ],
    ),
    lookAt,
  });
});

test("a snapshot that was overtaken while its table was validated is not applied", async () => {
  await check({
    sent: "decide for k/2 at k/1, without its table; then, with it, after k/3, after k/2, and after m/1 was applied meanwhile; decide for k/2 at m/1, after k/3 was applied meanwhile",
    expected: ["validate", "ignore: older", "ignore: same", "ignore: superseded", "ignore: older"],
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
    likely: ifGot(
      [([first]) => first !== "validate", "k/2 was decided before its table was there."],
      [
        ([, ...later]) => later.some(applies),
        "A table was applied that had been overtaken while it was validated.",
      ],
      [
        ([, ...later]) => later.some((verdict) => verdict.includes("nack")),
        "A table that had been overtaken was refused as if it had a fault.",
      ],
      [
        ([, , , left]) => left === "ignore: older",
        "The verdict is that k/2 is older than m/1, which is of another epoch.",
      ],
    ),
    lookAt,
  });
});
