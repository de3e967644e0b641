// The routers' end of m3's link, for the fleet bench.
import { systemClock as clock } from "../../stages/m3/src/clock.ts";
import { ControlPlaneClient } from "../../stages/m3/src/control-plane-client.ts";
import { IntakeBudget } from "../../stages/m3/src/intake-budget.ts";
import { SnapshotReceiver } from "../../stages/m3/src/snapshot-receiver.ts";
import { decodeTable, decodeTableOffloaded, offloadedFromBytes } from "../../stages/m3/src/table-decoder.ts";
import { type RouterEnd, sharing } from "./router-end.ts";

export const routerEnd: RouterEnd = {
  validate: async (tableJson) =>
    tableJson.length < offloadedFromBytes ? decodeTable(tableJson) : await decodeTableOffloaded(tableJson),
  patch: undefined,
  start({ url, token, routerId, maxMessageBytes, logger, incoming, validate, onApplied }) {
    const receiver = sharing(new SnapshotReceiver({ validate, apply: () => {} }), incoming);
    new ControlPlaneClient({
      urls: url.split(","),
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
