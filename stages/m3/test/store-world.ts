// A store on a planted disk, with everything that it ever published: what a test of crashes, faults and edits looks at.

import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RoutingStore } from "../src/control-plane/store.ts";
import { etagOf, type Stored, setKey } from "../src/control-plane/stored.ts";
import type { WriteResult } from "../src/control-plane/write-result.ts";
import type { RoutingDocument } from "../src/routing-table.ts";
import { PlantedDisk } from "./planted-disk.ts";

export function documentOf(version: string): RoutingDocument {
  return {
    version,
    defaultPlacement: "tier1",
    routingTable: { acme: "tier1" },
    placements: {
      tier1: { kind: "tier", url: "http://127.0.0.1:9001" },
      tier2: { kind: "tier", url: "http://127.0.0.1:9002" },
    },
  };
}

export class StoreWorld implements AsyncDisposable {
  readonly folder: string;
  readonly faults: string[] = [];
  /** Every revision that anybody may have seen, and its checksum. */
  readonly #given = new Map<string, string>();
  readonly #problems: string[] = [];
  #epochs = 0;

  static async make(): Promise<StoreWorld> {
    const world = new StoreWorld(await mkdtemp(join(tmpdir(), "cell-routing-store-")));
    await writeFile(world.path, JSON.stringify(documentOf("one")));
    return world;
  }

  private constructor(folder: string) {
    this.folder = folder;
  }

  get path(): string {
    return join(this.folder, "routing.json");
  }

  get historyPath(): string {
    return join(this.folder, "state", "control-plane.json");
  }

  /** Opens the store as a process that starts does. */
  async open(disk = new PlantedDisk(), onPublish = () => {}): Promise<RoutingStore> {
    const store = await RoutingStore.open({
      path: this.path,
      historyPath: this.historyPath,
      maxMessageBytes: 10_000,
      newEpoch: () => `epoch-${++this.#epochs}`,
      assertOwner: () => {},
      onPublish: (stored) => {
        this.#give(stored);
        onPublish();
      },
      onFault: (error) => this.faults.push(error.message),
      disk,
    });
    // A router that links now is sent it.
    this.#give(store.current());
    return store;
  }

  /** Moves acme, on top of what is current. */
  write(store: RoutingStore, placement = "tier2"): Promise<WriteResult> {
    const seen = etagOf(store.current().history);
    return store.write(setKey("acme", placement), (etag) => etag === seen);
  }

  /** The file, or undefined. */
  async text(): Promise<string | undefined> {
    return await readFile(this.path, "utf8").catch(() => undefined);
  }

  /** Names of everything that is there, and should not be left. */
  async leftOver(): Promise<string[]> {
    const names = [...(await readdir(this.folder)), ...(await readdir(join(this.folder, "state")))];
    const known = ["routing.json", "state", "control-plane.json"];
    return names.filter((name) => !known.includes(name));
  }

  async mtimeMs(): Promise<number> {
    return (await stat(this.path)).mtimeMs;
  }

  /** @throws Error when a revision was given to two contents */
  check(): void {
    if (this.#problems.length > 0) throw new Error(this.#problems.join("\n"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  #give({ history: { epoch, revision, checksum } }: Stored): void {
    const position = `${epoch}.${revision}`;
    const before = this.#given.get(position);
    if (before !== undefined && before !== checksum) this.#problems.push(`${position} has two contents`);
    this.#given.set(position, checksum);
  }
}
