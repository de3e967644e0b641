// What the agent does to a running worker through its Runtime API, and what it reads back. Each method is one change as a request
// sees it: before it or after it, never in between.

import { type MapEntries, type MapFile, mapText } from "../maps.ts";
import type { RuntimeChange } from "../plan-change.ts";
import type { RuntimeApi } from "./runtime-api.ts";
import {
  parseMap,
  parseMapValue,
  parseServers,
  type ShownEntry,
  type ShownServer,
} from "./runtime-output.ts";

/** HAProxy refused a change or a configuration; the message holds its own words. */
export class HaproxyRefusal extends Error {
  override readonly name = "HaproxyRefusal";
}

/** A command and its payload must fit into one buffer of HAProxy, `tune.bufsize`: 16,384 bytes. */
const maxPayloadBytes = 12_000;

export class Worker {
  readonly #api: Pick<RuntimeApi, "send">;
  readonly #folder: string;

  /** @param folder Where the map files are: HAProxy knows a map by the path of its file. */
  constructor(api: Pick<RuntimeApi, "send">, folder: string) {
    this.#api = api;
    this.#folder = folder;
  }

  // #region entry
  /** One entry. `add map` on a key that is there would make a second entry, hidden behind the first: so `set map` comes first. */
  async setEntry(file: MapFile, key: string, value: string): Promise<void> {
    const words = `${this.#path(file)} ${key} ${value}`;
    const said = await this.#api.send(`set map ${words}`);
    if (said === "entry not found.") await this.#silent(`add map ${words}`);
    else if (said !== "") throw new HaproxyRefusal(`set map ${words}: ${said.slice(0, 300)}`);
  }

  async deleteEntry(file: MapFile, key: string): Promise<void> {
    await this.#silent(`del map ${this.#path(file)} ${key}`);
  }
  // #endregion entry

  // #region transaction
  /**
   * Replaces a whole map at one moment: a new version is filled beside the one in use, and takes its place.
   * https://docs.haproxy.org/2.6/management.html#9.3-prepare%20map
   */
  async replaceMap(file: MapFile, entries: MapEntries): Promise<void> {
    const path = this.#path(file);
    const said = await this.#api.send(`prepare map ${path}`);
    const version = /^New version created: (\d+)$/.exec(said)?.[1];
    if (version === undefined) throw new HaproxyRefusal(`prepare map ${file}: ${said}`);
    try {
      for (const payload of payloads(entries))
        await this.#silent(`add map @${version} ${path} <<\n${payload}`, `add map ${file}`);
      await this.#silent(`commit map @${version} ${path}`);
    } catch (error) {
      await this.#api.send(`clear map @${version} ${path}`).catch(() => "");
      throw error;
    }
  }
  // #endregion transaction

  async setLimit(change: Extract<RuntimeChange, { readonly backend: string }>): Promise<void> {
    const { backend, server, maxconn } = change;
    await this.#silent(`set maxconn server ${backend}/${server} ${maxconn}`);
  }

  async value(file: MapFile, key: string): Promise<string | undefined> {
    return parseMapValue(await this.#api.send(`get map ${this.#path(file)} ${key}`));
  }

  async entries(file: MapFile): Promise<ShownEntry[]> {
    return parseMap(await this.#api.send(`show map ${this.#path(file)}`));
  }

  async servers(): Promise<ShownServer[]> {
    return parseServers(await this.#api.send("show stat -1 4 -1"));
  }

  /** @throws HaproxyRefusal with what HAProxy says, where it should have said nothing */
  async #silent(command: string, name = command): Promise<void> {
    const said = await this.#api.send(command);
    if (said !== "") throw new HaproxyRefusal(`${name}: ${said.slice(0, 300)}`);
  }

  #path(file: MapFile): string {
    return `${this.#folder}/${file}`;
  }
}

/** The entries as payloads of `add map`, each of which fits. A payload ends with an empty line. */
export function* payloads(entries: MapEntries, maxBytes = maxPayloadBytes): Generator<string> {
  let lines: [string, string][] = [];
  let bytes = 0;
  for (const entry of entries) {
    // Keys are hex, and names are plain: as many bytes as characters.
    const entryBytes = entry[0].length + entry[1].length + 2;
    if (bytes + entryBytes > maxBytes && lines.length > 0) {
      yield mapText(new Map(lines));
      lines = [];
      bytes = 0;
    }
    lines.push(entry);
    bytes += entryBytes;
  }
  if (lines.length > 0) yield mapText(new Map(lines));
}
