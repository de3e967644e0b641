// A routing file in a folder of its own, and a source that follows it.

import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { eventually } from "../../../../shared/testkit/eventually.ts";
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

/** The table of that version with a tenant in a placement that does not exist. */
export const faultyText = (version: string): string => tableText(version).replace('"tier1"}', '"tier9"}');

export class FollowedFile implements AsyncDisposable {
  readonly file: string;
  readonly store = new TableStore();
  readonly source: FileSource;
  readonly #folder: string;
  readonly #events: string[] = [];
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
    const logger = pino(
      { base: null },
      { write: (line: string) => void this.#events.push(JSON.parse(line).event) },
    );
    this.source = new FileSource({
      path: this.file,
      store: this.store,
      logger,
      clock,
      today: () => new Date(0),
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

  count(event: string): number {
    return this.#events.filter((each) => each === event).length;
  }

  /** How many times the source has had something to say. */
  get said(): number {
    return this.#events.length;
  }

  until(what: string, condition: () => boolean): Promise<unknown> {
    const holds = eventually(condition, { what, deadlineMs: 2_000, everyMs: 2 });
    return within(1_000, what, Promise.race([holds, this.#end]));
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
