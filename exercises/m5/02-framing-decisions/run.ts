// What `npm run exercise run` sends with your framing.ts in the stage.

import type { DemoStep } from "../../../scripts/demo.ts";
import { sendPieces } from "../../../scripts/demos/raw-pieces.ts";

const head = "POST /pay HTTP/1.1\r\nHost: cells\r\nX-Routing-Key: acme\r\n";

export const steps: readonly DemoStep[] = [
  {
    title: "A request with both Content-Length and Transfer-Encoding",
    why: "Two readers could disagree where it ends, so it is refused.",
    run: (demo) =>
      sendPieces(
        demo,
        "a POST of 6 bytes by one field, of none by the other",
        [`${head}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG`],
        [400],
      ),
  },
  {
    title: "A request with a coding besides chunked",
    why: "The router knows no coding but chunked alone, so it cannot vouch for the body: 501.",
    run: (demo) =>
      sendPieces(
        demo,
        "a POST with Transfer-Encoding: gzip, chunked",
        [`${head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
        [501],
      ),
  },
];
