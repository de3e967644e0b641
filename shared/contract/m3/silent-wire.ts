// A TCP proxy that can stop forwarding without closing anything: the wire of a half-open link. Neither end hears that
// the other one is gone.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class SilentWire implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #silent = false;

  private constructor(server: Server, targetPort: number) {
    this.#server = server;
    server.on("connection", (near) => {
      const far = connect({ host: "127.0.0.1", port: targetPort });
      const pair = [near, far] as const;
      this.#pairs.add(pair);
      for (const socket of pair) {
        socket.on("error", () => {});
        // On a silent wire, the end of one side is not passed on either.
        socket.on("close", () => this.#silent || pair.forEach((each) => void each.destroy()));
      }
      if (this.#silent) return;
      near.pipe(far, { end: false });
      far.pipe(near, { end: false });
    });
  }

  static async to(targetPort: number): Promise<SilentWire> {
    const server = createServer();
    server.listen({ host: "127.0.0.1", port: 0 });
    await once(server, "listening");
    return new SilentWire(server, targetPort);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on nothing passes, in either direction, on old connections and new ones. */
  silence(): void {
    this.#silent = true;
    for (const [near, far] of this.#pairs) {
      near.unpipe(far);
      far.unpipe(near);
      near.pause();
      far.pause();
    }
  }

  /** New connections are forwarded again; those that fell silent are cut. */
  mend(): void {
    this.#silent = false;
    this.#cut();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    this.#pairs.clear();
  }
}
