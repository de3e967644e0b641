import { test } from "vitest";
import { FakeClock } from "../../../../shared/testkit/fake-clock.ts";
import { check, type Outcome, within } from "../../../support/check.ts";
import { FollowedFile, faultyText, rearrangedText, tableText } from "./followed-file.ts";

/**
 * The sentence of the first case that holds for the value that came back, or the one for a wait in vain. Not for the start:
 * a router that ended had a good table before.
 */
const shows =
  <T>(
    silent: string | undefined,
    ...cases: readonly (readonly [holds: (got: T) => boolean, sentence: string])[]
  ) =>
  (came: Outcome<T>): string | undefined => {
    if (came.kind === "silent") return silent;
    if (came.kind === "returned") return cases.find(([holds]) => holds(came.value))?.[1];
    return String(came.error).includes("the router's process ended")
      ? "A file that cannot be used ended the router, although it had a good table."
      : undefined;
  };

const statusIsBehind = "The file has changed, but the status doesn't show it.";

const lookAtRead = "file-source.ts, #read";
const lookAtAccept = "file-source.ts, #accept";
const lookAtFault = "file-source.ts, what becomes of a file that cannot be used";

/** A fault's path, and nothing of its words. */
const pathOf = (fault: string | undefined): string => fault?.split(": ")[0] ?? "none";

test("the file is in use after the start", async () => {
  await check({
    sent: "start() with a good file",
    expected: { inUse: "first, table 1", version: "first", lastError: null },
    got: async () => {
      await using followed = await FollowedFile.started();
      const { version, lastError } = followed.source.status();
      return { inUse: followed.inUse(), version, lastError };
    },
    likely: shows(
      undefined,
      [({ inUse }) => inUse === "nothing", "The file is good, but its table is not in use."],
      [({ version }) => version !== "first", "The status does not name the table in use."],
      [({ lastError }) => lastError !== null, "The file is good, but the status names a fault."],
    ),
    lookAt: lookAtAccept,
  });
});

test("a router without any table does not start, and says why", async () => {
  const twoFaults = faultyText("first").replace('"tier3",', '"tier8",');
  for (const [what, content, words] of [
    ["no file", undefined, ["ENOENT"]],
    ["an empty file", "", ["(document)"]],
    ["a file with two faults", twoFaults, ["defaultPlacement: ", "routingTable.acme: "]],
  ] as const) {
    await check({
      sent: `start() with ${what}`,
      expected: `RoutingFileError, and ${words.length} line(s) with: ${words.join(" and ")}`,
      got: async () => {
        await using followed = await FollowedFile.with(content);
        const outcome = followed.source.start().then(
          () => "it started",
          (error: Error) => `${error.name}: ${error.message}`,
        );
        return await within(2_000, "start() to give up", outcome);
      },
      accept: (got) => {
        const lines = got.split("\n");
        const found = words.map((word) => lines.findIndex((line) => line.includes(word)));
        return (
          got.startsWith("RoutingFileError") && !found.includes(-1) && new Set(found).size === words.length
        );
      },
      likely: shows(
        "The start neither succeeds nor fails.",
        [(got) => got === "it started", "The router started without a table."],
        [(got) => !got.startsWith("RoutingFileError"), "The start failed, but not with a RoutingFileError."],
        [(got) => words.some((word) => !got.includes(word)), "The error does not name every fault."],
      ),
      lookAt: "file-source.ts, start",
    });
  }
});

test("another good file takes the place of the table in use", async () => {
  await check({
    sent: "start(), then a good file of version second, then the first one again",
    expected: ["second, table 2", "first, table 3"],
    got: async () => {
      await using followed = await FollowedFile.started();
      const inUse: string[] = [];
      for (const version of ["second", "first"]) {
        await followed.replace(tableText(version));
        await followed.until(`the table ${version} to be in use`, () => followed.inUse().startsWith(version));
        inUse.push(followed.inUse());
      }
      return inUse;
    },
    likely: shows("The file is good, but its table is not in use.", [
      (got) => got.some((inUse) => !["second, table 2", "first, table 3"].includes(inUse)),
      "There were more swaps than new files.",
    ]),
    lookAt: lookAtRead,
  });
});

test("a faulty file leaves the table in use", async () => {
  for (const [what, content] of [
    ["a file with a fault", faultyText("second")],
    ["a comma missing", tableText("second").replace(",", " ")],
    ["null", "null"],
  ] as const) {
    await check({
      sent: `start(), then ${what}`,
      expected: "first, table 1",
      got: async () => {
        await using followed = await FollowedFile.started();
        await followed.replace(content);
        await followed.untilFault();
        return followed.inUse();
      },
      likely: shows(
        statusIsBehind,
        [(got) => got === "nothing", "The table in use was taken away."],
        [
          (got) => got.startsWith("first, table ") && got !== "first, table 1",
          "The table in use was swapped in again, although no good file had come.",
        ],
        [(got) => got.startsWith("second"), "The faulty table is in use."],
      ),
      lookAt: lookAtFault,
      hint: 1,
    });
  }
});

test("the status says what is in use, and why the file is not", async () => {
  await check({
    sent: "start(), then a file with a fault; then status() before and after",
    expected: { version: "first", sameChecksum: true, sameAppliedAt: true, fault: "routingTable.acme" },
    got: async () => {
      await using followed = await FollowedFile.started();
      const before = followed.source.status();
      await followed.replace(faultyText("second"));
      await followed.untilFault();
      const { version, checksum, appliedAt, lastError } = followed.source.status();
      return {
        version,
        sameChecksum: checksum !== null && checksum === before.checksum,
        sameAppliedAt: appliedAt !== null && appliedAt === before.appliedAt,
        fault: pathOf(lastError?.faults[0]),
      };
    },
    likely: shows(
      statusIsBehind,
      [({ version }) => version !== "first", "The status no longer says which table is in use."],
      [
        ({ sameChecksum, sameAppliedAt }) => !sameChecksum || !sameAppliedAt,
        "The table in use is the same, but its checksum or its date has changed.",
      ],
      [
        ({ fault }) => fault !== "routingTable.acme",
        "The status names another fault than the one in the file.",
      ],
    ),
    lookAt: lookAtFault,
    hint: 2,
  });
});

test("a file that is gone leaves the table in use, and is told", async () => {
  await check({
    sent: "start(), then the file is removed; then status()",
    expected: { inUse: "first, table 1", version: "first", fault: "(file)" },
    got: async () => {
      await using followed = await FollowedFile.started();
      await followed.remove();
      await followed.untilFault();
      const { version, lastError } = followed.source.status();
      return { inUse: followed.inUse(), version, fault: pathOf(lastError?.faults[0]) };
    },
    likely: shows(
      statusIsBehind,
      [
        ({ inUse }) => inUse !== "first, table 1",
        "The file is gone, and the table in use has changed with it.",
      ],
      [({ version }) => version !== "first", "The status no longer says which table is in use."],
      [({ fault }) => fault !== "(file)", "The status blames something other than the file itself."],
    ),
    lookAt: lookAtRead,
    hint: 1,
  });
});

test("the status names the present fault, not an earlier one", async () => {
  await check({
    sent: "start(), a file with tier9, then one with tier8 in its place, then no file; lastError and the log each time",
    expected: [
      "tier9: a new date, in the log",
      "tier8: a new date, in the log",
      "ENOENT: a new date, in the log",
    ],
    got: async () => {
      await using followed = await FollowedFile.started();
      const told: string[] = [];
      const dates = new Set<string | undefined>();
      const faults = () => followed.source.status().lastError?.faults.join("\n") ?? "none";
      for (const word of ["tier9", "tier8", "ENOENT"]) {
        if (word === "ENOENT") await followed.remove();
        else await followed.replace(faultyText("second", word));
        await followed.until(`status().lastError to speak of ${word}`, () => faults().includes(word));
        const at = followed.source.status().lastError?.at;
        const logged = followed.count(word) > 0 ? "in the log" : "not in the log";
        told.push(`${word}: ${dates.has(at) ? "an old" : "a new"} date, ${logged}`);
        dates.add(at);
      }
      return told;
    },
    likely: shows(
      statusIsBehind,
      [
        (got) => got.some((each) => each.includes("an old")),
        "Another fault has the date of the one before it.",
      ],
      [
        (got) => got.some((each) => each.includes("not in")),
        "Another fault came, and the log doesn't name it.",
      ],
    ),
    lookAt: lookAtFault,
    hint: 2,
  });
});

test("a file that stays away is told once, however often somebody looks", async () => {
  for (const [what, words] of [
    ["the file is removed", "ENOENT"],
    ["a file with a fault", "routingTable.acme"],
  ] as const) {
    await check({
      sent: `start(), then ${what}; ten looks, a second apart; then the log and lastError.at`,
      expected: { linesThatNameTheFault: 1, firstFoundAt: "stays" },
      got: async () => {
        const clock = new FakeClock();
        await using followed = await FollowedFile.started(clock);
        if (words === "ENOENT") await followed.remove();
        else await followed.replace(faultyText("second"));
        await followed.fiveLooks(clock);
        await followed.untilFault();
        const at = followed.source.status().lastError?.at;
        await followed.fiveLooks(clock);
        const stays = at === followed.source.status().lastError?.at;
        return { linesThatNameTheFault: followed.count(words), firstFoundAt: stays ? "stays" : "moves" };
      },
      likely: shows(
        undefined,
        [({ linesThatNameTheFault }) => linesThatNameTheFault > 1, "One fault was logged several times."],
        [({ linesThatNameTheFault }) => linesThatNameTheFault === 0, "The fault is not in the log."],
        [
          ({ firstFoundAt }) => firstFoundAt === "moves",
          "The fault is the same, but its date changes with each look.",
        ],
      ),
      lookAt: lookAtFault,
      hint: 2,
    });
  }
});

test("a fault that comes back after a repair is told again", async () => {
  await check({
    sent: "start(), a file with a fault, a good file, the file with the fault again; then the log",
    expected: "2 lines that name the fault",
    got: async () => {
      await using followed = await FollowedFile.started();
      for (const round of [1, 2]) {
        await followed.replace(faultyText("second"));
        await followed.untilFault();
        if (round === 2) break;
        await followed.replace(tableText("third"));
        await followed.untilNoFault();
      }
      return `${followed.count("routingTable.acme")} lines that name the fault`;
    },
    likely: shows(
      statusIsBehind,
      [(got) => got.startsWith("1 "), "The fault came twice, but was logged once."],
      [(got) => Number.parseInt(got, 10) > 2, "The fault came twice, but was logged more often."],
    ),
    lookAt: lookAtFault,
    hint: 2,
  });
});

test("the next good file is taken, and the fault is history", async () => {
  await check({
    sent: "start(), a file with a fault, no file, then a good file of version third",
    expected: { inUse: "third, table 2", version: "third", lastError: null },
    got: async () => {
      await using followed = await FollowedFile.started();
      await followed.replace(faultyText("second"));
      await followed.untilFault();
      await followed.remove();
      const faults = () => followed.source.status().lastError?.faults.join("\n") ?? "";
      await followed.until("status().lastError to say that the file is gone", () =>
        faults().includes("ENOENT"),
      );
      await followed.replace(tableText("third"));
      await followed.until("the third table to be in use", () => followed.inUse().startsWith("third"));
      const { version, lastError } = followed.source.status();
      return { inUse: followed.inUse(), version, lastError };
    },
    likely: shows(
      "The file has changed, but the router doesn't follow.",
      [({ inUse }) => inUse !== "third, table 2", "The table in use is not this router's second one."],
      [({ version }) => version !== "third", "The status does not name the table in use."],
      [
        ({ lastError }) => lastError !== null,
        "The good table is in use, but the status still names a fault.",
      ],
    ),
    lookAt: lookAtFault,
    hint: 1,
  });
});

test("the table in use, written again after a fault, ends the fault without a swap", async () => {
  await check({
    sent: "start(), a file with a fault, then the first file again, written another way",
    expected: "first, table 1",
    got: async () => {
      await using followed = await FollowedFile.started();
      await followed.replace(faultyText("second"));
      await followed.untilFault();
      await followed.replace(rearrangedText("first"));
      await followed.untilNoFault();
      return followed.inUse();
    },
    likely: shows(statusIsBehind, [
      (got) => got === "first, table 2",
      "The table in use was swapped for one that says the same.",
    ]),
    lookAt: lookAtAccept,
    hint: 3,
  });
});

test("the same file, back after it was gone, ends the fault without a swap", async () => {
  await check({
    sent: "start(), the file is removed, then it comes back, byte by byte the same",
    expected: "first, table 1",
    got: async () => {
      await using followed = await FollowedFile.started();
      await followed.remove();
      await followed.untilFault();
      await followed.replace(tableText("first"));
      await followed.untilNoFault();
      return followed.inUse();
    },
    likely: shows(statusIsBehind, [
      (got) => got === "first, table 2",
      "The table in use was swapped for one that says the same.",
    ]),
    lookAt: lookAtRead,
    hint: 3,
  });
});

test("other bytes with the same meaning are no new table", async () => {
  await check({
    sent: "start(), then the same table, laid out and ordered another way; then five looks, and status() before and after",
    expected: { inUse: "first, table 1", lastError: null, sameAppliedAt: true },
    got: async () => {
      const clock = new FakeClock();
      await using followed = await FollowedFile.started(clock);
      const { appliedAt } = followed.source.status();
      await followed.replace(rearrangedText("first"));
      await followed.fiveLooks(clock);
      const status = followed.source.status();
      return {
        inUse: followed.inUse(),
        lastError: status.lastError,
        sameAppliedAt: status.appliedAt === appliedAt,
      };
    },
    likely: shows(
      undefined,
      [({ inUse }) => inUse === "first, table 2", "The table in use was swapped for one that says the same."],
      [({ lastError }) => lastError !== null, "The file is good, but the status names a fault."],
      [({ sameAppliedAt }) => !sameAppliedAt, "The table in use is the same, but its date has changed."],
    ),
    lookAt: lookAtAccept,
    hint: 3,
  });
});
