// The routers' end of m5's link, for the fleet bench: with deltas, where they are asked for.
import { systemClock as clock } from "../../stages/m5/src/clock.ts";
import { ControlPlaneClient } from "../../stages/m5/src/control-plane-client.ts";
import { patchDocument } from "../../stages/m5/src/delta/document-patch.ts";
import { IntakeBudget } from "../../stages/m5/src/intake-budget.ts";
import {
  type Link,
  type Received,
  SnapshotReceiver,
  type SnapshotReceiverDependencies,
} from "../../stages/m5/src/snapshot-receiver.ts";
import { asideFromBytes, decodeTable, decodeTableAside } from "../../stages/m5/src/table-decoder.ts";
import type { RouterEnd, RouterEndOptions } from "./router-end.ts";

class SharingReceiver extends SnapshotReceiver {
  readonly #incoming: RouterEndOptions["incoming"];

  constructor(dependencies: SnapshotReceiverDependencies, incoming: RouterEndOptions["incoming"]) {
    super(dependencies);
    this.#incoming = incoming;
  }

  override receive(message: Uint8Array, link: Link): Promise<Received> {
    return super.receive(this.#incoming(message), link);
  }
}

export const routerEnd: RouterEnd = {
  examine: async (tableJson) =>
    tableJson.length < asideFromBytes ? decodeTable(tableJson) : await decodeTableAside(tableJson),
  patch: async (documentJson, patchJson) => await patchDocument(documentJson, patchJson),
  start({ url, token, routerId, maxMessageBytes, logger, incoming, examine, patch, onApplied }) {
    const receiver = new SharingReceiver({ examine, ...(patch && { patch }), apply: () => {} }, incoming);
    new ControlPlaneClient({
      url,
      readToken: async () => token,
      routerId,
      receiver,
      onApplied: () => onApplied(receiver.held()?.revision ?? 0),
      maxMessageBytes,
      budget: new IntakeBudget(clock.now()),
      clock,
      random: () => Math.random(),
      today: () => new Date(),
      logger,
    }).start();
  },
};
