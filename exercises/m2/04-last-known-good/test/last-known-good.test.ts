import { test } from "vitest";
import { FakeClock } from "../../../../shared/testkit/fake-clock.ts";
import { check } from "../../../support/check.ts";
import { FollowedFile, faultyText, tableText } from "./followed-file.ts";

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
    likely: "A good table was not applied.",
    lookAt: lookAtAccept,
  });
});

test("a router without any table does not start, and says why", async () => {
  for (const [what, content, words] of [
    ["no file", undefined, /ENOENT/],
    ["a faulty file", faultyText("first"), /routingTable\.acme: /],
  ] as const) {
    await check({
      sent: `start() with ${what}`,
      expected: "a RoutingFileError that names the fault",
      got: async () => {
        await using followed = await FollowedFile.with(content);
        return await followed.source.start().then(
          () => "it started",
          (error: Error) => `${error.name}: ${error.message}`,
        );
      },
      accept: (got) => got.startsWith("RoutingFileError") && words.test(got),
      likely: "With nothing to go on with, going on is no help: nobody would learn of it.",
      lookAt: "file-source.ts, start",
    });
  }
});

test("another good file takes the place of the table in use", async () => {
  await check({
    sent: "start(), then a good file of version second",
    expected: "second, table 2",
    got: async () => {
      await using followed = await FollowedFile.started();
      await followed.replace(tableText("second"));
      await followed.until("the second table to be in use", () => followed.inUse().startsWith("second"));
      return followed.inUse();
    },
    likely: "The file is not followed any more.",
    lookAt: lookAtRead,
  });
});

test("a faulty file leaves the table in use", async () => {
  await check({
    sent: "start(), then a file with a fault",
    expected: "first, table 1",
    got: async () => {
      await using followed = await FollowedFile.started();
      await followed.replace(faultyText("second"));
      await followed.untilFault();
      return followed.inUse();
    },
    likely: "What is right at the start, to give up, is wrong for a router that has a good table.",
    lookAt: lookAtFault,
    hint: 1,
  });
});

test("the status says what is in use, and why the file is not", async () => {
  await check({
    sent: "start(), then a file with a fault; then status()",
    expected: { version: "first", hasChecksum: true, fault: "routingTable.acme" },
    got: async () => {
      await using followed = await FollowedFile.started();
      await followed.replace(faultyText("second"));
      await followed.untilFault();
      const { version, checksum, lastError } = followed.source.status();
      return { version, hasChecksum: checksum !== null, fault: pathOf(lastError?.faults[0]) };
    },
    likely: "There are two truths to tell, about the table and about the file, and one is missing.",
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
    likely: "A file that cannot be read is another case of a file that cannot be used.",
    lookAt: lookAtRead,
    hint: 1,
  });
});

test("a file that stays away is told once, however often somebody looks", async () => {
  await check({
    sent: "start(), then the file is removed; five looks, a second apart; then the log",
    expected: "1 line routing-rejected",
    got: async () => {
      const clock = new FakeClock();
      await using followed = await FollowedFile.started(clock);
      // Between two looks, a second at most; the deadline of a look is further away.
      const isWaiting = () => clock.sleeping === 1 && (clock.nextWakeInMs ?? 0) <= 1_000;
      const waits = () => followed.until("the next look to be over", isWaiting);
      await waits();
      await followed.remove();
      for (let look = 0; look < 5; look++) {
        await waits();
        await clock.advance(1_000);
      }
      await followed.untilFault();
      await waits();
      return `${followed.count("routing-rejected")} line routing-rejected`;
    },
    likely: "The log fills with what it has said already.",
    lookAt: lookAtFault,
    hint: 2,
  });
});

test("the next good file is taken, and the fault is history", async () => {
  await check({
    sent: "start(), a file with a fault, then a good file of version third",
    expected: { inUse: "third, table 2", lastError: null },
    got: async () => {
      await using followed = await FollowedFile.started();
      await followed.replace(faultyText("second"));
      await followed.untilFault();
      await followed.replace(tableText("third"));
      await followed.until("the third table to be in use", () => followed.inUse().startsWith("third"));
      return { inUse: followed.inUse(), lastError: followed.source.status().lastError };
    },
    likely: "After the fault nobody reads the file any more.",
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
      await followed.replace(JSON.stringify(JSON.parse(tableText("first")), null, 2));
      await followed.untilNoFault();
      return followed.inUse();
    },
    likely: "Nothing new is applied, and so nothing is said, or a swap is made for nothing.",
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
    likely: "The bytes were known already, and what had happened in between was not.",
    lookAt: lookAtRead,
    hint: 3,
  });
});

test("other bytes with the same meaning are no new table", async () => {
  await check({
    sent: "start(), then the same table, written another way",
    expected: "first, table 1",
    got: async () => {
      await using followed = await FollowedFile.started();
      const before = followed.said;
      await followed.replace(JSON.stringify(JSON.parse(tableText("first")), null, 2));
      await followed.until("the source to have looked", () => followed.said > before);
      return followed.inUse();
    },
    likely: "The bytes were compared. The table has a checksum of what it says.",
    lookAt: lookAtAccept,
    hint: 3,
  });
});
