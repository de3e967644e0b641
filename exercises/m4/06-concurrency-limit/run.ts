// What `npm run exercise run` does with your two files. The stage takes your concurrency-limit.ts; your limited.ts serves on a
// port of its own, two requests at a time, in front of tier1.

import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { DemoStep } from "../../../scripts/demo.ts";
import { ask } from "../../../scripts/http-request.ts";
import { ConcurrencyLimit } from "./starter/concurrency-limit.ts";
import { limited } from "./starter/limited.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "Two requests are served, two fail, and two clients leave; then five ask at once",
    why: "Each way of ending gives its permit back, once, so that exactly two permits are free again.",
    run: async (demo) => {
      const limit = new ConcurrencyLimit(2);
      const cell = demo.cell("tier1");
      const server = createServer(async (req, res) => {
        const serve = async (signal: AbortSignal) => {
          if (req.url === "/fails") throw new Error("the request fails");
          const response = await fetch(`${cell.url}/pay`, { signal });
          await response.arrayBuffer();
        };
        const outcome = await limited(limit, req.socket, serve).catch(() => "failed");
        res.writeHead(outcome === "overloaded" ? 503 : 200, { connection: "close" }).end(outcome);
      });
      await once(server.listen(0, "127.0.0.1"), "listening");
      const { port } = server.address() as AddressInfo;
      const url = `http://127.0.0.1:${port}`;
      try {
        demo.act("two requests are served, and two fail");
        for (let n = 0; n < 2; n++) await ask({ url: `${url}/pay` });
        for (let n = 0; n < 2; n++) await ask({ url: `${url}/fails` });
        demo.act("tier1 takes 2 seconds; two clients ask and leave");
        await cell.fault({ fault: "slow", delayMs: 2_000 });
        for (let n = 0; n < 2; n++) {
          const client = connect({ host: "127.0.0.1", port });
          client.on("error", () => {});
          const before = await cell.requests();
          client.write("GET /pay HTTP/1.1\r\nHost: cells\r\n\r\n");
          await demo.until(
            "the cell to have the request",
            async () => (await cell.requests()) > before,
            3_000,
          );
          client.destroy();
          await demo.until("the cell's work to end", async () => (await cell.inFlight()) === 0);
        }
        demo.act("five clients ask at once");
        const responses = await Promise.all(Array.from({ length: 5 }, () => ask({ url: `${url}/pay` })));
        const served = responses.filter(({ status }) => status === 200).length;
        demo.act(`${served} were served, ${5 - served} were told that it is overloaded`);
        demo.check(served === 2 ? undefined : `expected 2 to be served, not ${served}`);
      } finally {
        await cell.fault({ fault: "none" });
        server.close();
        server.closeAllConnections();
      }
    },
  },
];
