// What m1 promises, shown: a key decides the cell, a body streams, and a dead cell harms its own tenants only.

import type { Demo, DemoContext } from "../demo.ts";
import { servedBy } from "../demo-expect.ts";

export const demo: Demo = {
  steps: [
    {
      title: "A tenant with a cell of its own",
      why: "The table names visa's placement: a dedicated cell. Nobody else is served there.",
      run: (demo) => demo.ask({ key: "visa", path: "/pay", expect: servedBy("visa", "dedicated") }),
    },
    {
      title: "A tenant on a shared tier",
      why: "acme shares tier1 with others. The router reads the key, never the path or the body.",
      run: (demo) => demo.ask({ key: "acme", path: "/pay", expect: servedBy("tier1", "tier") }),
    },
    {
      title: "A tenant that the table does not know",
      why: "Unknown keys go to the default placement, tier3: a new tenant works before anybody edits the table.",
      run: (demo) => demo.ask({ key: "someone-new", path: "/pay", expect: servedBy("tier3", "default") }),
    },
    {
      title: "A request without a key",
      why: "Guessing a cell would mix tenants. The router refuses, and no cell sees the request.",
      run: (demo) =>
        demo.ask({ path: "/pay", expect: { status: 400, headers: { "x-routed-to": undefined } } }),
    },
    {
      title: "A body that streams",
      why: "The first half came back before the second was sent: nothing waits in the router, whatever the size.",
      run: streamBothWays,
    },
    {
      title: "A cell goes down",
      why: "502 says that the router is well and the cell is not. The other cells' tenants notice nothing.",
      run: async (demo) => {
        demo.act("stop cell tier1");
        await demo.cell("tier1").stop();
        await demo.ask({ key: "acme", path: "/pay", expect: { status: 502 } });
        await demo.ask({ key: "visa", path: "/pay", expect: servedBy("visa", "dedicated") });
      },
    },
    {
      title: "The cell comes back",
      why: "The router keeps no grudge: m1 tries the cell again with the next request.",
      run: async (demo) => {
        demo.act("start cell tier1");
        await demo.cell("tier1").start();
        await demo.ask({ key: "acme", path: "/pay", expect: servedBy("tier1", "tier") });
      },
    },
  ],
  tryThis: (stack) => {
    const router = stack.routers[0]?.url;
    return [
      `curl -i -H 'X-Routing-Key: visa' ${router}/pay`,
      `curl -i -H 'X-Routing-Key: someone-new' ${router}/pay`,
      `curl -i ${router}/pay`,
    ];
  },
};

/** The cell's `/echo` answers with the body as it arrives; the second half is not sent before the first is back. */
async function streamBothWays(demo: DemoContext): Promise<void> {
  const firstHalfBack = Promise.withResolvers<void>();
  async function* halves() {
    demo.act("send the first half of the body");
    yield "first half, ";
    await firstHalfBack.promise;
    demo.act("the first half came back; send the second half");
    yield "second half";
  }
  await demo.ask({
    key: "acme",
    path: "/echo",
    method: "POST",
    body: halves(),
    onChunk: () => firstHalfBack.resolve(),
    timeoutMs: 10_000,
    expect: { status: 200, routedTo: "tier1", body: /^first half, second half$/ },
  });
}
