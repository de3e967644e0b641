import { rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "vitest";
import { FakeClock } from "../../../../shared/testkit/fake-clock.ts";
import { check, ifGot, type Outcome } from "../../../support/check.ts";
import { watchEntry } from "../starter/entry-watch.ts";
import { SettlingReads } from "../starter/settling-reads.ts";
import { WatchedFolder, watchersOf } from "./watched-folder.ts";

/** The sentence where a test waited for something in vain. */
const ifSilent = (sentence: string) => (came: Outcome<unknown>) =>
  came.kind === "silent" ? sentence : undefined;

const lookAtWatch = "entry-watch.ts, watchEntry";

test("a write into the file is noticed", async () => {
  await check({
    sent: 'writeFile("routing.json", …)',
    expected: "noticed: the write",
    got: async () => {
      await using watched = await WatchedFolder.open();
      return await watched.notices("the write", () => writeFile(watched.file, "new"));
    },
    likely: ifSilent("A write into the file itself was not noticed."),
    lookAt: lookAtWatch,
  });
});

test("a file that is renamed over it is noticed, each time", async () => {
  await check({
    sent: 'writeFile("new", …) and rename("new", "routing.json"), three times',
    expected: ["noticed: rename 1", "noticed: rename 2", "noticed: rename 3"],
    got: async () => {
      await using watched = await WatchedFolder.open();
      const other = join(watched.folder, "new");
      const noticed: string[] = [];
      for (const time of [1, 2, 3]) {
        await writeFile(other, `${time}`);
        await watched.allHeard();
        noticed.push(await watched.notices(`rename ${time}`, () => rename(other, watched.file)));
      }
      return noticed;
    },
    likely: ifSilent("A rename over the file was not noticed. The name now belongs to another file."),
    lookAt: lookAtWatch,
    hint: 1,
  });
});

test("a file that is removed and comes back is noticed both times", async () => {
  await check({
    sent: 'rm("routing.json"), then writeFile("routing.json", …)',
    expected: ["noticed: the end", "noticed: the return"],
    got: async () => {
      await using watched = await WatchedFolder.open();
      return [
        await watched.notices("the end", () => rm(watched.file)),
        await watched.notices("the return", () => writeFile(watched.file, "back")),
      ];
    },
    likely: ifSilent("The removal or the return was not noticed. A file that is gone reports nothing."),
    lookAt: lookAtWatch,
    hint: 1,
  });
});

test("a link that is made to lead elsewhere is noticed", async () => {
  await check({
    sent: 'routing.json is a link to release-1; symlink("release-2", "link") and rename("link", "routing.json")',
    expected: "noticed: the swap",
    got: async () => {
      await using watched = await WatchedFolder.open(async (file) => {
        await writeFile(join(file, "../release-1"), "one");
        await writeFile(join(file, "../release-2"), "two");
        await symlink("release-1", file);
      });
      const link = join(watched.folder, "link");
      await symlink("release-2", link);
      return await watched.notices("the swap", () => rename(link, watched.file));
    },
    likely: ifSilent("The name leads to another file now, but nobody noticed."),
    lookAt: lookAtWatch,
    hint: 1,
  });
});

const otherNames = [
  "routing.json.swp",
  "old-routing.json",
  "routing.jso",
  "ROUTING.JSON",
  "routing",
  "4913",
  "access.log",
];

test("other files in the folder are not noticed", async () => {
  await check({
    sent: `writeFile and rm of other names in the same folder: ${otherNames.join(", ")}`,
    expected: 0,
    got: async () => {
      await using watched = await WatchedFolder.open();
      await watched.allHeard();
      const before = watched.changes;
      for (const name of otherNames) {
        await writeFile(join(watched.folder, name), "noise");
        await rm(join(watched.folder, name));
      }
      await watched.allHeard();
      return watched.changes - before;
    },
    likely: ifGot(
      [
        (got) => got >= 2 * otherNames.length,
        "Most of what happened to the other names counted as a change of the file.",
      ],
      [(got) => got > 0, "One or more of the other names were taken for the file's."],
    ),
    lookAt: lookAtWatch,
    hint: 2,
  });
});

test("after its end the watch is silent", async () => {
  await check({
    sent: 'end(), then writeFile("routing.json", …)',
    expected: 0,
    got: async () => {
      await using watched = await WatchedFolder.open();
      await watched.allHeard();
      watched.end();
      const before = watched.changes;
      await writeFile(watched.file, "new");
      await watched.allHeard();
      return watched.changes - before;
    },
    likely: ifGot([(got) => got > 0, "The write was still reported after the end."]),
    lookAt: lookAtWatch,
  });
});

test("a file that is not there yet is noticed when it comes", async () => {
  await check({
    sent: 'watchEntry("routing.json", …) in an empty folder; then writeFile("routing.json", …)',
    expected: "noticed: its coming",
    got: async () => {
      await using watched = await WatchedFolder.open(async () => {});
      return await watched.notices("its coming", () => writeFile(watched.file, "new"));
    },
    likely: (came) =>
      came.kind === "threw" && String(came.error).includes("ENOENT")
        ? "The watch failed, because the file is not there yet."
        : ifSilent("The file came, but nobody noticed.")(came),
    lookAt: lookAtWatch,
    hint: 1,
  });
});

test("a folder that cannot be watched throws at once", async () => {
  await check({
    sent: 'watchEntry("/…/missing/routing.json", …)',
    expected: "ENOENT",
    got: () => {
      const heard: string[] = [];
      try {
        const missing = join(tmpdir(), "cell-routing-no-such-folder", "routing.json");
        watchEntry(
          missing,
          () => {},
          (error) => heard.push(error.message),
        )();
      } catch (error) {
        return (error as NodeJS.ErrnoException).code;
      }
      return heard.length > 0 ? `no error, but onFault heard ${heard[0]}` : "no error";
    },
    likely: ifGot(
      [(got) => got === "no error", "Whoever started the watch was not told that there is none."],
      [
        (got) => got?.startsWith("no error, but") === true,
        "onFault was called, but whoever started the watch was not told.",
      ],
    ),
    lookAt: lookAtWatch,
  });
});

test("a watch that breaks is reported", async () => {
  await check({
    sent: "the watch emits an error: too many open files",
    expected: ["too many open files"],
    got: async () => {
      await using watched = await WatchedFolder.open();
      const heard: string[] = [];
      const watch = () =>
        watchEntry(
          watched.file,
          () => {},
          (error) => heard.push(error.message),
        );
      const { watchers, result: end } = watchersOf(watch);
      for (const watcher of watchers) watcher.emit("error", new Error("too many open files"));
      end();
      // A watch of another make cannot be broken from here.
      return watchers.length === 0 ? ["too many open files"] : heard;
    },
    likely: (came) => {
      if (came.kind === "threw") return "Nothing caught the watch's error.";
      return ifGot<string[]>([
        (heard) => heard.length === 0,
        "The watch broke, but onFault was not called: nobody knows that changes go unnoticed now.",
      ])(came);
    },
    lookAt: lookAtWatch,
  });
});

const lookAtReads = "settling-reads.ts, notice and what follows it";

/** Reads that take as long as the test wants, on a clock that moves when the test says so. */
class Reads {
  readonly clock = new FakeClock();
  /** When each read began. */
  readonly beganAtMs: number[] = [];
  readonly reads: SettlingReads;
  most = 0;
  slow = false;
  #running = 0;
  readonly #finish: (() => void)[] = [];

  constructor() {
    this.reads = new SettlingReads(this.clock, async () => {
      // A reader that never stops must not hold the test up.
      if (this.beganAtMs.push(this.clock.now()) > 100) throw new Error("the file was read 100 times");
      this.#running += 1;
      this.most = Math.max(this.most, this.#running);
      if (this.slow) await new Promise<void>((resolve) => this.#finish.push(resolve));
      this.#running -= 1;
    });
  }

  /** Lets the reads under way come to their end. */
  async finish(): Promise<void> {
    this.slow = false;
    for (const end of this.#finish.splice(0)) end();
    await this.clock.advance(0);
  }
}

/** Lets time pass in steps of 5 ms. */
async function pass(clock: FakeClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 5) await clock.advance(Math.min(5, ms - passed));
}

/** Calls notice() at each of these times, and lets half a second pass after the last. */
async function readsAfter(...noticedAtMs: readonly number[]): Promise<number[]> {
  const { reads, clock, beganAtMs } = new Reads();
  for (const atMs of noticedAtMs) {
    await pass(clock, atMs - clock.now());
    reads.notice();
  }
  await pass(clock, 500);
  reads.close();
  return beganAtMs;
}

const between = (
  got: readonly number[],
  ...spans: readonly (readonly [from: number, to: number])[]
): boolean =>
  got.length === spans.length &&
  got.every((ms, i) => ms >= (spans[i]?.[0] ?? 0) && ms <= (spans[i]?.[1] ?? 0));

test("a change is read once, after 20 ms of quiet", async () => {
  await check({
    sent: "no call of notice() for half a second; then in another run notice(), and half a second passes",
    expected: { withoutASign: [], afterASign: [20] },
    got: async () => ({ withoutASign: await readsAfter(), afterASign: await readsAfter(0) }),
    likely: ifGot(
      [
        ({ withoutASign }) => withoutASign.length > 0,
        "The file was read, although notice() had not been called.",
      ],
      [({ afterASign }) => afterASign.length === 0, "The file was not read after the change."],
      [({ afterASign }) => afterASign.length > 1, "One change was read more than once."],
      [({ afterASign: [ms = 20] }) => ms < 20, "The file was read before it had been quiet for 20 ms."],
      [({ afterASign: [ms = 20] }) => ms > 20, "The file was read later than 20 ms after the change."],
    ),
    lookAt: lookAtReads,
  });
});

test("a later change is read like the first one", async () => {
  await check({
    sent: "notice() at 0, 200 and 1000 ms",
    expected: [20, 220, 1_020],
    got: () => readsAfter(0, 200, 1_000),
    likely: ifGot(
      [(got) => got.length < 3, "A later change was not read."],
      [(got) => got.length > 3, "There were more reads than changes."],
      [
        (got) => got.some((ms, i) => ms < ([20, 220, 1_020][i] ?? 0)),
        "A change was read before the file had been quiet for 20 ms.",
      ],
      [
        (got) => got[0] === 20 && got.join() !== "20,220,1020",
        "The first change was read in time, but a later one was not.",
      ],
    ),
    lookAt: lookAtReads,
  });
});

test("a write in several steps is read once, after the last one", async () => {
  for (const [noticed, from, to] of [
    [[0, 15, 30], 50, 70],
    [[0, 15], 35, 55],
    [[0, 15, 30, 45, 60, 75], 80, 120],
  ] as const) {
    await check({
      sent: `notice() at ${noticed.join(", ")} ms`,
      expected: `one read, between ${from} and ${to} ms`,
      got: () => readsAfter(...noticed),
      accept: (got) => between(got, [from, to]),
      likely: ifGot(
        [(got) => got.length === 0, "The write was not read."],
        [(got) => got.length > 1, "One write was read more than once."],
        [([ms = from]) => ms < from, "The file was read before the write had been over for 20 ms."],
        [([ms = to]) => ms > to, "The file was read too late after the last step."],
      ),
      lookAt: lookAtReads,
    });
  }
});

test("a file that is never quiet is read within 100 ms all the same", async () => {
  const noticed = Array.from({ length: 41 }, (_, i) => i * 10);
  await check({
    sent: "notice() every 10 ms, for 400 ms",
    expected: "the first read between 80 and 110 ms, and further ones 80 to 130 ms apart, until all is read",
    got: () => readsAfter(...noticed),
    accept: (got) => {
      const [first = 0] = got;
      const apart = got.slice(1).map((ms, i) => ms - (got[i] ?? 0));
      const last = got.at(-1) ?? 0;
      return (
        first >= 80 &&
        first <= 110 &&
        // The last one comes when all is quiet, which may be soon after the one before.
        apart.slice(0, -1).every((ms) => ms >= 80 && ms <= 130) &&
        last >= 420 &&
        last <= 530
      );
    },
    likely: ifGot(
      [(got) => got.length === 0, "The file was not read at all."],
      [([first = 0]) => first >= 400, "The first read waited until the calls of notice() had ended."],
      [
        ([first = 0]) => first > 110,
        "The first read came later than 110 ms after the first call of notice().",
      ],
      [
        ([first = 80]) => first < 80,
        "The first read came less than 80 ms after the first call of notice(), and more calls followed.",
      ],
      [
        (got) => (got.at(-1) ?? 400) < 400,
        "notice() was called after the last read, but the file was not read again.",
      ],
    ),
    lookAt: lookAtReads,
    hint: 3,
  });
});

/** Three changes that come while the file is being read. */
async function changeMeanwhile(): Promise<{ total: number; most: number }> {
  const subject = new Reads();
  subject.slow = true;
  subject.reads.notice();
  await pass(subject.clock, 40);
  for (let change = 0; change < 3; change++) {
    subject.reads.notice();
    await pass(subject.clock, 60);
  }
  await subject.finish();
  await pass(subject.clock, 200);
  subject.reads.close();
  return { total: subject.beganAtMs.length, most: subject.most };
}

test("a change that comes during a read is read after it", async () => {
  await check({
    sent: "notice(); a read begins; notice() three times while it lasts; the read ends",
    expected: "2 reads",
    got: async () => `${(await changeMeanwhile()).total} reads`,
    likely: ifGot(
      [(got) => Number.parseInt(got, 10) === 1, "What came during the read was not read."],
      [(got) => Number.parseInt(got, 10) > 2, "What came during one read led to more than one further read."],
    ),
    lookAt: lookAtReads,
    hint: 3,
  });
});

test("a change at the end of a read is given its 20 ms of quiet", async () => {
  await check({
    sent: "notice() at 0 ms; a read from 20 to 50 ms; notice() at 45 ms",
    expected: "a second read between 65 and 90 ms",
    got: async () => {
      const subject = new Reads();
      subject.slow = true;
      subject.reads.notice();
      await pass(subject.clock, 45);
      subject.reads.notice();
      await pass(subject.clock, 5);
      await subject.finish();
      await pass(subject.clock, 200);
      subject.reads.close();
      return subject.beganAtMs;
    },
    accept: (got) => between(got, [20, 20], [65, 90]),
    likely: ifGot(
      [(got) => got.length < 2, "There was no second read."],
      [(got) => got.length > 2, "One change led to more than one further read."],
      [([, second = 65]) => second < 65, "The second read began before the file had been quiet for 20 ms."],
      [([, second = 90]) => second > 90, "The second read began later than 90 ms."],
    ),
    lookAt: lookAtReads,
    hint: 3,
  });
});

test("two reads never run at the same time", async () => {
  await check({
    sent: "notice(); a read begins; notice() three times while it lasts; the read ends much later",
    expected: { total: 2, most: 1 },
    got: changeMeanwhile,
    likely: ifGot(
      [({ most }) => most > 1, "Reads ran side by side: the old content may be applied after the new."],
      [({ total }) => total === 1, "What came during the read was not read."],
      [({ total }) => total > 2, "What came during one read led to more than one further read."],
    ),
    lookAt: lookAtReads,
    hint: 3,
  });
});

test("after close no read begins", async () => {
  await check({
    sent: "close() after notice(); close() during a read, with a change that came meanwhile; notice() after close()",
    expected: { whileWaiting: 0, whileReading: 1, afterwards: 0 },
    got: async () => {
      const waiting = new Reads();
      waiting.reads.notice();
      waiting.reads.close();
      const reading = new Reads();
      reading.slow = true;
      reading.reads.notice();
      await pass(reading.clock, 20);
      reading.reads.notice();
      reading.reads.close();
      await reading.finish();
      const afterwards = new Reads();
      afterwards.reads.close();
      afterwards.reads.notice();
      for (const { clock } of [waiting, reading, afterwards]) await pass(clock, 500);
      return {
        whileWaiting: waiting.beganAtMs.length,
        whileReading: reading.beganAtMs.length,
        afterwards: afterwards.beganAtMs.length,
      };
    },
    likely: ifGot(
      [
        ({ whileWaiting }) => whileWaiting > 0,
        "close() came right after notice(), but the file was read all the same.",
      ],
      [
        ({ whileReading }) => whileReading > 1,
        "A change that came during the read was read, although close() followed it at once.",
      ],
      [({ afterwards }) => afterwards > 0, "notice() came after close(), but a read began."],
    ),
    lookAt: "settling-reads.ts, close",
  });
});
