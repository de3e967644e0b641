// The router's end of the protocol without the wire: messages in, replies out, and a table applied where it is due.
// Owns what the router holds. It knows no sockets, files or timers, so a test can put any network in front of it.

import {
  decide,
  decodeFromControlPlane,
  type Hello,
  isSamePosition,
  nackOf,
  type Position,
  protocolVersion,
  type RouterMessage,
  type Validated,
} from "./protocol.ts";
import type { RoutingTable } from "./routing-table.ts";

/** One link from open to close. A message that outlives its link is void. */
export interface Link {
  open: boolean;
  /** Epochs that this link has moved on from. */
  readonly superseded: Set<string>;
}

export type Received =
  | {
      readonly kind: "reply";
      /** Goes back over the link. */
      readonly reply: RouterMessage;
      readonly outcome: "applied" | "ignored" | "refused" | "current";
      /** The router holds what the control plane says is the newest. */
      readonly upToDate: boolean;
      /** What happened, for the log. */
      readonly words: string;
    }
  /** Not a message of this protocol: nothing that follows on this link can be trusted. */
  | { readonly kind: "fault"; readonly fault: string }
  /** The link closed meanwhile. */
  | { readonly kind: "void" };

export interface SnapshotReceiverDependencies {
  /** Reads and checks a routing document. May take its time and must not block. */
  readonly validate: (tableJson: Uint8Array) => Validated | Promise<Validated>;
  /** Makes the table current. Done before the acknowledgement goes out, so that an `ack` is never a promise. */
  readonly apply: (table: RoutingTable, position: Position) => void | Promise<void>;
}

export class SnapshotReceiver {
  readonly #deps: SnapshotReceiverDependencies;
  #held: Position | undefined;

  constructor(dependencies: SnapshotReceiverDependencies) {
    this.#deps = dependencies;
  }

  /** The position that this router runs; undefined while it runs no snapshot. */
  held(): Position | undefined {
    return this.#held;
  }

  hello(routerId: string): Hello {
    return { type: "hello", protocol: protocolVersion, routerId, have: this.#held ?? null };
  }

  openLink(): Link {
    return { open: true, superseded: new Set() };
  }

  // #region receive
  /** Takes one message. Call it again only when it has resolved: the order of the messages is their meaning. */
  async receive(bytes: Uint8Array, link: Link): Promise<Received> {
    if (!link.open) return { kind: "void" };
    const decoded = decodeFromControlPlane(bytes);
    if (!decoded.ok) return { kind: "fault", fault: decoded.fault };
    const { message, body } = decoded;
    const { epoch, revision, checksum } = message;
    const offered = { epoch, revision, checksum };
    switch (message.type) {
      case "snapshot":
        return await this.#onSnapshot(offered, body, link);
      case "current":
        return this.#onCurrent(offered);
      default:
        return message satisfies never;
    }
  }

  async #onSnapshot(offered: Position, tableJson: Uint8Array, link: Link): Promise<Received> {
    const { epoch, revision } = offered;
    let verdict = decide(this.#held, offered, link.superseded);
    if (verdict.kind === "validate") {
      const validated = await this.#deps.validate(tableJson);
      if (!link.open) return { kind: "void" };
      verdict = decide(this.#held, offered, link.superseded, validated);
    }
    switch (verdict.kind) {
      case "apply":
        if (this.#held !== undefined && this.#held.epoch !== epoch) link.superseded.add(this.#held.epoch);
        await this.#deps.apply(verdict.table, offered);
        this.#held = offered;
        return acknowledgement(offered, "applied", true, `revision ${revision}`);
      case "ignore":
        // Says what the router holds and not what came: the control plane learns the truth from late messages, too.
        return acknowledgement(
          this.#held ?? offered,
          "ignored",
          verdict.why === "same",
          `revision ${revision}: ${verdict.why}`,
        );
      case "nack":
        return {
          kind: "reply",
          reply: nackOf(offered, verdict.reasons),
          outcome: "refused",
          upToDate: false,
          words: `revision ${revision}: ${verdict.reasons.slice(0, 3).join("; ")}`,
        };
      case "validate":
        throw new Error("decide asked to validate what it was given validated");
      default:
        return verdict satisfies never;
    }
  }
  // #endregion receive

  #onCurrent(offered: Position): Received {
    if (this.#held === undefined || !isSamePosition(this.#held, offered))
      return {
        kind: "fault",
        fault: `"current" names revision ${offered.revision}, which this router has not`,
      };
    return acknowledgement(offered, "current", true, `revision ${offered.revision} is the newest`);
  }
}

function acknowledgement(
  { epoch, revision }: Position,
  outcome: "applied" | "ignored" | "current",
  upToDate: boolean,
  words: string,
): Received {
  return { kind: "reply", reply: { type: "ack", epoch, revision }, outcome, upToDate, words };
}
