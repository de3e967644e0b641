// One folder belongs to one nginx: a second one would remove the first one's socket and write over its configuration. As in m3's
// store lock, a transaction of SQLite that never ends is a lock of the operating system, which ends with its process.

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** @see https://www.sqlite.org/rescode.html#busy the low byte is the code */
const busy = 5;

/** Held until it is disposed of, or the process ends. @throws Error when another process holds it */
export function lockFolder(folder: string): Disposable {
  const database = new DatabaseSync(join(folder, "lock"), { timeout: 200 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    const isBusy = error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === busy;
    if (isBusy)
      throw new Error(
        `${folder} is in use by another nginx of this project; set STATE_DIR to a folder of its own.`,
      );
    throw error;
  }
  let isHeld = true;
  return {
    [Symbol.dispose]: () => {
      if (isHeld) database.close();
      isHeld = false;
    },
  };
}
