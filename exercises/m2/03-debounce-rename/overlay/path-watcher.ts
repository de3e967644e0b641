// Stands in for the stage's `path-watcher.ts` while your `watchEntry` serves real traffic: it walks the path as the stage
// does, and has your function watch each entry on the way.

import { readlink, stat } from "node:fs/promises";
import { join, parse, resolve, sep } from "node:path";
import { watchEntry } from "../starter/entry-watch.ts";

/** Names by directory: whoever changes what a path leads to has to change one of these entries. */
type Entries = ReadonlyMap<string, ReadonlySet<string>>;

export class PathWatcher {
  readonly #path: string;
  readonly #onChange: () => void;
  readonly #onFault: (error: Error) => void;
  /** What ends each watch, by directory, inode and name: a directory that was replaced needs a new watch. */
  readonly #ends = new Map<string, () => void>();
  #closed = false;

  constructor(path: string, onChange: () => void, onFault: (error: Error) => void) {
    this.#path = resolve(path);
    this.#onChange = onChange;
    this.#onFault = onFault;
  }

  async refresh(): Promise<void> {
    const present = new Set<string>();
    for (const [directory, names] of await entriesOnTheWay(this.#path)) {
      const inode = await stat(directory).catch(() => undefined);
      if (inode === undefined || this.#closed) continue;
      for (const name of names) {
        const id = `${inode.dev}:${inode.ino}:${join(directory, name)}`;
        present.add(id);
        if (!this.#ends.has(id)) this.#watch(id, join(directory, name));
      }
    }
    for (const id of this.#ends.keys()) if (!present.has(id)) this.#unwatch(id);
  }

  close(): void {
    this.#closed = true;
    for (const id of this.#ends.keys()) this.#unwatch(id);
  }

  #watch(id: string, entry: string): void {
    const onFault = (error: Error): void => {
      this.#unwatch(id);
      this.#onFault(error);
    };
    try {
      this.#ends.set(id, watchEntry(entry, this.#onChange, onFault));
    } catch (error) {
      this.#onFault(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #unwatch(id: string): void {
    this.#ends.get(id)?.();
    this.#ends.delete(id);
  }
}

// #region way
/** Symbolic links in one path; the kernel gives up at 40 as well. */
const maxLinks = 40;

/**
 * Walks a path as the kernel does. On the way, a symbolic link is an entry that a deployment swaps (`current`,
 * Kubernetes' `..data`); at the end, the file's own name is one that an editor renames another file over.
 */
async function entriesOnTheWay(path: string): Promise<Entries> {
  const entries = new Map<string, Set<string>>();
  const { root } = parse(path);
  const partsOf = (absolute: string): string[] => absolute.slice(root.length).split(sep);
  const ahead = partsOf(path);
  let directory = root;
  for (let links = 0; links <= maxLinks; ) {
    const name = ahead.shift();
    if (name === undefined) break;
    const target = await readlink(join(directory, name)).catch(() => undefined);
    if (target !== undefined || ahead.length === 0) {
      entries.set(directory, (entries.get(directory) ?? new Set()).add(name));
    }
    if (target === undefined) {
      directory = join(directory, name);
    } else {
      links += 1;
      ahead.unshift(...partsOf(resolve(directory, target)));
      directory = root;
    }
  }
  return entries;
}
// #endregion way
