// Requests without a pause while something happens to the control plane, and the count of those that failed.

import { expect } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import { RawClient } from "../../testkit/raw-client.ts";
import { requestBytes } from "../messages.ts";

const keys = ["visa", "acme", "globex", "someone-new"];

export class Traffic implements AsyncDisposable {
  readonly #failures: string[] = [];
  readonly #asking: Promise<void>[];
  #done = false;
  #served = 0;

  /** Starts one client for each of four routing keys, each on a connection of its own. */
  constructor(url: string) {
    this.#asking = keys.map((key) => this.#ask(url, key));
  }

  /** Waits for some more responses, stops the clients, and fails unless every request was served. */
  async expectUntouched(): Promise<void> {
    const before = this.#served;
    const goesOn = () => this.#served >= before + keys.length * 2 || this.#failures.length > 0;
    await eventually(goesOn, { what: "requests are served", deadlineMs: 15_000 });
    await this[Symbol.asyncDispose]();
    expect(this.#failures).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#done = true;
    await Promise.all(this.#asking);
  }

  async #ask(url: string, key: string): Promise<void> {
    try {
      await using client = await RawClient.connect(url);
      while (!this.#done) {
        const response = await client.request(requestBytes({ key }));
        if (response.status === 200 && response.ending === "complete") this.#served += 1;
        else this.#failures.push(`${key}: ${response.status} ${response.text().slice(0, 200)}`);
        // A millisecond between two requests leaves the processor to the other processes of the test.
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    } catch (error) {
      this.#failures.push(`${key}: ${error}`);
    }
  }
}
