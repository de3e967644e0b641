// Notices that somebody has edited the routing file by hand, and has the store read it once the file is quiet.

import type { Clock } from "../clock.ts";
import { PathWatcher } from "../path-watcher.ts";
import type { RoutingStore } from "./store.ts";

/** A write often comes in several steps; the file is read once it has been quiet for this long, in milliseconds. */
const settleMs = 20;

/** The file is read this often without any sign of a change: network file systems give none. In milliseconds. */
const rereadMs = 1_000;

export class ExternalEdits {
  readonly #store: RoutingStore;
  readonly #clock: Clock;
  readonly #watcher: PathWatcher;
  readonly #stop = new AbortController();
  #changed = false;
  #settling = false;
  #pause = new AbortController();
  #following: Promise<void> = Promise.resolve();

  /** `onFault` hears once of each folder that cannot be watched; the file is then read every second all the same. */
  constructor(path: string, store: RoutingStore, clock: Clock, onFault: (error: Error) => void) {
    this.#store = store;
    this.#clock = clock;
    const told = new Set<string>();
    const tell = (error: Error): void => {
      if (told.has(error.message)) return;
      told.add(error.message);
      onFault(error);
    };
    this.#watcher = new PathWatcher(path, () => this.#notice(), tell);
  }

  start(): void {
    this.#following = this.#follow();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#pause.abort();
    this.#watcher.close();
    await this.#following;
  }

  async #follow(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#watcher.refresh();
      // A change before the watch began is not lost: this reads the file first and waits afterwards.
      await this.#store.reread();
      if (!this.#changed) await this.#sleep(rereadMs);
      // Waits on while the file goes on changing, but not for ever.
      this.#settling = true;
      for (let settles = 0; this.#changed && settles < 5; settles++) {
        this.#changed = false;
        await this.#sleep(settleMs);
      }
      this.#settling = false;
      this.#changed = false;
    }
  }

  #notice(): void {
    this.#changed = true;
    if (!this.#settling) this.#pause.abort();
  }

  async #sleep(ms: number): Promise<void> {
    this.#pause = new AbortController();
    if (this.#stop.signal.aborted) return;
    await this.#clock.sleep(ms, this.#pause.signal).catch(() => {});
  }
}
