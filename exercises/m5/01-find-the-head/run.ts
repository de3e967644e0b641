// What `npm run exercise run` sends with your head-reader.ts in the stage.

import type { DemoStep } from "../../../scripts/demo.ts";
import { sendPieces } from "../../../scripts/demos/raw-pieces.ts";

const request = "GET /pay HTTP/1.1\r\nHost: cells\r\nX-Routing-Key: acme\r\n\r\n";

export const steps: readonly DemoStep[] = [
  {
    title: "A head that is cut in the middle of its last line end",
    why: "The empty line may begin in one piece and end in the next.",
    run: (demo) =>
      sendPieces(demo, "all but the last byte, then the last byte", [request.slice(0, -1), "\n"], [200]),
  },
  {
    title: "A head in single bytes",
    why: "The reader keeps its place between two bytes, so where a network cuts means nothing.",
    run: (demo) => sendPieces(demo, `a GET in ${request.length} pieces of one byte`, [...request], [200]),
  },
];
