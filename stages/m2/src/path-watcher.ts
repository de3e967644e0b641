// Tells that a file may have changed. It watches directories and never the file itself: the kernel watches what a name
// led to at first (an inode), and an editor, a deployment or Kubernetes puts another file under the name.

import { type FSWatcher, watch } from "node:fs";
import { readlink, stat } from "node:fs/promises";
import { basename, join, parse, resolve, sep } from "node:path";

/** Names by directory: whoever changes what a path leads to has to change one of these entries. */
type Entries = ReadonlyMap<string, ReadonlySet<string>>;

interface Watched {
  readonly watcher: FSWatcher;
  names: ReadonlySet<string>;
}

export class PathWatcher {
  readonly #path: string;
  readonly #onChange: () => void;
  readonly #onFault: (error: Error) => void;
  /** By directory and inode: a directory that was replaced needs a new watch under its old name. */
  readonly #watched = new Map<string, Watched>();
  #closed = false;

  /** `onFault` hears of a directory that cannot be watched, such as for want of inotify watches (ENOSPC). */
  constructor(path: string, onChange: () => void, onFault: (error: Error) => void) {
    this.#path = resolve(path);
    this.#onChange = onChange;
    this.#onFault = onFault;
  }

  /** Watches the directories on today's way to the file. Call it before each read, so that no change is lost. */
  async refresh(): Promise<void> {
    const present = new Set<string>();
    for (const [directory, names] of await entriesOnTheWay(this.#path)) {
      const inode = await stat(directory).catch(() => undefined);
      if (inode === undefined || this.#closed) continue;
      const id = `${inode.dev}:${inode.ino}:${directory}`;
      present.add(id);
      const known = this.#watched.get(id);
      if (known === undefined) this.#watch(id, directory, names);
      else known.names = names;
    }
    for (const id of this.#watched.keys()) if (!present.has(id)) this.#unwatch(id);
  }

  close(): void {
    this.#closed = true;
    for (const id of this.#watched.keys()) this.#unwatch(id);
  }

  #watch(id: string, directory: string, names: ReadonlySet<string>): void {
    try {
      const watcher = watch(directory, (_, name) => {
        // Other entries don't matter: an editor's swap file, a log. The directory's own name means that it was moved or removed.
        const relevant = name === null || name === basename(directory);
        if (relevant || this.#watched.get(id)?.names.has(name)) this.#onChange();
      });
      watcher.on("error", (error) => {
        this.#unwatch(id);
        this.#onFault(error);
      });
      this.#watched.set(id, { watcher, names });
    } catch (error) {
      this.#onFault(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #unwatch(id: string): void {
    this.#watched.get(id)?.watcher.close();
    this.#watched.delete(id);
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
