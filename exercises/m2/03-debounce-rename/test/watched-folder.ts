// A folder with one watched file in it, and a way to know that everything that happened so far has been heard.

import { once } from "node:events";
import { type FSWatcher, watch } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../../../shared/testkit/eventually.ts";
import { within } from "../../../support/check.ts";
import { watchEntry } from "../starter/entry-watch.ts";

export class WatchedFolder implements AsyncDisposable {
  readonly folder: string;
  readonly file: string;
  changes = 0;
  readonly end: () => void;
  readonly #own: FSWatcher;
  #marks = 0;

  private constructor(folder: string) {
    this.folder = folder;
    this.file = join(folder, "routing.json");
    this.#own = watch(folder);
    this.end = watchEntry(
      this.file,
      () => {
        this.changes += 1;
      },
      () => {},
    );
  }

  static async open(arrange = (file: string) => writeFile(file, "old")): Promise<WatchedFolder> {
    const folder = await mkdtemp(join(tmpdir(), "cell-routing-entry-"));
    await arrange(join(folder, "routing.json"));
    return new WatchedFolder(folder);
  }

  /** Whether something that is done is noticed. */
  async notices(what: string, act: () => Promise<unknown>): Promise<string> {
    const before = this.changes;
    await act();
    const noticed = eventually(() => this.changes > before, { what, deadlineMs: 2_000 });
    await within(800, `somebody to notice: ${what}`, noticed);
    await this.allHeard();
    return `noticed: ${what}`;
  }

  /** The kernel tells things in order: once this mark is heard, all that was before it has been told. */
  async allHeard(): Promise<void> {
    const mark = `mark-${this.#marks++}`;
    const heard = new Promise<void>((resolve) => {
      const listen = (_: string, name: string | Buffer | null) => {
        if (name !== mark) return;
        this.#own.off("change", listen);
        resolve();
      };
      this.#own.on("change", listen);
    });
    await writeFile(join(this.folder, mark), "");
    await within(2_000, "the test's own watch", heard);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
    const closed = once(this.#own, "close");
    this.#own.close();
    await closed;
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Calls `act`, and tells which of Node's watchers it has given listeners to. */
export function watchersOf<T>(act: () => T): { readonly watchers: readonly FSWatcher[]; readonly result: T } {
  const sample = watch(tmpdir());
  const prototype = Object.getPrototypeOf(sample) as FSWatcher;
  sample.close();
  const watchers = new Set<FSWatcher>();
  const names = ["on", "addListener", "once"] as const;
  for (const name of names) {
    const original = prototype[name];
    // An own property of the class shadows what it inherits from EventEmitter.
    Object.defineProperty(prototype, name, {
      configurable: true,
      value(this: FSWatcher, ...args: Parameters<typeof original>) {
        watchers.add(this);
        return original.apply(this, args);
      },
    });
  }
  try {
    return { result: act(), watchers: [...watchers] };
  } finally {
    for (const name of names) Reflect.deleteProperty(prototype, name);
  }
}
