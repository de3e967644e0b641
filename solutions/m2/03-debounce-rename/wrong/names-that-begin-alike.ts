// Tells that the file under a name may have changed. It does not read the file, and does not say what happened: after a
// sign, somebody looks.

import { watch } from "node:fs";
import { basename, dirname } from "node:path";

/**
 * Calls `onChange` when what stands under `path` may have changed: written, replaced, removed, back again. It may be called
 * several times for one change, and it is not called for other names in the same folder.
 *
 * @param onFault Hears that the watch has broken; `onChange` is not called any more then.
 * @returns The function that ends the watch.
 * @throws When the folder cannot be watched.
 */
export function watchEntry(path: string, onChange: () => void, onFault: (error: Error) => void): () => void {
  // The folder, not the file: the kernel watches what the name leads to now (an inode), and whoever saves carefully
  // puts another file under the name.
  const directory = dirname(path);
  const names = new Set([basename(path), basename(directory)]);
  const watcher = watch(directory, (_, name) => {
    // An entry without interest: an editor's swap file, a log. The folder's own name: it was moved or removed.
    if (name === null || [...names].some((each) => name.startsWith(each))) onChange();
  });
  watcher.on("error", onFault);
  return () => watcher.close();
}
