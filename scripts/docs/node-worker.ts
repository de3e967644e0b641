// Stands in for the page's worker where there is no page: the same run in this thread, with Node's own modules. What the page
// says with its replacements for them is compared with this.

import { runAnswer, type TestsOf } from "../../site/exercise/check-in-page.ts";
import type { FromWorker, ToWorker } from "../../site/exercise/worker-messages.ts";

type Port = Pick<Worker, "postMessage" | "terminate" | "onmessage" | "onerror">;

export class NodeWorker implements Port {
  onmessage: Worker["onmessage"] = null;
  onerror: Worker["onerror"] = null;
  #tests: TestsOf | undefined;
  #externals: readonly string[] = [];

  /** As a `Worker`, of which the page uses no more than this. */
  static make(): Worker {
    return new NodeWorker() as unknown as Worker;
  }

  postMessage(message: ToWorker): void {
    if (message.kind === "prepare") {
      this.#tests = message.tests;
      this.#externals = message.externals.filter((name) => name !== "vitest");
    }
    if (message.kind === "check") void this.#check(message.answer);
  }

  terminate(): void {
    this.onmessage = null;
  }

  async #check(answer: Parameters<typeof runAnswer>[1]): Promise<void> {
    if (this.#tests === undefined) throw new Error("The worker is not prepared");
    const modules = await Promise.all(
      this.#externals.map(async (name) => [name, await import(name)] as const),
    );
    const context = { trace: () => {}, takePrinted: () => "", now: () => performance.now() };
    const results = await runAnswer(this.#tests, answer, new Map(modules), context);
    this.#tell({ kind: "results", results });
  }

  #tell(data: FromWorker): void {
    this.onmessage?.call(this as unknown as Worker, { data } as MessageEvent<FromWorker>);
  }
}
