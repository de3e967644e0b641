// The two ends of m3's links in virtual time: a control plane with the stage's own `Fleet` and history, routers that decide
// with the stage's own `decide`, and a network that takes its time.

import { Fleet } from "../../stages/m3/src/control-plane/fleet.ts";
import {
  afterLoss,
  type History,
  isLostHistory,
  nextRevision,
} from "../../stages/m3/src/control-plane/history.ts";
import type { RouterLink } from "../../stages/m3/src/control-plane/router-link.ts";
import {
  decide,
  decodeFromControlPlane,
  encode,
  encodeSnapshot,
  nackOf,
  type Position,
  protocolVersion,
  type RouterMessage,
  type Validated,
} from "../../stages/m3/src/protocol.ts";
import { parseRoutingTable, type RoutingDocument } from "../../stages/m3/src/routing-table.ts";

/** A valid document that is known by its number. */
export function documentOf(content: number): RoutingDocument {
  const tier = (port: number) => ({ kind: "tier", url: `http://127.0.0.1:${port}` }) as const;
  return {
    version: String(content),
    defaultPlacement: "tier3",
    routingTable: { acme: `tier${1 + (content % 3)}` },
    placements: { tier1: tier(9001), tier2: tier(9002), tier3: tier(9003) },
  };
}

/** Stands in for the stage's SHA-256, which comes from Node: any function of the content will do here. */
export function checksumOf(document: unknown): string {
  let hash = 7;
  for (const character of JSON.stringify(document)) hash = (hash * 31 + character.charCodeAt(0)) % 2 ** 40;
  return hash.toString(16).padStart(64, "0");
}

export interface Saved {
  readonly history: History;
  readonly content: number;
}

export class SimControlPlane {
  #saved: Saved;
  #fleet: Fleet;
  #epochs = 0;
  readonly #now: () => number;
  readonly #onNewEpoch: (epoch: string) => void;

  constructor(now: () => number, onNewEpoch: (epoch: string) => void) {
    this.#now = now;
    this.#onNewEpoch = onNewEpoch;
    const checksum = checksumOf(documentOf(1));
    this.#saved = {
      history: { epoch: this.#nextEpoch(), revision: 1, checksum, formerEpochs: [] },
      content: 1,
    };
    this.#fleet = this.#started();
  }

  get saved(): Saved {
    return this.#saved;
  }

  get fleet(): Fleet {
    return this.#fleet;
  }

  publish(content: number): void {
    const checksum = checksumOf(documentOf(content));
    this.#save({ history: nextRevision(this.#saved.history, checksum, () => this.#nextEpoch()), content });
  }

  /** Starts again from what is on disk, or from `backup`: document, epoch and revision as they were then. */
  restart(backup: Saved = this.#saved): void {
    this.#saved = backup;
    this.#fleet = this.#started();
  }

  #started(): Fleet {
    const onLostHistory = (have: Position) => {
      const { history, content } = this.#saved;
      if (!isLostHistory(history, have)) return;
      const next = afterLoss(history, have, () => this.#nextEpoch());
      this.#onNewEpoch(next.epoch);
      this.#save({ history: next, content });
    };
    return new Fleet(this.#frame(), this.#now(), { onLostHistory, onNack: () => {} });
  }

  #save(saved: Saved): void {
    this.#saved = saved;
    this.#fleet.publish(this.#frame(), this.#now());
  }

  #frame() {
    const { history, content } = this.#saved;
    return { history, frame: encodeSnapshot(history, JSON.stringify(documentOf(content))) };
  }

  #nextEpoch(): string {
    this.#epochs += 1;
    return `epoch-${this.#epochs}`;
  }
}

/** Both ends of one link. */
export interface SimLink {
  isOpen: boolean;
  readonly fleetLink: RouterLink;
  readonly superseded: Set<string>;
  /** When the last message of each direction arrives: the next one cannot overtake it. */
  readonly arrivesAtMs: { down: number; up: number };
}

export interface Received {
  readonly reply: RouterMessage;
  readonly words: string;
  readonly outcome: "applied" | "ignored" | "refused" | "current";
}

export class SimRouter {
  readonly id: string;
  held: Position | undefined;
  /** Number of the document in use. */
  content: number | undefined;
  link: SimLink | undefined;
  failures = 0;
  /** Whether it has lost its link and waits before it connects again. */
  isWaiting = false;

  constructor(id: string) {
    this.id = id;
  }

  hello(): RouterMessage {
    return { type: "hello", protocol: protocolVersion, routerId: this.id, have: this.held ?? null };
  }

  /** Takes one message, as `snapshot-receiver.ts` does, without waiting: here validating takes no time. */
  receive(bytes: Uint8Array, link: SimLink): Received {
    const decoded = decodeFromControlPlane(bytes);
    if (!decoded.ok) throw new Error(decoded.fault);
    const { epoch, revision, checksum, type } = decoded.message;
    const offered = { epoch, revision, checksum };
    const ack: RouterMessage = { type: "ack", epoch, revision };
    if (type === "current")
      return { reply: ack, outcome: "current", words: `revision ${revision} is the newest` };
    const validated = validate(decoded.body);
    const verdict = decide(this.held, offered, link.superseded, validated);
    switch (verdict.kind) {
      case "apply":
        if (this.held !== undefined && this.held.epoch !== epoch) link.superseded.add(this.held.epoch);
        this.held = offered;
        this.content = Number(verdict.table.version);
        return { reply: ack, outcome: "applied", words: `applies ${epoch} revision ${revision}` };
      case "ignore":
        return { reply: ack, outcome: "ignored", words: `ignores revision ${revision}: ${verdict.why}` };
      case "nack":
        return {
          reply: nackOf(offered, verdict.reasons),
          outcome: "refused",
          words: `refuses revision ${revision} and keeps ${this.held === undefined ? "nothing" : `revision ${this.held.revision}`}: ${verdict.reasons[0]?.slice(0, 40)}…`,
        };
      case "validate":
        throw new Error("decide asked to validate what it was given validated");
      default:
        return verdict satisfies never;
    }
  }
}

function validate(tableJson: Uint8Array): Validated {
  const document: unknown = JSON.parse(new TextDecoder().decode(tableJson));
  const result = parseRoutingTable(document);
  return result.ok ? { ...result, checksum: checksumOf(document) } : result;
}

export function bytesOf(message: RouterMessage): Uint8Array {
  return new TextEncoder().encode(encode(message));
}
