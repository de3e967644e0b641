// A control plane, three routers and the links between them, all in memory: the stage's own rules on both ends, and a
// network that loses, repeats and reorders at will. Whatever a router applies is checked as it happens.

import { Fleet } from "../src/control-plane/fleet.ts";
import { afterLoss, type History, isLostHistory, nextRevision } from "../src/control-plane/history.ts";
import type { Published, RouterLink } from "../src/control-plane/router-link.ts";
import { encode, encodeSnapshot, type Position, type Validated } from "../src/protocol.ts";
import { parseRoutingTable, type RoutingDocument, type RoutingTable } from "../src/routing-table.ts";
import { type Link, SnapshotReceiver } from "../src/snapshot-receiver.ts";

/** A valid document that is known by its number. */
function documentOf(content: number): RoutingDocument {
  const placements = { tier1: { kind: "tier", url: "http://127.0.0.1:9001" } } as const;
  return { version: `${content}`, defaultPlacement: "tier1", routingTable: {}, placements };
}

const checksumOf = (document: unknown): string => {
  // Any function of the content will do here; the wire wants 64 hex digits.
  let hash = 7;
  for (const character of JSON.stringify(document)) hash = (hash * 31 + character.charCodeAt(0)) % 2 ** 40;
  return hash.toString(16).padStart(64, "0");
};

function snapshotOf(position: Position, document: unknown): Uint8Array {
  return encodeSnapshot(position, JSON.stringify(document));
}

function validate(tableJson: Uint8Array): Validated {
  const document: unknown = JSON.parse(textOf(tableJson));
  const result = parseRoutingTable(document);
  return result.ok ? { ...result, checksum: checksumOf(document) } : result;
}

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Saved {
  readonly history: History;
  readonly content: number;
}

export class SimulatedControlPlane {
  #epochs = 0;
  #strangers = 0;
  #saved: Saved;
  #fleet: Fleet;
  #backups: Saved[] = [];
  /** Everything that was ever published, as `epoch.revision.checksum`. */
  readonly published = new Set<string>();

  constructor() {
    const history = {
      epoch: this.#newEpoch(),
      revision: 1,
      checksum: checksumOf(documentOf(0)),
      formerEpochs: [],
    };
    this.#saved = { history, content: 0 };
    this.#fleet = this.#started();
  }

  get position(): Position {
    return this.#saved.history;
  }

  get fleet(): Fleet {
    return this.#fleet;
  }

  publish(content: number): void {
    const checksum = checksumOf(documentOf(content));
    if (checksum === this.#saved.history.checksum) return;
    this.#save({ history: nextRevision(this.#saved.history, checksum, () => this.#newEpoch()), content });
  }

  backUp(): void {
    this.#backups.push(this.#saved);
  }

  /** A router of another fleet says hello: its history is none of this store's. The links of the others stay. */
  strangerComes(): void {
    this.#strangers += 1;
    const have = { epoch: `elsewhere-${this.#strangers}`, revision: 1, checksum: checksumOf(documentOf(0)) };
    const link = this.#fleet.connect({ say: () => {}, send: (_, done) => done(), close: () => {} });
    const hello = encode({ type: "hello", protocol: 1, routerId: "stranger", have });
    this.#fleet.receive(link, bytesOf(hello), 0);
    this.#fleet.disconnect(link, 0);
  }

  /** Starts again from what is on disk. Every link is gone. */
  restart(): void {
    this.#fleet = this.#started();
  }

  /** Starts again from a backup: document, epoch and revision are all as they were, and nothing says so. */
  restore(which: number): void {
    const backup = this.#backups[which % Math.max(1, this.#backups.length)];
    if (backup !== undefined) this.#saved = backup;
    this.restart();
  }

  #started(): Fleet {
    this.#note();
    const onLostHistory = (have: Position) => {
      const { history, content } = this.#saved;
      if (!isLostHistory(history, have)) return;
      this.#save({ history: afterLoss(history, have, () => this.#newEpoch()), content });
    };
    return new Fleet(this.#frame(), 0, { onLostHistory, onNack: () => {} });
  }

  #save(saved: Saved): void {
    this.#saved = saved;
    this.#note();
    this.#fleet.publish(this.#frame(), 0);
  }

  #note(): void {
    this.published.add(keyOf(this.#saved.history));
  }

  #frame(): Published {
    const { history, content } = this.#saved;
    return { history, frame: snapshotOf(history, documentOf(content)) };
  }

  #newEpoch(): string {
    this.#epochs += 1;
    return `epoch-${this.#epochs}`;
  }
}

function keyOf({ epoch, revision, checksum }: Position): string {
  return `${epoch}.${revision}.${checksum}`;
}

interface SimulatedLink {
  readonly routerLink: Link;
  readonly fleetLink: RouterLink;
  readonly toRouter: Uint8Array[];
  readonly toControlPlane: Uint8Array[];
  /** Every snapshot that was ever on its way down this link: the network may bring it again. */
  readonly snapshots: Uint8Array[];
  /** Something was lost on it: only a new link can make up for that. */
  lossy: boolean;
}

export class SimulatedRouter {
  readonly #id: string;
  readonly #controlPlane: SimulatedControlPlane;
  readonly #fault: (words: string) => void;
  #receiver: SnapshotReceiver;
  /** The message that brought the table in use: what a disk would hold. */
  #lastApplied: Uint8Array | undefined;
  #link: SimulatedLink | undefined;
  /** Highest revision applied in each epoch since this router started. */
  #highest = new Map<string, number>();

  constructor(id: string, controlPlane: SimulatedControlPlane, fault: (words: string) => void) {
    this.#id = id;
    this.#controlPlane = controlPlane;
    this.#fault = fault;
    this.#receiver = this.#started();
  }

  get held(): Position | undefined {
    return this.#receiver.held();
  }

  get linkIsSound(): boolean {
    return this.#link !== undefined && !this.#link.lossy;
  }

  connect(): void {
    this.disconnect();
    const toRouter: Uint8Array[] = [];
    const snapshots: Uint8Array[] = [];
    const wire = {
      say: (text: string) => void toRouter.push(bytesOf(text)),
      send: (frame: Uint8Array, done: () => void) => {
        toRouter.push(frame);
        snapshots.push(frame);
        done();
      },
      close: (_: number, reason: string) => this.#fault(`closed by the control plane: ${reason}`),
    };
    const link: SimulatedLink = {
      routerLink: this.#receiver.openLink(),
      fleetLink: this.#controlPlane.fleet.connect(wire),
      toRouter,
      toControlPlane: [bytesOf(encode(this.#receiver.hello(this.#id)))],
      snapshots,
      lossy: false,
    };
    this.#link = link;
  }

  disconnect(): void {
    if (this.#link === undefined) return;
    this.#link.routerLink.open = false;
    this.#controlPlane.fleet.disconnect(this.#link.fleetLink, 0);
    this.#link = undefined;
  }

  /** Starts again from what it saved: the newest, or none when the disk was slower than the crash. */
  async restart(savedInTime: boolean): Promise<void> {
    this.disconnect();
    this.#highest = new Map();
    this.#receiver = this.#started();
    if (!savedInTime) this.#lastApplied = undefined;
    if (this.#lastApplied !== undefined)
      await this.#receiver.receive(this.#lastApplied, this.#receiver.openLink());
  }

  /** Delivers the first message of one direction. False when there is none. */
  async deliver(direction: "down" | "up"): Promise<boolean> {
    const link = this.#link;
    const message = (direction === "down" ? link?.toRouter : link?.toControlPlane)?.shift();
    if (link === undefined || message === undefined) return false;
    if (direction === "up") {
      this.#controlPlane.fleet.receive(link.fleetLink, message, 0);
      return true;
    }
    const received = await this.#receiver.receive(message, link.routerLink);
    if (received.kind === "reply" && received.outcome === "applied") this.#lastApplied = message;
    // A router ends a link on which it understands nothing; `control-plane-client.ts` does the same.
    if (received.kind === "fault") link.lossy = true;
    if (received.kind === "reply") link.toControlPlane.push(bytesOf(encode(received.reply)));
    return true;
  }

  /** Does to the messages that are on their way what networks do. The hello stays first: without it there is no link. */
  disturb(how: "lose" | "repeat" | "swap" | "replay"): void {
    const link = this.#link;
    if (link === undefined) return;
    if (how === "replay") {
      link.lossy = true;
      link.toRouter.push(...link.snapshots);
      return;
    }
    for (const queue of [link.toRouter, link.toControlPlane]) {
      const first = queue[0] !== undefined && textOf(queue[0]).includes('"hello"') ? 1 : 0;
      if (queue.length <= first) continue;
      link.lossy = true;
      if (how === "lose") queue.splice(first, 1);
      if (how === "repeat") queue.push(queue[first] as Uint8Array);
      if (how === "swap") queue.splice(first, 2, ...queue.slice(first, first + 2).reverse());
    }
  }

  /** Puts a message of a control plane gone wrong on its way. */
  inject(message: Uint8Array): void {
    if (this.#link === undefined) return;
    this.#link.toRouter.push(message);
    this.#link.lossy = true;
  }

  #started(): SnapshotReceiver {
    const apply = (table: RoutingTable, position: Position) => this.#check(table, position);
    return new SnapshotReceiver({ validate, apply });
  }

  #check(table: RoutingTable, position: Position): void {
    const key = keyOf(position);
    if (!this.#controlPlane.published.has(key)) this.#fault(`applied ${key}, which was never published`);
    if (checksumOf(documentOf(Number(table.version))) !== position.checksum)
      this.#fault(`applied ${key} with another table`);
    const highest = this.#highest.get(position.epoch) ?? 0;
    if (position.revision <= highest) this.#fault(`went back to ${key} after revision ${highest}`);
    this.#highest.set(position.epoch, position.revision);
  }
}

/** Messages that must never change the table: broken ones, and snapshots of the position after `position`. */
export function rubbishAfter(position: Position): readonly Uint8Array[] {
  const next = { epoch: position.epoch, revision: position.revision + 1 };
  const broken = { ...documentOf(1), defaultPlacement: "nowhere" };
  return [
    bytesOf("{"),
    bytesOf("[]\n{}"),
    bytesOf('{"type":"surprise"}'),
    bytesOf('{"type":"snapshot"}'),
    snapshotOf({ ...next, checksum: checksumOf(documentOf(1)) }, documentOf(2)),
    snapshotOf({ ...next, checksum: checksumOf(broken) }, broken),
    snapshotOf(position, documentOf(999)),
  ];
}
