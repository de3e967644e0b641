// What the store on etcd is given: the cluster, what makes names, and who hears of what.

import type { Clock } from "../../stages/m4/src/clock.ts";
import type { Stored } from "../../stages/m4/src/control-plane/stored.ts";
import type { Etcd } from "./etcd-client.ts";

export interface EtcdStoreDependencies {
  readonly client: Etcd;
  readonly clock: Clock;
  /** The whole name of the key that holds the table, for what is told to people. */
  readonly tableKey: string;
  readonly newEpoch: (clusterId: string) => string;
  readonly newWriteId: () => string;
  /** A snapshot that would be larger on the wire is refused. */
  readonly maxMessageBytes: number;
  readonly onPublish: (stored: Stored, why: string) => void;
  readonly onFault: (error: Error) => void;
}
