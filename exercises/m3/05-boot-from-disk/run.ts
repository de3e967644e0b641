// What `npm run exercise run` does with your boot.ts in the stage: a second router starts while nothing else is there.

import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DemoStep } from "../../../scripts/demo.ts";
import { startRouter } from "../../../shared/testkit/router-process.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "A router starts; its control plane is away, and the snapshot on its disk is torn (up to 10 s)",
    why: "It moves the torn file away, takes the bootstrap file, and serves. It waits for nobody.",
    run: async (demo) => {
      const { stage, stageFolder } = demo.stack.options;
      const state = await mkdtemp(join(tmpdir(), "cell-routing-torn-"));
      try {
        await writeFile(join(state, "last-known-good"), '{"type":"snapshot","epoch":"e1","revision":7,');
        demo.act(
          "start a router with half a file as its last-known-good, and nobody on its control plane's port",
        );
        await using router = await startRouter({
          stage,
          main: join(stageFolder, "src", "main.ts"),
          routing: JSON.parse(await readFile(demo.routingFile, "utf8")),
          // Nobody listens on port 1.
          env: { STATE_DIR: state, CONTROL_PLANE_URL: "ws://127.0.0.1:1" },
          readyDeadlineMs: 10_000,
        });
        const response = await fetch(router.url, { headers: { "X-Routing-Key": "acme" } });
        await response.text();
        const routedTo = response.headers.get("x-routed-to") ?? "nobody";
        demo.act(`it answers ${response.status}, from ${routedTo}; its folder holds ${await readdir(state)}`);
        demo.check(response.status === 200 && routedTo === "tier1" ? undefined : "expected 200 from tier1");
        const files = await readdir(state);
        demo.check(
          files.includes("last-known-good.damaged") && !files.includes("last-known-good")
            ? undefined
            : "the torn file is still in its place",
        );
      } finally {
        await rm(state, { recursive: true, force: true });
      }
    },
  },
];
