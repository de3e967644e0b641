// What m2 promises, shown: the routing follows a file without a restart, a fault in the file harms nobody, and a
// request that is under way keeps the table that it began with.

import { readFileSync, writeFileSync } from "node:fs";
import type { Demo, DemoContext } from "../demo.ts";
import { servedBy } from "../demo-expect.ts";
import { cutFile, editFile, replaceFile } from "./routing-file.ts";

export const demo: Demo = {
  steps: [
    {
      title: "The table comes from a file",
      why: "routing.json is read and validated before the router accepts its first connection.",
      run: (demo) => demo.ask({ key: "acme", path: "/pay", expect: servedBy("tier1", "tier") }),
    },
    {
      title: "An edit moves a tenant, without a restart",
      why: "The file is validated as a whole and swapped in as a whole, within 100 ms of the write settling.",
      run: async (demo) => {
        editFile(demo, "acme moves to tier2, version 1.1.0", (file) => {
          file.version = "1.1.0";
          file.routingTable["acme"] = "tier2";
        });
        await demo.askUntil({ key: "acme", path: "/pay", expect: servedBy("tier2", "tier") });
        await demo.fact("/debug/config", ["version", "lastError"], {
          version: /^1\.1\.0$/,
          lastError: /^null$/,
        });
      },
    },
    {
      title: "A fault in the file harms nobody",
      why: "Last-known-good beats newest: the router names every fault, keeps its table, and waits for a better file.",
      run: async (demo) => {
        editFile(demo, "acme moves to tier9, which does not exist; tier1's URL is not one", (file) => {
          file.version = "1.2.0";
          file.routingTable["acme"] = "tier9";
          Object.assign(file.placements["tier1"] ?? {}, { url: "not a url" });
        });
        await demo.factBecomes("/debug/config", ["version", "lastError.faults"], {
          version: /^1\.1\.0$/,
          "lastError.faults": /tier9[\s\S]*placements\.tier1\.url|placements\.tier1\.url[\s\S]*tier9/,
        });
        await demo.ask({ key: "acme", path: "/pay", expect: servedBy("tier2", "tier") });
      },
    },
    {
      title: "So does half a file",
      why: "A write in progress and a full disk look the same to the router: not a table, so nothing is swapped.",
      run: async (demo) => {
        cutFile(demo);
        await demo.factBecomes("/debug/config", ["version", "lastError.faults"], {
          version: /^1\.1\.0$/,
          "lastError.faults": /not JSON/,
        });
        await demo.ask({ key: "acme", path: "/pay", expect: servedBy("tier2", "tier") });
      },
    },
    {
      title: "The file is mended",
      why: "The next good file is taken, and the fault is forgotten.",
      run: async (demo) => {
        demo.act("write a good routing.json: acme is back on tier1, version 1.3.0");
        writeFileSync(demo.routingFile, mended(demo));
        await demo.askUntil({ key: "acme", path: "/pay", expect: servedBy("tier1", "tier") });
        await demo.fact("/debug/config", ["version", "lastError"], {
          version: /^1\.3\.0$/,
          lastError: /^null$/,
        });
      },
    },
    {
      title: "A request under way keeps its table",
      why: "Each request reads one snapshot, once. tier2's connections close after their last request, not before.",
      run: removeUnderWay,
    },
  ],
  tryThis: (stack) => [
    `curl -i -H 'X-Routing-Key: acme' ${stack.routers[0]?.url}/pay`,
    `curl -s ${stack.routers[0]?.adminUrl}/debug/config`,
    `\${EDITOR:-vi} '${stack.routingFile}'`,
  ],
};

/** The stage's file with this stack's cells, as it was before the demo spoiled it. */
function mended(demo: DemoContext): string {
  const { stageFolder } = demo.stack.options;
  const file = JSON.parse(readFileSync(`${stageFolder}/routing.json`, "utf8"));
  for (const name of Object.keys(file.placements)) file.placements[name].url = demo.cell(name).url;
  return `${JSON.stringify({ ...file, version: "1.3.0" }, null, 2)}\n`;
}

/** tier2 leaves the table in the middle of a response that it is sending. */
async function removeUnderWay(demo: DemoContext): Promise<void> {
  const firstPiece = Promise.withResolvers<void>();
  const underWay = demo.ask({
    key: "globex",
    path: "/drip?chunks=10&intervalMs=100&bytes=16",
    onChunk: () => firstPiece.resolve(),
    expect: { status: 200, routedTo: "tier2", body: /^chunk 1 [\s\S]*chunk 10 .*\n$/ },
  });
  // It is awaited below; a step that fails before must not make its end an error of its own.
  underWay.catch(() => {});
  await Promise.race([firstPiece.promise, underWay]);
  replaceFile(demo, "tier2 is gone, globex moves to tier1, version 1.4.0", (file) => {
    file.version = "1.4.0";
    file.routingTable["globex"] = "tier1";
    delete file.placements["tier2"];
  });
  await demo.askUntil({ key: "globex", path: "/pay", expect: servedBy("tier1", "tier") });
  demo.act("the response that tier2 had begun arrives whole");
  await underWay;
}
