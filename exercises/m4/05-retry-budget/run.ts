// What `npm run exercise run` sends with your retry-budget.ts in the stage.

import type { DemoStep } from "../../../scripts/demo.ts";
import { protect } from "../../../scripts/demos/protected-table.ts";
import { ask } from "../../../scripts/http-request.ts";

const requests = 40;

export const steps: readonly DemoStep[] = [
  {
    title: "Forty requests to a cell that fails them all",
    why: "A retry in fifty requests, and the two that were saved up before: the cell is not asked twice for everything.",
    run: async (demo) => {
      const retryBudget = { ratio: 0.02, minPerSecond: 0, maxBalance: 50 };
      const words = "tier2's requests may be retried once, out of a budget of one in fifty";
      await protect(
        demo,
        words,
        { tier2: { retries: { maxRetries: 1, baseMs: 1, capMs: 1 } } },
        { retryBudget },
      );
      const cell = demo.cell("tier2");
      demo.act("tier2 answers with 503");
      await cell.fault({ fault: "error", status: 503, healthToo: false });
      const before = await cell.requests();
      for (let n = 0; n < requests; n++)
        await ask({ url: `${demo.router.url}/pay`, headers: { "X-Routing-Key": "globex" } });
      const seen = (await cell.requests()) - before;
      await cell.fault({ fault: "none" });
      demo.act(`the cell saw ${seen} attempts for ${requests} requests`);
      demo.check(
        seen <= requests + 5 ? undefined : `expected at most ${requests + 5}: the budget does not hold`,
      );
    },
  },
];
