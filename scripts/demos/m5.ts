// What m5 promises, shown: it reads every byte with a parser of its own, strictly, however the bytes arrive; and it
// keeps every promise of m4, whose steps follow as they are.

import { RawClient } from "../../shared/testkit/raw-client.ts";
import type { Demo, DemoContext } from "../demo.ts";
import { demo as m4 } from "./m4.ts";

const head = "Host: cells\r\nX-Routing-Key: acme\r\n";

export const demo: Demo = {
  steps: [
    {
      title: "A message that two parsers would read differently",
      why: "Content-Length or chunked? Whoever guesses can be made to see a request that the next one does not.",
      run: async (demo) => {
        const before = await demo.cell("tier1").requests();
        await send(
          demo,
          "a POST with both Content-Length and Transfer-Encoding",
          [`POST /pay HTTP/1.1\r\n${head}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG`],
          [400],
        );
        const after = await demo.cell("tier1").requests();
        demo.check(after === before ? undefined : "the cell saw a request that should have been refused");
      },
    },
    {
      title: "A request that arrives byte by byte",
      why: "The parser keeps its place between two bytes, so that a network's cuts mean nothing.",
      run: async (demo) => {
        const request = `GET /pay HTTP/1.1\r\n${head}\r\n`;
        await send(demo, `a GET in ${request.length} pieces of one byte`, [...request], [200]);
      },
    },
    {
      title: "Two requests in one packet",
      why: "Both are found in the same bytes, and answered in their order.",
      run: async (demo) => {
        const request = `GET /pay HTTP/1.1\r\n${head}\r\n`;
        await send(demo, "two GETs in one write", [request + request], [200, 200]);
      },
    },
    ...m4.steps,
  ],
  tryThis: m4.tryThis,
};

/** Sends these very bytes on one connection and holds the answers to `statuses`. */
async function send(
  demo: DemoContext,
  words: string,
  pieces: readonly string[],
  statuses: readonly number[],
): Promise<void> {
  demo.act(`send ${words}`);
  await using client = await RawClient.connect(demo.router.url);
  for (const piece of pieces) await client.write(piece);
  for (const status of statuses) {
    const answer = await client.readResponse({ method: "GET" });
    const placement = answer.headers.one("x-routed-to");
    demo.showAnswer(answer.status, placement === undefined ? {} : { "X-Routed-To": placement });
    demo.check(answer.status === status ? undefined : `expected status ${status}, got ${answer.status}`);
  }
}
