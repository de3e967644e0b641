// One folder belongs to one program: a second one would write over the first one's files and sockets. The lock is the operating
// system's, on a file that SQLite holds open, and ends with the process, however that ends: m3's store-lock.ts has the reasons.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SettingsError } from "../stages/m4/src/settings.ts";

/** @see https://www.sqlite.org/rescode.html#busy the low byte is the code */
const busy = 5;

/**
 * Held until it is disposed of, or this process ends. `owner` says what takes it, such as "agent".
 * @throws SettingsError that names who has it
 */
export function lockFolder(folder: string, owner: string): Disposable {
  const holder = join(folder, "lock.pid");
  const database = new DatabaseSync(join(folder, "lock"), { timeout: 200 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    const isBusy = error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === busy;
    if (!isBusy) throw error;
    throw new SettingsError(
      `Cannot start: ${folder} belongs to another ${owner}, ${holderIn(holder)}; set STATE_DIR to another folder`,
      { cause: error },
    );
  }
  writeFileSync(holder, `${process.pid}\n`);
  return {
    [Symbol.dispose]: () => {
      if (database.isOpen) database.close();
    },
  };
}

function holderIn(file: string): string {
  try {
    return `process ${Number(readFileSync(file, "utf8"))}`;
  } catch {
    return "which has just started";
  }
}
