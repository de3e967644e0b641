// The routers' end of m5's link, for the fleet bench: with deltas, where they are asked for.
import { systemClock as clock } from "../../stages/m5/src/clock.ts";
import { ControlPlaneClient } from "../../stages/m5/src/control-plane-client.ts";
import { patchDocument } from "../../stages/m5/src/delta/document-patch.ts";
import { IntakeBudget } from "../../stages/m5/src/intake-budget.ts";
import { SnapshotReceiver } from "../../stages/m5/src/snapshot-receiver.ts";
import { decodeTable, decodeTableOffloaded, offloadedFromBytes } from "../../stages/m5/src/table-decoder.ts";
import { type RouterEnd, sharing } from "./router-end.ts";

export const routerEnd: RouterEnd = {
  validate: async (tableJson) =>
    tableJson.length < offloadedFromBytes ? decodeTable(tableJson) : await decodeTableOffloaded(tableJson),
  patch: async (documentJson, patchJson) => await patchDocument(documentJson, patchJson),
  start({ url, token, routerId, maxMessageBytes, logger, incoming, validate, patch, onApplied }) {
    const dependencies = { validate, ...(patch && { patch }), apply: () => {} };
    const receiver = sharing(new SnapshotReceiver(dependencies), incoming);
    new ControlPlaneClient({
      urls: [url],
      readToken: async () => token,
      routerId,
      receiver,
      onApplied: () => onApplied(receiver.held()?.revision ?? 0),
      maxMessageBytes,
      budget: new IntakeBudget(clock.now()),
      clock,
      random: () => Math.random(),
      wallClock: () => new Date(),
      logger,
    }).start();
  },
};
