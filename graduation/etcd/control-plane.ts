// A stage's control plane with its table in etcd: the same API, the same protocol, and as many of them as you like on one
// cluster. Takes what a stage's takes from the environment, and ETCD_ENDPOINTS.
//
//   ETCD_ENDPOINTS=http://127.0.0.1:2379,http://127.0.0.1:22379 npx tsx graduation/etcd/control-plane.ts

import { randomUUID } from "node:crypto";
import { takeNoArguments } from "../../shared/testkit/no-arguments.ts";
import { systemClock as clock } from "../../stages/m4/src/clock.ts";
import type { OpenStore } from "../../stages/m4/src/control-plane/any-store.ts";
import { runControlPlane } from "../../stages/m4/src/control-plane/run.ts";
import { readDocument } from "../../stages/m4/src/control-plane/stored.ts";
import { readRegularFile } from "../../stages/m4/src/regular-file.ts";
import { EtcdClient } from "./etcd-client.ts";
import { Follower } from "./follower.ts";
import { readEtcdSettings } from "./settings.ts";
import { EtcdStore } from "./store.ts";

takeNoArguments(`Usage: npx tsx graduation/etcd/control-plane.ts
  Starts m4's control plane on etcd. Settings are those of m4's control plane, by environment variables
  (CONTROL_PLANE_PORT, STATE_DIR, LOG_LEVEL, …), and ETCD_ENDPOINTS and ETCD_PREFIX`);

/** A cluster that starts at the same time elects its leader first. */
const openBudgetMs = 20_000;

const { STORE: _, ...environment } = process.env;

const openEtcdStore: OpenStore = async ({ settings, logger, onPublish }) => {
  const { ETCD_ENDPOINTS: endpoints, ETCD_PREFIX: prefix } = readEtcdSettings(process.env);
  // base64 makes a table a third longer.
  const client = new EtcdClient({
    endpoints,
    prefix,
    maxBytes: 2 * settings.MAX_MESSAGE_BYTES + 65_536,
    clock,
  });
  const dependencies = {
    client,
    clock,
    tableKey: `${prefix}table`,
    newEpoch: (clusterId: string) => `${BigInt(clusterId).toString(16)}-${randomUUID().slice(0, 13)}`,
    newWriteId: randomUUID,
    maxMessageBytes: settings.MAX_MESSAGE_BYTES,
    onPublish,
    onFault: (error: Error) => logger.error({ event: "store-fault", cause: error.message }),
  };
  const seed = () => tableIn(settings.ROUTING_FILE, settings.MAX_MESSAGE_BYTES);
  const store = await EtcdStore.open(dependencies, seed, openBudgetMs).catch((error: Error) => {
    throw new Error(`Cannot start: ETCD_ENDPOINTS="${endpoints.join()}": ${error.message}`, { cause: error });
  });
  const follower = new Follower({ client, store, clock, random: () => Math.random(), logger });
  return {
    store,
    follow: () => follower.start(),
    close: () => Promise.all([follower.close(), store.close()]),
  };
};

/** The first table of a new cluster. @throws Error that names every fault */
async function tableIn(path: string, maxBytes: number): Promise<string> {
  const read = readDocument((await readRegularFile(path, maxBytes)).bytes);
  if (!read.ok) throw new Error(`the cluster is empty, and ${path} is no table: ${read.faults.join("\n")}`);
  return JSON.stringify(read.document);
}

await runControlPlane(openEtcdStore, environment);
