// What `npm run exercise run` sends with your attempt.ts in the stage.

import { connect } from "node:net";
import type { DemoStep } from "../../../scripts/demo.ts";
import { ask } from "../../../scripts/http-request.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "A client leaves while the cell is still working",
    why: "The request to the cell is aborted: nobody waits for its response any more.",
    run: async (demo) => {
      const cell = demo.cell("tier1");
      demo.act("tier1 takes 30 seconds for each response");
      await cell.fault({ fault: "slow", delayMs: 30_000 });
      const { hostname, port } = new URL(demo.router.url);
      const client = connect({ host: hostname, port: Number(port) });
      client.on("error", () => {});
      client.write("GET /pay HTTP/1.1\r\nHost: cells\r\nX-Routing-Key: acme\r\n\r\n");
      await demo.until("the cell has the request", async () => (await cell.inFlight()) === 1);
      demo.act("the client disconnects");
      client.destroy();
      try {
        await demo.until("the cell's request to end", async () => (await cell.inFlight()) === 0, 3_000);
      } finally {
        await cell.fault({ fault: "none" });
      }
    },
  },
  {
    title: "A cell breaks off in the middle of its body",
    why: "The client's connection is broken too, so that half a response never looks whole.",
    run: async (demo) => {
      demo.act("tier2 sends 64 bytes of its body, then resets the connection");
      await demo.cell("tier2").fault({ fault: "drop-mid-body", afterBytes: 64 });
      const headers = { "X-Routing-Key": "globex" };
      const ending = await ask({ url: `${demo.router.url}/pay`, headers, timeoutMs: 3_000 }).then(
        () => "a whole response",
        (error: Error) => (error.name === "TimeoutError" ? "nothing, within 3 s" : "a broken connection"),
      );
      await demo.cell("tier2").fault({ fault: "none" });
      demo.act(`the client saw ${ending}`);
      demo.check(
        ending === "a broken connection" ? undefined : `expected a broken connection, got ${ending}`,
      );
    },
  },
];
