// Fails a test that leaves sockets, servers, child processes or timers behind. A leak in one test is a strange failure
// in a later one, and in a router it is a file descriptor that never comes back.

import { createHook } from "node:async_hooks";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { eventually } from "./eventually.ts";

const counted = ["TCPSocketWrap", "TCPServerWrap", "PipeWrap", "ProcessWrap", "FSEventWrap", "StatWatcher"];

/** Watches this process from its making on. */
export class LeakWatch implements Disposable {
  readonly #before = counts();
  #looking = false;
  readonly #timers = new Map<number, { readonly timer: WeakRef<NodeJS.Timeout>; readonly madeAt: string }>();
  // Counting timers would not do: the test runner's own come and go, and one that goes would hide one that stays.
  readonly #hook = createHook({
    init: (id, type, _, resource) => {
      if (type !== "Timeout" || this.#looking) return;
      const madeAt = callerOf(new Error().stack ?? "");
      if (madeAt !== undefined)
        this.#timers.set(id, { timer: new WeakRef(resource as NodeJS.Timeout), madeAt });
    },
    destroy: (id) => void this.#timers.delete(id),
  }).enable();

  /** What was opened since and is still there, in words. */
  left(): string[] {
    const more = [...counts()]
      .map(([kind, count]) => [kind, count - (this.#before.get(kind) ?? 0)] as const)
      .filter(([, count]) => count > 0)
      .map(([kind, count]) => `${count} × ${kind}`);
    const timers = [...this.#timers.values()]
      .filter(({ timer }) => timer.deref()?.hasRef() === true)
      .map(({ madeAt }) => `a timer made ${madeAt}`);
    return [...more, ...timers];
  }

  /**
   * Resolves once nothing is left.
   *
   * @param deadlineMs Closing takes a turn or two of the event loop, so the first look is not the verdict. @default 3000
   * @throws Error naming what is left
   */
  async expectNothingLeft(deadlineMs = 3000): Promise<void> {
    // The wait below makes timers of its own.
    this.#looking = true;
    try {
      await eventually(() => this.left().length === 0, { what: "nothing left behind", deadlineMs });
    } catch {
      throw new Error(`The test left behind: ${this.left().join(", ")}`);
    } finally {
      this.#looking = false;
    }
  }

  [Symbol.dispose](): void {
    this.#hook.disable();
  }
}

/**
 * Call it once at the top of a test file or a `describe`.
 *
 * @param per `test` looks after each test; `file` once at the end, for files whose tests run side by side.
 */
export function failOnLeaks(per: "test" | "file" = "test"): void {
  let watch: LeakWatch | undefined;
  const begin = () => {
    watch = new LeakWatch();
  };
  const end = async () => {
    using finished = watch;
    await finished?.expectNothingLeft();
  };
  if (per === "test") {
    beforeEach(begin);
    afterEach(end);
  } else {
    beforeAll(begin);
    afterAll(end);
  }
}

/** How many resources of each kind keep this process alive. */
function counts(): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (counted.includes(kind)) found.set(kind, (found.get(kind) ?? 0) + 1);
  }
  return found;
}

/** The first frame outside Node and this file; undefined for a timer of Node's own or of the test runner. */
function callerOf(stack: string): string | undefined {
  const frame = stack
    .split("\n")
    .slice(1)
    .find((line) => !line.includes("node:") && !line.includes("leak-check.ts"));
  return frame === undefined || /node_modules\/(vitest|@vitest)\//.test(frame) ? undefined : frame.trim();
}
