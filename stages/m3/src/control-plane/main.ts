// Starts the control plane on the store that this stage has: the routing file, owned by this process alone.

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { systemClock as clock } from "../clock.ts";
import type { OpenStore } from "./any-store.ts";
import { ExternalEdits } from "./external-edits.ts";
import { runControlPlane } from "./run.ts";
import { RoutingStore } from "./store.ts";
import { OwnerLost, StoreLock } from "./store-lock.ts";

const openFileStore: OpenStore = async ({ settings, logger, onPublish, onLost }) => {
  const owner = `process ${process.pid} on ${hostname()}, since ${new Date().toISOString()}`;
  const lock = await StoreLock.take(settings.ROUTING_FILE, settings.STATE_DIR, owner);
  const store = await RoutingStore.open({
    path: settings.ROUTING_FILE,
    historyPath: join(settings.STATE_DIR, "control-plane.json"),
    maxMessageBytes: settings.MAX_MESSAGE_BYTES,
    newEpoch: randomUUID,
    assertOwner: () => {
      try {
        lock.assertOwner();
      } catch (error) {
        if (error instanceof OwnerLost) onLost();
        throw error;
      }
    },
    onPublish,
    onFault: (error) => logger.error({ event: "store-fault", cause: error.message }),
  });
  const externalEdits = new ExternalEdits(settings.ROUTING_FILE, store, clock, (error) =>
    logger.warn({ event: "store-not-watched", cause: error.message }),
  );
  return {
    store,
    follow: () => externalEdits.start(),
    close: () => Promise.all([externalEdits.close(), store.close()]),
  };
};

await runControlPlane(openFileStore, process.env);
