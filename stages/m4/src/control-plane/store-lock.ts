// One store has one owner. Two control planes on one store would overwrite each other's changes and give out the same
// revisions for different tables, so a second one does not start, and one that has lost its store stops.
//
// Node has no file locks, and SQLite, which is a part of Node, has good ones: a transaction that is begun and never ended
// holds a lock of the operating system on the database's file. It ends with the process, however that ends: there is no
// process id that another process may have by now, no lease that runs out while its holder stands still, and it works
// between containers that share a folder, and on network file systems that have locks. Nothing else of it is used.

import { closeSync, openSync, statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { codeOf, systemDisk } from "./disk.ts";

/** The store cannot be used: the message says what to change. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}

/** Somebody has removed or replaced the lock: another control plane may own the store by now. */
export class OwnerLost extends StoreError {}

interface Lock {
  readonly path: string;
  readonly database: DatabaseSync;
  readonly inode: string;
}

/** Time for another control plane that is just starting to write its name. In milliseconds. */
const busyTimeoutMs = 500;

// #region lock
export class StoreLock {
  readonly #routingFile: string;
  readonly #owner: string;
  readonly #history: Lock;
  #file: Lock | undefined;

  /**
   * Both halves of a store are locked, the folder with its history and the routing file: two stores that have either in
   * common are not two. `owner` is shown to whoever comes second.
   * @throws StoreError when another process owns one of them, or when they cannot be locked
   */
  static async take(routingFile: string, stateDir: string, owner: string): Promise<StoreLock> {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const path = join(stateDir, "control-plane.lock");
    const history = lock(path, `${routingFile} with its history in ${stateDir}`, owner);
    const store = new StoreLock(routingFile, owner, history);
    try {
      store.#lockFile();
    } catch (error) {
      store.release();
      throw error;
    }
    return store;
  }

  private constructor(routingFile: string, owner: string, history: Lock) {
    this.#routingFile = routingFile;
    this.#owner = owner;
    this.#history = history;
  }

  /**
   * The lock cannot be taken away, but its file can. Call this before each step that another owner would notice.
   * @throws OwnerLost when this process does not own the store any more, Error when that cannot be found out
   */
  assertOwner(): void {
    const { path, inode } = this.#history;
    if (inodeAt(path) !== inode)
      throw new OwnerLost(
        `${path} has been removed or replaced: another control plane may own this store by now`,
      );
    this.#lockFile();
  }

  release(): void {
    this.#history.database.close();
    this.#file?.database.close();
  }

  /** The routing file may be in another folder by now, such as when a deployment has swapped a symbolic link. */
  #lockFile(): void {
    const place = systemDisk.follow(this.#routingFile);
    const path = join(dirname(place), `.${basename(place)}.lock`);
    if (this.#file !== undefined && this.#file.path === path && inodeAt(path) === this.#file.inode) return;
    const next = canWriteBeside(path) ? lock(path, this.#routingFile, this.#owner) : undefined;
    this.#file?.database.close();
    this.#file = next;
  }
}
// #endregion lock

function lock(path: string, store: string, owner: string): Lock {
  let database: DatabaseSync | undefined;
  try {
    // Made before, to tell the file that is locked from one that is put in its place. From now on this process must not
    // open it by other means: who closes a file loses every lock that the process has on it.
    closeSync(openSync(path, "a", 0o600));
    const inode = inodeAt(path);
    database = new DatabaseSync(path, { timeout: busyTimeoutMs });
    noteOwner(database, owner);
    database.exec("BEGIN IMMEDIATE");
    if (inode === undefined || inodeAt(path) !== inode) throw new Error("it was replaced at the same moment");
    return { path, database, inode };
  } catch (error) {
    const isBusy = sqliteCodeOf(error) === busy;
    const holder = isBusy && database !== undefined ? ownerIn(database) : "";
    database?.close();
    if (!isBusy) throw new StoreError(`Cannot lock the store ${store}: ${path}: ${(error as Error).message}`);
    throw new OwnerLost(`The store ${store} is in use by another control plane${holder}`);
  }
}

/** The lock works without it: on a full disk, the owner just has no name. */
function noteOwner(database: DatabaseSync, owner: string): void {
  try {
    database.exec("BEGIN IMMEDIATE");
    database.exec("CREATE TABLE IF NOT EXISTS owner (words TEXT NOT NULL)");
    database.exec("DELETE FROM owner");
    database.prepare("INSERT INTO owner VALUES (?)").run(owner);
    database.exec("COMMIT");
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    if (sqliteCodeOf(error) === busy) throw error;
  }
}

function ownerIn(database: DatabaseSync): string {
  try {
    return `, ${database.prepare("SELECT words FROM owner").get()?.["words"]}`;
  } catch {
    return "";
  }
}

/** @see https://www.sqlite.org/rescode.html#busy the low byte is the code, the rest says more */
const busy = 5;

function sqliteCodeOf(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : undefined;
}

/** Who cannot make a file beside the routing file cannot replace that either. */
function canWriteBeside(path: string): boolean {
  try {
    closeSync(openSync(path, "a", 0o600));
    return true;
  } catch (error) {
    if (["EACCES", "EROFS", "EPERM", "ENOENT"].includes(codeOf(error) ?? "")) return false;
    throw error;
  }
}

function inodeAt(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? undefined : `${stats.dev}:${stats.ino}`;
}
