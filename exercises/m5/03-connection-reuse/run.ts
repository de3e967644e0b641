// What `npm run exercise run` sends with your connection-reuse.ts in the stage: a cell of its own says over which of its
// connections a request came.

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import type { DemoContext, DemoStep } from "../../../scripts/demo.ts";
import { editFile } from "../../../scripts/demos/routing-file.ts";
import { ask, type ReceivedResponse } from "../../../scripts/http-request.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "Two connections to a cell, and then one request",
    why: "The connection used last is taken first: the others may rest until they are closed.",
    run: async (demo) => {
      await using cell = await NumberingCell.start();
      editFile(demo, "acme's cell is one that numbers its connections", (file) => {
        file.version = "2.0.0";
        Object.assign(file.placements["tier1"] ?? {}, { url: cell.url });
      });
      await demo.factBecomes("/debug/config", ["version"], { version: /^2\.0\.0$/ });
      const first = send(demo);
      await demo.until("the first request at the cell", () => cell.waiting === 1);
      const second = send(demo);
      await demo.until("the second request at the cell", () => cell.waiting === 2);
      cell.respond();
      demo.act(`the first request is served over ${(await first).body}`);
      cell.respond();
      demo.act(`the second request is served over ${(await second).body}`);
      const third = send(demo);
      await demo.until("the third request at the cell", () => cell.waiting === 1);
      cell.respond();
      const { body } = await third;
      demo.act(`the third request is served over ${body}`);
      demo.check(
        body === "connection 2" ? undefined : `expected connection 2, which was used last, not ${body}`,
      );
    },
  },
];

function send(demo: DemoContext): Promise<ReceivedResponse> {
  return ask({ url: `${demo.router.url}/pay`, headers: { "X-Routing-Key": "acme" } });
}

/** Responds when it is told to, in the order in which the requests came. */
class NumberingCell implements AsyncDisposable {
  readonly #server = createServer((socket) => this.#take(socket));
  readonly #sockets: Socket[] = [];
  readonly #waiting: (() => void)[] = [];

  static async start(): Promise<NumberingCell> {
    const cell = new NumberingCell();
    await once(cell.#server.listen(0, "127.0.0.1"), "listening");
    return cell;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  respond(): void {
    this.#waiting.shift()?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #take(socket: Socket): void {
    const body = `connection ${this.#sockets.push(socket)}`;
    socket.on("error", () => {});
    socket.on("data", () => {
      this.#waiting.push(() =>
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
      );
    });
  }
}
