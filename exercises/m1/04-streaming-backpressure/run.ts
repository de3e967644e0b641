// What `npm run exercise run` sends with your request-body.ts in the stage. Your response-body.ts is not laid over it.

import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { DemoStep } from "../../../scripts/demo.ts";

const mebibyte = 1_048_576;
const size = 96 * mebibyte;

export const steps: readonly DemoStep[] = [
  {
    title: "A client uploads 96 MiB to a cell that does not read",
    why: "What the cell does not take stays with the client: the router holds a few buffers, not the upload.",
    run: async (demo) => {
      demo.act("tier1 reads nothing for 20 seconds");
      await demo.cell("tier1").fault({ fault: "slow", delayMs: 20_000 });
      const { hostname, port } = new URL(demo.router.url);
      const client = connect({ host: hostname, port: Number(port) });
      client.on("error", () => {});
      try {
        client.write(
          `POST /pay HTTP/1.1\r\nHost: cells\r\nX-Routing-Key: acme\r\nContent-Length: ${size}\r\n\r\n`,
        );
        for (let sent = 0; sent < size; sent += mebibyte) client.write(Buffer.alloc(mebibyte));
        // Until more has gone than buffers can hold, or nothing has moved for a while.
        let taken = takenOf(client);
        for (let stillMs = 0; taken <= size / 2 && stillMs < 3_000; stillMs += 200) {
          await delay(200);
          if (takenOf(client) > taken) stillMs = 0;
          taken = takenOf(client);
        }
        demo.act(`the router took ${Math.round(taken / mebibyte)} MiB from the client`);
        demo.check(taken > size / 2 ? "the router swallowed what the cell had not read" : undefined);
      } finally {
        client.destroy();
        await demo.cell("tier1").fault({ fault: "none" });
      }
    },
  },
];

/** Bytes that have left this process. */
function takenOf(client: { readonly bytesWritten: number; readonly writableLength: number }): number {
  return client.bytesWritten - client.writableLength;
}
