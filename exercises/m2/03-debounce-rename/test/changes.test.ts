import { rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "vitest";
import { FakeClock } from "../../../../shared/testkit/fake-clock.ts";
import { check } from "../../../support/check.ts";
import { SettlingReads } from "../starter/settling-reads.ts";
import { WatchedFolder } from "./watched-folder.ts";

const lookAtWatch = "entry-watch.ts, watchEntry";

test("a write into the file is noticed", async () => {
  await check({
    sent: 'writeFile("routing.json", …)',
    expected: "noticed: the write",
    got: async () => {
      await using watched = await WatchedFolder.open();
      return await watched.notices("the write", () => writeFile(watched.file, "new"));
    },
    likely: "Not every program renames.",
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
    likely: "The watch stayed with the file that had the name before, which nobody will ever change again.",
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
    likely: "Once the file was gone, nothing was left that could have told of its return.",
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
    likely: "No file was changed: the name leads to another one.",
    lookAt: lookAtWatch,
    hint: 1,
  });
});

test("other files in the folder are not noticed", async () => {
  await check({
    sent: "writeFile and rm of routing.json.swp, 4913 and access.log, in the same folder",
    expected: 0,
    got: async () => {
      await using watched = await WatchedFolder.open();
      await watched.allHeard();
      const before = watched.changes;
      for (const name of ["routing.json.swp", "4913", "access.log"]) {
        await writeFile(join(watched.folder, name), "noise");
        await rm(join(watched.folder, name));
      }
      await watched.allHeard();
      return watched.changes - before;
    },
    likely: "Everything that happens in the folder counts as a change of the file.",
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
    likely: "A watch was left open.",
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

test("a change is read once, after 20 ms of quiet", async () => {
  await check({
    sent: "notice(); then a second passes",
    expected: [20],
    got: async () => {
      const { reads, clock, beganAtMs } = new Reads();
      reads.notice();
      for (let ms = 0; ms < 1_000; ms += 10) await clock.advance(10);
      reads.close();
      return beganAtMs;
    },
    likely: "The file was read while it was being written, or more than once.",
    lookAt: lookAtReads,
  });
});

test("a write in several steps is read once, after the last one", async () => {
  await check({
    sent: "notice() at 0, 15 and 30 ms",
    expected: "one read, between 50 and 80 ms",
    got: async () => {
      const { reads, clock, beganAtMs } = new Reads();
      for (const step of [15, 15, 0]) {
        reads.notice();
        await clock.advance(step);
      }
      for (let ms = 0; ms < 200; ms += 10) await clock.advance(10);
      reads.close();
      return beganAtMs.map((ms) => `read at ${ms} ms`);
    },
    accept: (got) => got.length === 1 && /read at [5-7]\d ms/.test(got[0] ?? ""),
    likely: "Half of the file was read: the last step was not 20 ms ago.",
    lookAt: lookAtReads,
  });
});

test("a file that is never quiet is read within 100 ms all the same", async () => {
  await check({
    sent: "notice() every 10 ms, for 300 ms",
    expected: "the first read within 100 ms, and at most one for each 20 ms",
    got: async () => {
      const { reads, clock, beganAtMs } = new Reads();
      for (let ms = 0; ms < 300; ms += 10) {
        reads.notice();
        await clock.advance(10);
      }
      reads.close();
      const [first] = beganAtMs;
      return first === undefined ? "no read" : `${beganAtMs.length} reads, the first at ${first} ms`;
    },
    accept: (got) => {
      const [count = 0, first = 0] = (got.match(/\d+/g) ?? []).map(Number);
      return first >= 20 && first <= 100 && count <= 15;
    },
    likely: "Each change begins the wait anew, and the changes do not end.",
    lookAt: lookAtReads,
    hint: 3,
  });
});

/** A change that comes while the file is being read. */
async function changeMeanwhile(): Promise<{ total: number; most: number }> {
  const subject = new Reads();
  subject.slow = true;
  subject.reads.notice();
  await subject.clock.advance(40);
  subject.reads.notice();
  await subject.clock.advance(200);
  await subject.finish();
  await subject.clock.advance(200);
  subject.reads.close();
  return { total: subject.beganAtMs.length, most: subject.most };
}

test("a change that comes during a read is read after it", async () => {
  await check({
    sent: "notice(); a read begins; notice() while it lasts; the read ends",
    expected: "2 reads",
    got: async () => `${(await changeMeanwhile()).total} reads`,
    likely: "The second change was forgotten when the read of the first one ended.",
    lookAt: lookAtReads,
    hint: 3,
  });
});

test("two reads never run at the same time", async () => {
  await check({
    sent: "notice(); a read begins; notice() while it lasts; the read ends 200 ms later",
    expected: { total: 2, most: 1 },
    got: changeMeanwhile,
    likely: "A slow read of the old content can end after the read of the new one, and be applied last.",
    lookAt: lookAtReads,
    hint: 3,
  });
});

test("after close no read begins", async () => {
  await check({
    sent: "notice(), close(), and a second passes",
    expected: 0,
    got: async () => {
      const { reads, clock, beganAtMs } = new Reads();
      reads.notice();
      reads.close();
      await clock.advance(1_000);
      return beganAtMs.length;
    },
    likely: "The wait goes on after the end.",
    lookAt: "settling-reads.ts, close",
  });
});
