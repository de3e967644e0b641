// The files that HAProxy reads when it starts or reloads: its configuration and the maps. Written after each change, so that
// a reload by whomever, or a start after a crash, begins with the newest table.

import { createHash } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readRegularFile } from "../../../stages/m4/src/regular-file.ts";
import type { RoutingTable } from "../../../stages/m4/src/routing-table.ts";
import { type HaproxyOptions, haproxyConfig } from "../config.ts";
import { checkConfiguration } from "./haproxy-words.ts";
import { filesIn, type MasterFiles } from "./master-files.ts";

const maxFileBytes = 64 * 1024 * 1024;

/** What a configuration takes beside the table. */
export type ListenOptions = Omit<HaproxyOptions, "socket" | "folder">;

export class HaproxyFiles {
  readonly folder: string;
  readonly #options: ListenOptions;

  constructor(folder: string, options: ListenOptions) {
    this.folder = folder;
    this.#options = options;
  }

  get paths(): MasterFiles {
    return filesIn(this.folder);
  }

  /** Has HAProxy check what this table makes, beside the files in use. @throws HaproxyRefusal with its words */
  async check(table: RoutingTable): Promise<void> {
    const folder = join(this.folder, "candidate");
    // Whatever somebody has put into the place of one of them.
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const [name, content] of this.#contents(table, folder)) await writeFile(join(folder, name), content);
    await checkConfiguration(filesIn(folder).config);
  }

  /** Sets right each file that holds something else. @throws Error with why some could not be written; the others are right */
  async write(table: RoutingTable): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const faults: string[] = [];
    for (const [name, content] of this.#contents(table, this.folder))
      await setRight(join(this.folder, name), content).catch((error: Error) => faults.push(error.message));
    if (faults.length > 0) throw new Error(faults.join("; "));
  }

  /** What a worker that was started with this table's files calls itself. */
  description(table: RoutingTable): string {
    return digestOf(this.#config(table, this.folder).text);
  }

  #contents(table: RoutingTable, folder: string): ReadonlyMap<string, string> {
    const { text, maps } = this.#config(table, folder);
    return new Map([...maps, ["haproxy.cfg", withDescription(text)]]);
  }

  #config(table: RoutingTable, folder: string) {
    return haproxyConfig(table, { ...this.#options, folder, socket: filesIn(this.folder).runtimeSocket });
  }
}

/** The file is replaced whole: HAProxy may read it at any moment. A folder in its place is left to whoever has made it. */
async function setRight(path: string, content: string): Promise<void> {
  // Asked of the disk: somebody else may have changed the file, or removed it.
  const found = await readRegularFile(path, maxFileBytes).catch(() => undefined);
  if (found?.bytes.toString("utf8") === content) return;
  const next = `${path}.next`;
  await rm(next, { recursive: true, force: true });
  await writeFile(next, content, { mode: 0o600 });
  await rename(next, path);
}

/** A worker shows its `description` in `show info`: so the next agent knows whether it needs more than the Runtime API. */
function withDescription(text: string): string {
  return text.replace(/^global$/m, (head) => `${head}\n  description ${digestOf(text)}`);
}

/** Of everything that the Runtime API cannot change: limits of servers are left out. */
export function digestOf(text: string): string {
  const fixed = text.replace(/^(\s*server .*) maxconn \d+/gm, "$1");
  return createHash("sha256").update(fixed).digest("hex").slice(0, 16);
}
