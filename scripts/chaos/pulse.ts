// Whether a router still responds: one small request after the other, for a tenant on a clean cell. A process that lives and
// serves nobody is as bad as one that has ended.

import { setTimeout as delay } from "node:timers/promises";
import { sendRaw } from "../../shared/testkit/raw-client.ts";
import { cleanIdOf } from "./tags.ts";

/** A busy machine may take its time. */
const deadlineMs = 5_000;
const everyMs = 250;

export class Pulse {
  readonly #url: string;
  readonly #seed: number;
  #count = 0;

  constructor(url: string, seed: number) {
    this.#url = url;
    this.#seed = seed;
  }

  /** Resolves when two requests in a row were left without a response; never, when `signal` aborts first. */
  async stops(signal: AbortSignal): Promise<void> {
    for (let missed = 0; missed < 2; ) {
      missed = (await this.isFelt()) ? 0 : missed + 1;
      await delay(everyMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return await new Promise(() => {});
    }
  }

  /** Asks once. A connection that is refused or cut is somebody else's finding. */
  async isFelt(waitMs = deadlineMs): Promise<boolean> {
    const id = cleanIdOf(this.#seed, 997, this.#count++);
    const fields = `X-Routing-Key: visa\r\nX-Request-Id: ${id}\r\nConnection: close\r\n`;
    try {
      await sendRaw(this.#url, `GET /pay HTTP/1.1\r\nHost: a\r\n${fields}\r\n`, { deadlineMs: waitMs });
      return true;
    } catch (error) {
      return !String(error).includes("Nothing more arrived");
    }
  }
}
