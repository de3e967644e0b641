// What `npm run exercise run` does with your backoff.ts in the stage: four routers lose their control plane at once.

import type { DemoStep } from "../../../scripts/demo.ts";
import { startOwnRouter } from "../../../scripts/demos/own-router.ts";

/** The first two waits are drawn below these ceilings. */
const ceilingsMs = [1_000, 2_000];

export const steps: readonly DemoStep[] = [
  {
    title: "Four routers cannot reach their control plane",
    why: "Each wait is drawn from the whole range below its ceiling, so the routers do not come back together.",
    run: async (demo) => {
      const routers = await Promise.all(
        // Nobody listens on port 1.
        [1, 2, 3, 4].map(() => startOwnRouter(demo, { CONTROL_PLANE_URL: "ws://127.0.0.1:1" })),
      );
      const waits: number[][] = [];
      try {
        for (const router of routers) {
          const lost = () => router.logs().filter(({ event }) => event === "control-plane-lost");
          await demo.until("two attempts of each router", () => lost().length >= ceilingsMs.length, 15_000);
          waits.push(
            lost()
              .slice(0, ceilingsMs.length)
              .map(({ retryInMs }) => Number(retryInMs)),
          );
        }
      } finally {
        await Promise.all(routers.map((router) => router.stop("SIGKILL")));
      }
      demo.act(
        `their waits: ${waits.map((each) => each.map((ms) => `${ms} ms`).join(", then ")).join("; ")}`,
      );
      const shares = waits.flatMap((each) => each.map((ms, attempt) => ms / (ceilingsMs[attempt] ?? 1)));
      // Of eight honest draws, all lie above 85 % of the ceiling once in four million runs.
      demo.check(
        Math.min(...shares) < 0.85 ? undefined : "every wait lies just below its ceiling: they come together",
      );
    },
  },
];
