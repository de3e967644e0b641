// Lets a fault decide when a watch reaches etcd: a gate in front of all nodes. While it is shut, watches that are asked for
// wait, and everything else passes.

import type { ServerResponse } from "node:http";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { type EtcdProxy, startEtcdProxy } from "./etcd-proxy.ts";

export class WatchGate {
  readonly #watches = new Set<ServerResponse>();
  readonly #waiting = new Set<ServerResponse>();
  #open = Promise.withResolvers<void>();

  constructor() {
    this.#open.resolve();
  }

  /** The gate in front of one node. */
  standBefore(nodeUrl: string): Promise<EtcdProxy> {
    return startEtcdProxy(nodeUrl, async (path, res) => {
      if (path !== "/v3/watch") return false;
      this.#watches.add(res);
      this.#waiting.add(res);
      res.once("close", () => {
        this.#watches.delete(res);
        this.#waiting.delete(res);
      });
      await this.#open.promise;
      this.#waiting.delete(res);
      // A control plane gives a watch up that brings nothing; etcd then need not hear of it.
      return res.destroyed;
    });
  }

  /** Ends every watch, and waits until `count` others have been asked for. They wait until `open`. */
  async shut(count: number): Promise<void> {
    this.#open = Promise.withResolvers();
    for (const watch of this.#watches) watch.destroy();
    await eventually(() => this.#waiting.size >= count, { what: `${count} watches wait at the gate` });
  }

  open(): void {
    this.#open.resolve();
  }
}
