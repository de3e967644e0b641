// A routing file in a folder of its own, and a source that follows it.

import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { eventually } from "../../../../shared/testkit/eventually.ts";
import type { FakeClock } from "../../../../shared/testkit/fake-clock.ts";
import { type Clock, systemClock } from "../../../../stages/m2/src/clock.ts";
import { TableStore } from "../../../../stages/m2/src/table-store.ts";
import { within } from "../../../support/check.ts";
import { FileSource } from "../starter/file-source.ts";

/** A table of that version, as text. */
export const tableText = (version: string): string =>
  JSON.stringify({
    version,
    defaultPlacement: "tier3",
    routingTable: { acme: "tier1" },
    placements: {
      tier1: { kind: "tier", url: "http://127.0.0.1:9001" },
      tier3: { kind: "tier", url: "http://127.0.0.1:9003" },
    },
  });

/** The same table in other bytes: laid out for people, and its members in another order. */
export const rearrangedText = (version: string): string => {
  const members = Object.entries(JSON.parse(tableText(version)) as object);
  return JSON.stringify(Object.fromEntries(members.reverse()), null, 2);
};

/** The table of that version with a tenant in a placement that does not exist. */
export const faultyText = (version: string, placement = "tier9"): string =>
  tableText(version).replace('"tier1"}', `"${placement}"}`);

export class FollowedFile implements AsyncDisposable {
  readonly file: string;
  readonly store = new TableStore();
  readonly source: FileSource;
  readonly #folder: string;
  readonly #lines: string[] = [];
  #days = 0;
  /** Rejects when the source breaks down where nobody catches it: a router's process ends there. */
  readonly #end: Promise<never>;
  readonly #onEnd: (reason: unknown) => void;

  private constructor(folder: string, clock: Clock) {
    this.#folder = folder;
    const { promise, reject } = Promise.withResolvers<never>();
    this.#end = promise;
    this.#end.catch(() => {});
    this.#onEnd = (reason) => reject(new Error(`the router's process ended here: ${reason}`));
    process.on("unhandledRejection", this.#onEnd);
    this.file = join(folder, "routing.json");
    const logger = pino({ base: null }, { write: (line: string) => void this.#lines.push(line) });
    this.source = new FileSource({
      path: this.file,
      store: this.store,
      logger,
      clock,
      // A day later each time, so that a date says when it was taken.
      wallClock: () => new Date(86_400_000 * this.#days++),
    });
  }

  /** Does not start the source. No file where `content` is undefined. */
  static async with(content: string | undefined, clock: Clock = systemClock): Promise<FollowedFile> {
    const followed = new FollowedFile(await mkdtemp(join(tmpdir(), "cell-routing-lkg-")), clock);
    if (content !== undefined) await writeFile(followed.file, content);
    return followed;
  }

  /** A source that has started with the table of version `first`. */
  static async started(clock: Clock = systemClock): Promise<FollowedFile> {
    const followed = await FollowedFile.with(tableText("first"), clock);
    await followed.source.start();
    return followed;
  }

  /** Puts another content under the name, whole. */
  async replace(content: string): Promise<void> {
    await writeFile(`${this.file}.new`, content);
    await rename(`${this.file}.new`, this.file);
  }

  remove(): Promise<void> {
    return rm(this.file);
  }

  /** The version that requests are routed by, and how many tables there have been. */
  inUse(): string {
    const snapshot = this.store.current();
    return snapshot === undefined ? "nothing" : `${snapshot.table.version}, table ${snapshot.sequence}`;
  }

  /** How many lines of the log hold those words. A watch that found nothing to watch is another matter. */
  count(words: string): number {
    const lines = this.#lines.filter((line) => !line.includes("routing-not-watched"));
    return lines.filter((line) => line.includes(words)).length;
  }

  /** Lets the source look at the file five times, a second apart. For a source on a fake clock. */
  async fiveLooks(clock: FakeClock): Promise<void> {
    // Between two looks, a second at most; the deadline of a look is further away.
    const isWaiting = () => clock.sleeping === 1 && (clock.nextWakeInMs ?? 0) <= 1_000;
    for (let look = 0; look < 5; look++) {
      await this.until("the next look", isWaiting);
      await clock.advance(1_000);
    }
    await this.until("the look to be over", isWaiting);
  }

  until(what: string, condition: () => boolean): Promise<unknown> {
    const holds = eventually(condition, { what, deadlineMs: 4_000, everyMs: 2 });
    return within(2_000, what, Promise.race([holds, this.#end]));
  }

  untilFault(): Promise<unknown> {
    return this.until(
      "status().lastError to say what is wrong",
      () => this.source.status().lastError !== null,
    );
  }

  untilNoFault(): Promise<unknown> {
    return this.until("status().lastError to be null again", () => this.source.status().lastError === null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A source that has broken down says so when it is closed; the test has seen it before.
    await this.source.close().catch(() => {});
    process.off("unhandledRejection", this.#onEnd);
    await rm(this.#folder, { recursive: true, force: true });
  }
}
