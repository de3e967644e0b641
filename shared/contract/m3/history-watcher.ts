// A router that only watches: it links again and again, takes every snapshot, and notices when one revision of an epoch
// comes with two contents. It outlives the control plane that it watches.

import { WebSocket } from "ws";
import type { ControlPlane } from "./contract.ts";
import { checksumOf } from "./scripted-control-plane.ts";

export class HistoryWatcher implements AsyncDisposable {
  readonly #controlPlane: ControlPlane;
  readonly #checksums = new Map<string, string>();
  readonly #problems: string[] = [];
  #isDone = false;
  #socket: WebSocket | undefined;
  readonly #watching: Promise<void>;

  constructor(controlPlane: ControlPlane) {
    this.#controlPlane = controlPlane;
    this.#watching = this.#watch();
  }

  /** How many revisions it has seen. */
  get seen(): number {
    return this.#checksums.size;
  }

  /** Revisions with two contents, and snapshots that are not what their head says. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDone = true;
    this.#socket?.terminate();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    while (!this.#isDone) {
      const { port, token } = this.#controlPlane;
      const headers = { Authorization: `Bearer ${token}` };
      const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/connect`, {
        headers,
        closeTimeout: 100,
      } as object);
      this.#socket = socket;
      socket.on("error", () => {});
      socket.on("open", () =>
        socket.send(JSON.stringify({ type: "hello", protocol: 1, routerId: "watcher", have: null })),
      );
      socket.on("message", (data) => this.#take(socket, String(data)));
      await new Promise((resolve) => socket.once("close", resolve));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #take(socket: WebSocket, message: string): void {
    const [head = "", table = ""] = message.split("\n");
    const { epoch, revision, checksum } = JSON.parse(head) as Record<string, string>;
    const position = `${epoch}.${revision}`;
    const before = this.#checksums.get(position);
    if (before !== undefined && before !== checksum) this.#problems.push(`${position} has two contents`);
    if (checksumOf(JSON.parse(table)) !== checksum) this.#problems.push(`${position} is damaged`);
    this.#checksums.set(position, String(checksum));
    socket.send(JSON.stringify({ type: "ack", epoch, revision }));
  }
}
