// Control planes on one cluster in memory, for tests of the store.

import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import {
  etagOf,
  removeKey,
  replaceDocument,
  type Stored,
  setKey,
} from "../../../stages/m4/src/control-plane/stored.ts";
import type { WriteResult } from "../../../stages/m4/src/control-plane/write-result.ts";
import { EtcdStore } from "../store.ts";
import { FakeEtcd } from "./fake-etcd.ts";

export const seed = {
  version: "1",
  defaultPlacement: "tier1",
  routingTable: { acme: "tier1" },
  placements: {
    tier1: { kind: "tier", url: "http://127.0.0.1:9001" },
    tier2: { kind: "tier", url: "http://127.0.0.1:9002" },
  },
};
export const edited = (version: string): string => JSON.stringify({ ...seed, version });

/** Control planes on one cluster, on a clock that does not wait. */
export function world() {
  const etcd = new FakeEtcd();
  const clock = new FakeClock();
  let names = 0;
  const open = async () => {
    const published: Stored[] = [];
    const faults: string[] = [];
    const dependencies = {
      client: etcd,
      clock,
      tableKey: "/p/table",
      newEpoch: () => `epoch-${++names}`,
      newWriteId: () => `write-${++names}`,
      maxMessageBytes: 10_000,
      onPublish: (stored: Stored) => published.push(stored),
      onFault: (error: Error) => faults.push(error.message),
    };
    const store = await EtcdStore.open(dependencies, async () => JSON.stringify(seed), 1_000);
    const tag = () => etagOf(store.current().history);
    const placement = () => store.current().document.routingTable["acme"];
    const set = (to: string, ifMatch = tag()) =>
      store.write(setKey("acme", to), (etag) => ifMatch === "*" || ifMatch === etag);
    const accepts = (ifMatch: string) => (etag: string) => ifMatch === "*" || ifMatch === etag;
    const remove = (key: string) => store.write(removeKey(key), accepts("*"));
    const replace = (version: string, ifMatch: string) => {
      const text = edited(version);
      return store.write(replaceDocument(Buffer.from(text), JSON.parse(text)), accepts(ifMatch));
    };
    return { store, published, faults, tag, placement, set, remove, replace };
  };
  /** Lets waits pass until `result` is there. */
  const passing = async (result: Promise<WriteResult>) => {
    let settled = false;
    const done = result.finally(() => {
      settled = true;
    });
    while (!settled) {
      await new Promise((resolve) => setImmediate(resolve));
      if (clock.sleeping > 0) await clock.advance(clock.nextWakeInMs ?? 0);
    }
    return await done;
  };
  return { etcd, open, passing };
}
