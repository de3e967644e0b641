// What `npm run exercise run` sends with your chunked-reader.ts in the stage.

import type { DemoStep } from "../../../scripts/demo.ts";
import { sendPieces } from "../../../scripts/demos/raw-pieces.ts";

const head = "POST /pay HTTP/1.1\r\nHost: cells\r\nX-Routing-Key: acme\r\nTransfer-Encoding: chunked\r\n\r\n";

export const steps: readonly DemoStep[] = [
  {
    title: "A chunk whose size has a space behind it",
    why: "Another reader could take the line for something else, so the router refuses it and the cell never gets a whole body.",
    run: (demo) =>
      sendPieces(demo, "a chunked POST with the size `5 `", [`${head}5 \r\nhello\r\n0\r\n\r\n`], [400]),
  },
  {
    title: "An upload that contains the bytes of an end",
    why: "Only the sizes say what is data, even if a read ends behind those bytes.",
    run: (demo) =>
      sendPieces(
        demo,
        "a chunk of 5 bytes, 0 CR LF CR LF, and then the last chunk",
        [`${head}5\r\n0\r\n\r\n`, "\r\n0\r\n\r\n"],
        [200],
      ),
  },
];
