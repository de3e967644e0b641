// What `npm run exercise run` does with your entry-watch.ts and settling-reads.ts in the stage.

import type { DemoStep } from "../../../scripts/demo.ts";
import { replaceFile } from "../../../scripts/demos/routing-file.ts";

/** Without events the router looks once a second: much less than that means that your watch noticed. */
const noticedMs = 500;

export const steps: readonly DemoStep[] = [
  {
    title: "An editor renames a new file over routing.json, again and again",
    why: "The watch follows the name, not the file that the name led to when the watch began.",
    run: async (demo) => {
      const tookMs: number[] = [];
      for (const [index, cell] of ["tier2", "tier1", "tier2", "tier1"].entries()) {
        replaceFile(demo, `acme moves to ${cell}`, (file) => {
          file.version = `1.${index + 1}.0`;
          file.routingTable["acme"] = cell;
        });
        const startMs = performance.now();
        await demo.askUntil({ key: "acme", expect: { status: 200, routedTo: cell } });
        tookMs.push(performance.now() - startMs);
      }
      // The first one is noticed by any watch. A busy machine may delay one of the others.
      const bestMs = Math.round(Math.min(...tookMs.slice(1)));
      demo.act(`after the first, the quickest rename was in use after ${bestMs} ms`);
      demo.check(bestMs < noticedMs ? undefined : "only the look once a second noticed; the watch did not");
    },
  },
];
