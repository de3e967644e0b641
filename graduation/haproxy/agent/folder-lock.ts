// One folder, one agent: two would undo each other's changes on one HAProxy. The lock is the operating system's, on a file that
// SQLite holds open, and ends with the process, however that ends: m3's store-lock.ts has the reasons.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SettingsError } from "../../../stages/m4/src/settings.ts";

/** Takes the folder until this process ends. @throws SettingsError that names who has it */
export function lockFolder(folder: string): Disposable {
  const holder = join(folder, "agent.pid");
  const database = new DatabaseSync(join(folder, "agent.lock"));
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    throw new SettingsError(
      `Cannot start: ${folder} belongs to another agent, ${holderIn(holder)}; set STATE_DIR to another folder`,
      { cause: error },
    );
  }
  writeFileSync(holder, `${process.pid}\n`);
  return { [Symbol.dispose]: () => database.close() };
}

function holderIn(file: string): string {
  try {
    return `process ${Number(readFileSync(file, "utf8"))}`;
  } catch {
    return "which has just started";
  }
}
