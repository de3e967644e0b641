// A gate in front of all nodes of etcd, for faults of the network between a control plane and etcd. It can keep watches back
// until it is too late, and lose the responses to transactions that etcd has carried out.

import type { ServerResponse } from "node:http";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { type EtcdProxy, isWrite, startEtcdProxy } from "./etcd-proxy.ts";

export class EtcdGate {
  /** Of how many transactions one loses its response; 0 for none. */
  loseEvery = 0;
  #transactions = 0;
  readonly #watches = new Set<ServerResponse>();
  readonly #waiting = new Set<ServerResponse>();
  #open = Promise.withResolvers<void>();

  constructor() {
    this.#open.resolve();
  }

  /** The gate in front of one node. */
  standBefore(nodeUrl: string): Promise<EtcdProxy> {
    return startEtcdProxy(nodeUrl, async (path, res, body) => {
      if (path === "/v3/watch") return await this.#hold(res);
      if (!isWrite(path, body) || this.loseEvery === 0) return false;
      if (++this.#transactions % this.loseEvery !== 0) return false;
      const response = await fetch(`${nodeUrl}${path}`, { method: "POST", body });
      await response.text();
      res.destroy();
      return true;
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

  async #hold(res: ServerResponse): Promise<boolean> {
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
  }
}
