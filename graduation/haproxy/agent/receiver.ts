// m4's receiver with one difference: here a table that is valid may still be refused, by HAProxy. Then the control plane hears
// HAProxy's own words in a nack, and the router goes on with what it has.

import { decodeFromControlPlane, nackOf } from "../../../stages/m4/src/protocol.ts";
import { type Link, type Received, SnapshotReceiver } from "../../../stages/m4/src/snapshot-receiver.ts";
import { HaproxyRefusal } from "./worker.ts";

export class HaproxyReceiver extends SnapshotReceiver {
  /** What HAProxy said to the last table, if it refused it. */
  refusal: HaproxyRefusal | undefined;

  override async receive(bytes: Uint8Array, link: Link): Promise<Received> {
    const superseded = new Set(link.superseded);
    this.refusal = undefined;
    try {
      return await super.receive(bytes, link);
    } catch (error) {
      const { message } = { message: undefined, ...decodeFromControlPlane(bytes) };
      if (!(error instanceof HaproxyRefusal) || message === undefined) throw error;
      this.refusal = error;
      // The link has not moved on: the epoch before is still the one in use.
      for (const epoch of link.superseded) if (!superseded.has(epoch)) link.superseded.delete(epoch);
      const words = `revision ${message.revision}: ${error.message}`;
      const reply = nackOf(message, error.message.split("; "));
      return { kind: "reply", reply, outcome: "refused", upToDate: false, words };
    }
  }
}
