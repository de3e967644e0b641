// What `npm run exercise run` does with your outgoing.ts. The stage serves a request through it; and since a client cannot see
// how often the router called the system, a socket that counts does.

import type { DemoStep } from "../../../scripts/demo.ts";
import { Outgoing, type WriteTarget } from "./starter/outgoing.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "The stage serves a request through your file",
    why: "Batching changes when bytes leave, and not one of the bytes.",
    run: async (demo) => {
      await demo.ask({ key: "acme", path: "/pay", expect: { status: 200, routedTo: "tier1" } });
      await demo.ask({
        key: "acme",
        path: "/bytes/100000?chunked",
        expect: { status: 200, body: /^[0-9a-f]{100000}$/ },
      });
    },
  },
  {
    title: "A chunked response of two bytes",
    why: "Head, chunk and end wait for the flush, and leave in one system call.",
    run: async (demo) => {
      const socket = new CountingSocket();
      const outgoing = new Outgoing(socket);
      outgoing.text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      outgoing.chunking = true;
      outgoing.bodyBytes(Buffer.from("ok"), 0, 2);
      outgoing.endChunks();
      outgoing.flush();
      demo.act(`${socket.bytes} bytes in ${socket.systemCalls} system calls`);
      demo.check(
        socket.systemCalls === 1 ? undefined : `expected one system call, not ${socket.systemCalls}`,
      );
    },
  },
];

class CountingSocket implements WriteTarget {
  readonly writableNeedDrain = false;
  systemCalls = 0;
  bytes = 0;
  #corks = 0;
  #waits = false;

  write(data: string | Buffer): boolean {
    this.bytes += data.length;
    if (this.#corks === 0) this.systemCalls++;
    else this.#waits = true;
    return true;
  }

  cork(): void {
    this.#corks++;
  }

  uncork(): void {
    this.#corks = Math.max(0, this.#corks - 1);
    if (this.#corks > 0 || !this.#waits) return;
    this.#waits = false;
    this.systemCalls++;
  }
}
