// The router's end of the protocol without the wire: messages in, replies out, and a table applied where it is due.
// Owns what the router holds. It knows no sockets, files or timers, so a test can put any network in front of it.

import {
  type ControlPlaneMessage,
  decide,
  decodeFromControlPlane,
  type Hello,
  isSamePosition,
  nackOf,
  type Position,
  protocolVersion,
  type RouterMessage,
  type SnapshotMessage,
} from "./protocol.ts";
import type { ParseResult, RoutingTable } from "./routing-table.ts";

/** One link from open to close. A message that outlives its link is void. */
export interface Link {
  open: boolean;
  /** Epochs that this link has moved on from. */
  readonly left: Set<string>;
}

export type Received =
  /** `upToDate`: the router holds what the control plane says is the newest. `reply` goes back over the link. */
  | {
      readonly kind: "reply";
      readonly reply: RouterMessage;
      readonly upToDate: boolean;
      readonly words: string;
    }
  /** Not a message of this protocol: nothing that follows on this link can be trusted. */
  | { readonly kind: "fault"; readonly fault: string }
  /** The link closed meanwhile. */
  | { readonly kind: "void" };

export interface SnapshotReceiverDependencies {
  readonly checksumOf: (document: unknown) => string | Promise<string>;
  readonly parse: (document: unknown) => ParseResult | Promise<ParseResult>;
  /** Makes the table current. Called before the acknowledgement, so that an `ack` is never a promise. */
  readonly apply: (table: RoutingTable, snapshot: SnapshotMessage) => void;
  /** Lets waiting requests run between two costly steps. */
  readonly breathe: () => Promise<void>;
}

export class SnapshotReceiver {
  readonly #deps: SnapshotReceiverDependencies;
  #held: Position | undefined;

  constructor(dependencies: SnapshotReceiverDependencies, held?: Position) {
    this.#deps = dependencies;
    this.#held = held;
  }

  /** The position that this router runs; undefined while it runs no snapshot. */
  held(): Position | undefined {
    return this.#held;
  }

  hello(routerId: string): Hello {
    return { type: "hello", protocol: protocolVersion, routerId, have: this.#held ?? null };
  }

  openLink(): Link {
    return { open: true, left: new Set() };
  }

  // #region receive
  /** Takes one message. Call it again only when it has resolved: the order of the messages is their meaning. */
  async receive(text: string, link: Link): Promise<Received> {
    if (!link.open) return { kind: "void" };
    const decoded = decodeFromControlPlane(text);
    if (!decoded.ok) return { kind: "fault", fault: decoded.fault };
    const message: ControlPlaneMessage = decoded.message;
    switch (message.type) {
      case "snapshot":
        return await this.#onSnapshot(message, link);
      case "current":
        return this.#onCurrent(message);
      default:
        return message satisfies never;
    }
  }

  async #onSnapshot(message: SnapshotMessage, link: Link): Promise<Received> {
    const { epoch, revision, checksum, table } = message;
    const offered = { epoch, revision, checksum };
    let verdict = decide(this.#held, offered, link.left);
    if (verdict.kind === "examine") {
      await this.#deps.breathe();
      const found = await this.#deps.checksumOf(table);
      await this.#deps.breathe();
      const parsed = await this.#deps.parse(table);
      if (!link.open) return { kind: "void" };
      verdict = decide(this.#held, offered, link.left, { checksum: found, parsed });
    }
    switch (verdict.kind) {
      case "apply":
        if (this.#held !== undefined && this.#held.epoch !== epoch) link.left.add(this.#held.epoch);
        this.#held = offered;
        this.#deps.apply(verdict.table, message);
        return this.#acknowledge(true, `applied revision ${revision}`);
      case "ignore":
        return this.#acknowledge(verdict.why === "same", `ignored revision ${revision}: ${verdict.why}`);
      case "nack":
        return {
          kind: "reply",
          reply: nackOf(offered, verdict.reasons),
          upToDate: false,
          words: `refused revision ${revision}: ${verdict.reasons.slice(0, 3).join("; ")}`,
        };
      case "examine":
        throw new Error("decide asked to examine what it was given examined");
      default:
        return verdict satisfies never;
    }
  }
  // #endregion receive

  #onCurrent(message: Position): Received {
    const held = this.#held;
    if (held !== undefined && isSamePosition(held, message))
      return this.#acknowledge(true, `revision ${held.revision} is the newest`);
    return {
      kind: "fault",
      fault: `"current" names revision ${message.revision}, which this router has not`,
    };
  }

  /** Always says what the router holds, so that the control plane learns the truth also from a late message. */
  #acknowledge(upToDate: boolean, words: string): Received {
    const held = this.#held;
    if (held === undefined) return { kind: "void" };
    return {
      kind: "reply",
      reply: { type: "ack", epoch: held.epoch, revision: held.revision },
      upToDate,
      words,
    };
  }
}
