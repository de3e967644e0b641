// What `npm run exercise run` sends with your chunked-reader.ts in the stage.

import type { DemoStep } from "../../../scripts/demo.ts";
import { sendPieces } from "../../../scripts/demos/raw-pieces.ts";

const head = "POST /pay HTTP/1.1\r\nHost: cells\r\nX-Routing-Key: acme\r\nTransfer-Encoding: chunked\r\n\r\n";

export const steps: readonly DemoStep[] = [
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
  {
    title: "An upload with an extension, and the next request right behind it",
    why: "The body ends with its empty line. What follows belongs to the router and not to the cell.",
    run: (demo) =>
      sendPieces(
        demo,
        "a chunked POST and a GET in one piece",
        [`${head}5;x=y\r\nhello\r\n0\r\n\r\nGET /pay HTTP/1.1\r\nHost: cells\r\nX-Routing-Key: acme\r\n\r\n`],
        [200, 200],
      ),
  },
];
