// Clients that read and change the table through all control planes at once, until they are stopped. Each keeps to the
// rule of If-Match: it changes only what it has seen.

import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../../../shared/fuzz/random.ts";
import { type ControlPlaneAddress, type Recorder, UnexpectedResponse } from "../linearizability/recorder.ts";

export interface WritersOptions {
  readonly recorder: Recorder;
  readonly controlPlanes: readonly ControlPlaneAddress[];
  readonly clients: number;
  readonly seed: number;
}

/** Longest pause of a client between two operations, in milliseconds. */
const maxPauseMs = 25;

const storedDeadlineMs = 30_000;

export class Writers {
  readonly #options: WritersOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(options: WritersOptions) {
    this.#options = options;
    this.#running = Promise.all(Array.from({ length: options.clients }, (_, index) => this.#run(index)));
    // Told by `stop`.
    this.#running.catch(() => {});
  }

  /** Resolves when the operations under way have ended. @throws UnexpectedResponse */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(index: number): Promise<void> {
    const { recorder, controlPlanes, seed } = this.#options;
    const name = `client ${index + 1}`;
    const random = new Random(seed, index);
    let version: string | undefined;
    while (!this.#stop.signal.aborted) {
      // Also the one that is down: a client may know no better.
      const via = random.pick(controlPlanes);
      if (version === undefined || random.chance(30)) {
        version = await recorder.get(name, via).then(
          (seen) => seen.version,
          () => undefined,
        );
      } else {
        // A PUT now and then, so that the table stays small.
        const { outcome } = await recorder.write(name, via, random.chance(15) ? "put" : "patch", version);
        version = outcome.kind === "stored" ? outcome.version : undefined;
      }
      await delay(random.below(maxPauseMs));
    }
  }
}

/** Reads and writes through `via` until a write is stored, and returns its version. */
export async function writeUntilStored(
  recorder: Recorder,
  client: string,
  via: ControlPlaneAddress,
): Promise<{ readonly version: string; readonly marker: string }> {
  const startMs = performance.now();
  let last = "nothing was sent";
  while (performance.now() - startMs < storedDeadlineMs) {
    try {
      const { version } = await recorder.get(client, via);
      const { outcome, why = "", marker } = await recorder.write(client, via, "patch", version);
      if (outcome.kind === "stored") return { version: outcome.version, marker };
      last = `${outcome.kind} ${why}`;
    } catch (error) {
      if (error instanceof UnexpectedResponse) throw error;
      last = error instanceof Error ? error.message : String(error);
    }
    await delay(10);
  }
  throw new Error(`No write through ${via.name} was stored within ${storedDeadlineMs} ms; the last: ${last}`);
}
