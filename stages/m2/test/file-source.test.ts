import { watch } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import fc from "fast-check";
import pino from "pino";
import { describe, expect, test } from "vitest";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { type Clock, systemClock } from "../src/clock.ts";
import { FileSource, RoutingFileError } from "../src/file-source.ts";
import { readRegularFile } from "../src/regular-file.ts";
import { TableStore } from "../src/table-store.ts";
import { exampleDocument, largeDocument } from "./documents.ts";

/** A source on a file of its own. */
class Opened implements AsyncDisposable {
  readonly file: string;
  readonly store = new TableStore();
  readonly log: Record<string, unknown>[] = [];
  readonly source: FileSource;

  private constructor(file: string, clock: Clock, read: typeof readRegularFile) {
    this.file = file;
    const logger = pino({ base: null }, { write: (line: string) => void this.log.push(JSON.parse(line)) });
    const wallClock = () => new Date();
    this.source = new FileSource({ path: file, store: this.store, logger, clock, wallClock, read });
  }

  /** With a file of the given content; undefined for none. Does not start the source. */
  static async on(
    content: string | undefined,
    clock: Clock = systemClock,
    read: typeof readRegularFile = readRegularFile,
  ): Promise<Opened> {
    const directory = await mkdtemp(join(tmpdir(), "cell-routing-source-"));
    const opened = new Opened(join(directory, "config", "routing.json"), clock, read);
    await mkdir(dirname(opened.file));
    if (content !== undefined) await writeFile(opened.file, content);
    return opened;
  }

  events(): unknown[] {
    return this.log.map(({ event }) => event);
  }

  version(): string | undefined {
    return this.store.current()?.table.version;
  }

  /** Puts another file under the name, so that no read meets half of it. */
  async replace(content: string): Promise<void> {
    await writeFile(`${this.file}.tmp`, content);
    await rename(`${this.file}.tmp`, this.file);
  }

  /** Moves time on, settle by settle, until the source waits for the next change. */
  async advanceUntilIdle(clock: FakeClock): Promise<void> {
    for (;;) {
      await soon("it waits", () => waits(clock));
      if ((clock.nextWakeInMs ?? 0) > 20) return;
      await clock.advance(clock.nextWakeInMs ?? 0);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source.close();
    await rm(dirname(dirname(this.file)), { recursive: true, force: true });
  }
}

/** Between two looks at the file: the deadline of a look is further away. */
const waits = (clock: FakeClock): boolean => clock.sleeping === 1 && (clock.nextWakeInMs ?? 0) <= 1_000;

const text = (version: string) => JSON.stringify({ ...exampleDocument(), version });

/** Reads the file at once, and hands on what it read when the test says so. */
class SlowReads {
  #gate = Promise.withResolvers<void>();
  held = 0;

  constructor() {
    this.#gate.resolve();
  }

  hold(): void {
    this.#gate = Promise.withResolvers();
  }

  release(): void {
    this.#gate.resolve();
  }

  readonly read: typeof readRegularFile = async (path, maxBytes) => {
    const file = await readRegularFile(path, maxBytes);
    const { promise } = this.#gate;
    this.held += 1;
    await promise.finally(() => {
      this.held -= 1;
    });
    return file;
  };
}

/** A watch of the test's own: how often another file came under the name. */
function watching(file: string): Disposable & { readonly heard: number } {
  let heard = 0;
  const watcher = watch(dirname(file), (event, name) => {
    if (event === "rename" && name === basename(file)) heard += 1;
  });
  return {
    get heard() {
      return heard;
    },
    [Symbol.dispose]: () => watcher.close(),
  };
}

/** Lets file operations, promises and events have their turn until `condition` holds; the fake clock stands still. */
const soon = (what: string, condition: () => boolean) => eventually(condition, { what, everyMs: 1 });

describe("FileSource", () => {
  failOnLeaks();

  test("applies the file on start and says so", async () => {
    await using opened = await Opened.on(text("first"));
    await opened.source.start();
    expect(opened.version()).toBe("first");
    expect(opened.source.status()).toMatchObject({
      source: "file",
      path: opened.file,
      version: "first",
      checksum: expect.stringMatching(/^[0-9a-f]{64}$/),
      lastError: null,
    });
  });

  test.each([
    ["is missing", undefined, /ENOENT/],
    ["is not JSON", "{", /not JSON/],
    ["is faulty", "{}", /placements: missing/],
  ])("does not start when the file %s", async (_, content, words) => {
    await using opened = await Opened.on(content);
    const failure = await opened.source.start().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RoutingFileError);
    expect((failure as Error).message).toMatch(words);
    expect((failure as Error).message).toContain(opened.file);
    expect(opened.store.current()).toBeUndefined();
  });

  test("waits until the file has been quiet for 20 ms", async () => {
    const clock = new FakeClock();
    await using opened = await Opened.on(text("first"), clock);
    await opened.source.start();
    await soon("it waits for a change", () => waits(clock));
    await opened.replace(text("second"));
    await soon("it waits for quiet", () => clock.nextWakeInMs === 20);
    await clock.advance(19);
    expect(opened.version()).toBe("first");
    // An event that came late prolongs the wait; without any, the first 20 ms are enough.
    await opened.advanceUntilIdle(clock);
    expect(opened.version()).toBe("second");
    expect(clock.now()).toBeLessThanOrEqual(100);
  });

  test("reads at once on request, even while it waits for quiet", async () => {
    const clock = new FakeClock();
    await using opened = await Opened.on(text("first"), clock);
    await opened.source.start();
    await soon("it waits for a change", () => waits(clock));
    await opened.replace(text("second"));
    await soon("it waits for quiet", () => clock.nextWakeInMs === 20);
    opened.source.reload();
    await soon("it applies the file", () => opened.version() === "second");
    expect(clock.now()).toBe(0);
  });

  test("reads a file that is never quiet after 100 ms", async () => {
    const clock = new FakeClock();
    await using opened = await Opened.on(text("first"), clock);
    await opened.source.start();
    await soon("it waits for a change", () => waits(clock));
    using watcher = watching(opened.file);
    for (let write = 1; opened.version() === "first"; write++) {
      await opened.replace(text(`${write}`));
      // Both watches hear of it in the same turn: the source knows of this change before its present wait ends.
      await soon("the change is heard of", () => watcher.heard >= write);
      if (write > 1) await clock.advance(20);
      await soon("it waits for quiet, or is done", () => {
        return clock.nextWakeInMs === 20 || opened.version() !== "first";
      });
      expect(clock.now()).toBeLessThanOrEqual(100);
    }
    expect(clock.now()).toBe(100);
  });

  test("notices a change that comes while it reads", async () => {
    const clock = new FakeClock();
    // A read lasts as long as the test wants.
    const slow = new SlowReads();
    await using opened = await Opened.on(text("first"), clock, slow.read);
    await opened.source.start();
    await soon("it waits for a change", () => waits(clock));
    using watcher = watching(opened.file);
    await opened.replace(text("second"));
    slow.hold();
    opened.source.reload();
    await soon("it has read the file", () => slow.held === 1);
    await opened.replace(text("third"));
    await soon("the change during the read is heard of", () => watcher.heard >= 2);
    slow.release();
    await soon("it applies what it read", () => opened.version() !== "first");
    expect(opened.version()).toBe("second");
    await opened.advanceUntilIdle(clock);
    expect(opened.version()).toBe("third");
  });

  test("keeps the table while the file system hangs, says so, and goes on when it answers again", async () => {
    const clock = new FakeClock();
    const slow = new SlowReads();
    await using opened = await Opened.on(text("first"), clock, slow.read);
    await opened.source.start();
    await soon("it waits for a change", () => waits(clock));
    slow.hold();
    opened.source.reload();
    await soon("it has begun to read", () => slow.held === 1);
    await opened.replace(text("second"));
    // A fault counts once two looks agree, each with a deadline of five seconds.
    for (let look = 0; look < 2; look++) {
      await soon("it waits for the file system", () => (clock.nextWakeInMs ?? 0) > 1_000);
      await clock.advance(5_000);
      await soon("it has given up", () => (clock.nextWakeInMs ?? 0) <= 1_000);
      await clock.advance(20);
    }
    await soon("it says so", () => opened.source.status().lastError !== null);
    expect(opened.source.status().lastError?.faults).toEqual([
      "(file): the file system has not answered within 5000 ms",
    ]);
    expect(opened.version()).toBe("first");
    // However often it looks: nobody can take back what the system has begun.
    expect(slow.held).toBe(1);
    slow.release();
    await opened.advanceUntilIdle(clock);
    await clock.advance(1_000);
    await soon("it applies the new file", () => opened.version() === "second");
    expect(opened.source.status().lastError).toBeNull();
  });

  test("closes although the file system hangs", async () => {
    const slow = new SlowReads();
    await using opened = await Opened.on(text("first"), new FakeClock(), slow.read);
    await opened.source.start();
    slow.hold();
    opened.source.reload();
    await soon("it has begun to read", () => slow.held === 1);
    await opened.source.close();
    slow.release();
    expect(opened.events()).toEqual(["routing-applied"]);
  });

  test("closes although a large table is being decoded, and does not apply it", async () => {
    await using opened = await Opened.on(text("first"));
    await opened.source.start();
    await opened.replace(JSON.stringify(largeDocument(50_000, "large")));
    opened.source.reload();
    await opened.source.close();
    expect(opened.version()).toBe("first");
    expect(opened.source.status().lastError).toBeNull();
  });

  test("keeps the table while there are no descriptors left", async () => {
    const clock = new FakeClock();
    let isShort = false;
    const read: typeof readRegularFile = async (path, maxBytes) => {
      if (isShort) throw Object.assign(new Error("EMFILE: too many open files"), { code: "EMFILE" });
      return readRegularFile(path, maxBytes);
    };
    await using opened = await Opened.on(text("first"), clock, read);
    await opened.source.start();
    await soon("it waits for a change", () => waits(clock));
    isShort = true;
    await opened.replace(text("second"));
    await soon("it waits for quiet", () => clock.nextWakeInMs === 20);
    await opened.advanceUntilIdle(clock);
    await soon("it says so", () => opened.source.status().lastError !== null);
    expect(opened.version()).toBe("first");
    isShort = false;
    await clock.advance(1_000);
    await soon("it applies the file", () => opened.version() === "second");
    expect(opened.source.status().lastError).toBeNull();
  });

  test("finds within a second what no event told", async () => {
    const clock = new FakeClock();
    await using opened = await Opened.on(text("first"), clock);
    await opened.source.start();
    // A folder that comes back is watched by nobody until the next look.
    const directory = dirname(opened.file);
    await rename(directory, `${directory}-old`);
    await soon("it waits for quiet", () => clock.nextWakeInMs === 20);
    await opened.advanceUntilIdle(clock);
    expect(opened.source.status().lastError).not.toBeNull();
    await mkdir(directory);
    await writeFile(opened.file, text("second"));
    await clock.advance(1_000);
    await soon("it applies the file", () => opened.version() === "second");
  });

  test("says once that the file is missing, however often it looks", async () => {
    const clock = new FakeClock();
    await using opened = await Opened.on(text("first"), clock);
    await opened.source.start();
    await soon("it waits for a change", () => waits(clock));
    await rm(opened.file);
    for (let look = 0; look < 5; look++) {
      await soon("it waits", () => waits(clock));
      await clock.advance(1_000);
    }
    await soon("it misses the file", () => opened.source.status().lastError !== null && waits(clock));
    expect(opened.events().filter((event) => event === "routing-rejected")).toHaveLength(1);
    expect(opened.version()).toBe("first");
  });

  test("says nothing of a fault that is gone at the second look", async () => {
    const clock = new FakeClock();
    await using opened = await Opened.on(text("first"), clock);
    await opened.source.start();
    await soon("it waits for a change", () => waits(clock));
    await opened.replace("{");
    opened.source.reload();
    await soon("it has looked once", () => clock.nextWakeInMs === 20);
    await opened.replace(text("second"));
    await opened.advanceUntilIdle(clock);
    expect(opened.version()).toBe("second");
    expect(opened.events()).not.toContain("routing-rejected");
  });

  test("does not swap for other bytes with the same meaning", async () => {
    await using opened = await Opened.on(text("first"));
    await opened.source.start();
    const before = opened.source.status();
    await writeFile(opened.file, JSON.stringify(JSON.parse(text("first")), null, 9));
    opened.source.reload();
    await soon("it looks at the file", () => opened.events().includes("routing-unchanged"));
    expect(opened.store.current()?.sequence).toBe(1);
    expect(opened.source.status()).toEqual(before);
  });

  test("does not even decode the same bytes", async () => {
    await using opened = await Opened.on(text("first"));
    await opened.source.start();
    for (const version of ["first", "second"]) {
      await opened.replace(text(version));
      opened.source.reload();
    }
    await soon("it applies the other file", () => opened.version() === "second");
    expect(opened.events()).toEqual(["routing-applied", "routing-applied"]);
  });

  test("never lets the slow reading of a large table overwrite a later small one", async () => {
    await using opened = await Opened.on(text("first"));
    await opened.source.start();
    for (let round = 0; round < 3; round++) {
      await writeFile(opened.file, JSON.stringify(largeDocument(5_000, `large-${round}`)));
      opened.source.reload();
      await new Promise((resolve) => setImmediate(resolve));
      await writeFile(opened.file, text(`small-${round}`));
      opened.source.reload();
      await soon("it applies the small table", () => opened.version() === `small-${round}`);
    }
    // Whatever is still under way would come now, before a further change.
    await writeFile(opened.file, text("last"));
    await soon("it applies the last table", () => opened.version() === "last");
    const versions = opened.log.map(({ version }) => version);
    expect(versions.indexOf("large-2")).toBeLessThan(versions.indexOf("small-2"));
  });

  test("ends up with the file's content after any sequence of changes", async () => {
    const change = fc.oneof(
      fc.record({ kind: fc.constant("write" as const), valid: fc.boolean() }),
      fc.record({ kind: fc.constant("rename" as const), valid: fc.boolean() }),
      fc.record({ kind: fc.constantFrom("delete" as const, "request" as const), valid: fc.constant(true) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(change, fc.boolean()), { maxLength: 12 }), async (changes) => {
        await using opened = await Opened.on(text("first"));
        await opened.source.start();
        let lastValid = new Set(["first"]);
        for (const [at, [{ kind, valid }, pause]] of changes.entries()) {
          const content = valid ? text(`v${at}`) : "{";
          if (kind === "delete") await rm(opened.file, { force: true });
          else if (kind === "request") opened.source.reload();
          else if (kind === "write") await writeFile(opened.file, content);
          else await opened.replace(content);
          if (kind !== "request" && kind !== "delete" && valid) lastValid = lastValid.add(`v${at}`);
          if (pause) await new Promise((resolve) => setImmediate(resolve));
        }
        const content = await readFile(opened.file, "utf8").catch(() => undefined);
        await soon("the status tells what the file holds", () => {
          const { version, lastError } = opened.source.status();
          if (content === undefined || content === "{") return lastError !== null;
          return lastError === null && version === (JSON.parse(content) as { version: string }).version;
        });
        // Whatever happened, what is in use is something that was valid.
        expect(lastValid).toContain(opened.version());
      }),
      { numRuns: 25 },
    );
  });
});
