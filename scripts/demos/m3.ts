// What m3 promises, shown: a control plane pushes one table to every router, and is never in the request path: it may
// be killed, and routers may restart without it.

import type { Demo } from "../demo.ts";
import { currentTag, moveKey, servedEverywhere } from "./control-plane.ts";
import { editFile } from "./routing-file.ts";

/** A router waits longer and longer, by chance, before it tries again; this is far beyond what a few seconds make. */
const reconnectMs = 60_000;

export const demo: Demo = {
  steps: [
    {
      title: "Routers take their table from the control plane",
      why: "Each router holds one link to the control plane, and the whole table in its own memory.",
      run: async (demo) => {
        for (const router of demo.stack.routers) {
          await demo.factBecomes(
            "/debug/config",
            ["source", "connected", "revision"],
            { source: /^control-plane$/, connected: /^true$/ },
            router,
          );
        }
        await servedEverywhere(demo, "acme", "tier1");
      },
    },
    {
      title: "One write reaches every router",
      why: "The control plane stores the new revision, pushes it, and each router acknowledges what it applied.",
      run: async (demo) => {
        await moveKey(demo, "acme", "tier2", await currentTag(demo), { status: 200 });
        await servedEverywhere(demo, "acme", "tier2");
      },
    },
    {
      title: "Of two operators who change the same revision, the second is told",
      why: "412: If-Match names a revision that is not the current one any more. Nobody's change is lost unseen.",
      run: async (demo) => {
        const tag = await currentTag(demo);
        await moveKey(demo, "globex", "tier1", tag, { status: 200 });
        await moveKey(demo, "globex", "tier3", tag, { status: 412 });
        await servedEverywhere(demo, "globex", "tier1");
      },
    },
    {
      title: "A table with a fault goes nowhere",
      why: "422: the control plane validates with the routers' own rules. No router ever sees this one.",
      run: async (demo) => {
        await moveKey(demo, "acme", "tier9", await currentTag(demo), { status: 422, body: /tier9/ });
        await servedEverywhere(demo, "acme", "tier2");
      },
    },
    {
      title: "The control plane dies",
      why: "It was never in the request path. The routers notice, say so, and go on with what they know.",
      run: async (demo) => {
        demo.act("kill the control plane (SIGKILL)");
        await demo.controlPlane.kill();
        await demo.factBecomes("/debug/config", ["source", "connected", "stalenessSeconds"], {
          source: /^control-plane$/,
          connected: /^false$/,
        });
        await servedEverywhere(demo, "acme", "tier2");
      },
    },
    {
      title: "A router restarts while the control plane is away",
      why: "It starts from the last-known-good snapshot on its own disk, not from the table that it was shipped with.",
      run: async (demo) => {
        demo.act(`restart ${demo.router.name}`);
        await demo.router.stop();
        await demo.router.start();
        await demo.fact("/debug/config", ["source", "connected", "revision"], {
          source: /^last-known-good$/,
          connected: /^false$/,
        });
        await servedEverywhere(demo, "acme", "tier2");
      },
    },
    {
      title: "The control plane comes back with another table",
      why: "Every router finds it again, each after a wait of its own, so that they do not all come at once.",
      run: async (demo) => {
        editFile(demo, "acme moves to tier1, while the control plane is away", (file) => {
          file.routingTable["acme"] = "tier1";
        });
        demo.act("start the control plane");
        await demo.controlPlane.start();
        await servedEverywhere(demo, "acme", "tier1", reconnectMs);
        for (const router of demo.stack.routers) {
          await demo.fact("/debug/config", ["source", "revision"], { source: /^control-plane$/ }, router);
        }
      },
    },
  ],
  tryThis: (stack) => {
    const url = stack.controlPlane?.url ?? "";
    // On its default address, `ctl` finds the control plane by itself.
    const at = url.endsWith(":8081") ? "" : ` -- --url ${url}`;
    return [
      `npm run ctl routers${at}`,
      `npm run ctl set acme tier3${at}`,
      `curl -i -H 'X-Routing-Key: acme' ${stack.routers[0]?.url}/pay`,
      `kill -9 ${stack.controlPlane?.pid} && curl -i -H 'X-Routing-Key: acme' ${stack.routers[0]?.url}/pay`,
    ];
  },
};
