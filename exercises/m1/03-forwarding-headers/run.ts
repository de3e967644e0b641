// What `npm run exercise run` sends with your forwarding.ts in the stage.

import type { DemoContext, DemoStep } from "../../../scripts/demo.ts";

export const steps: readonly DemoStep[] = [
  {
    title: "A request that came through another proxy",
    why: "X-Forwarded-For keeps every address that came, in order, and ends with the client of this router.",
    run: async (demo) => {
      const seen = await seenByCell(demo, { "X-Forwarded-For": "203.0.113.7" });
      demo.check(fault("x-forwarded-for", seen["x-forwarded-for"], "203.0.113.7, 127.0.0.1"));
    },
  },
  {
    title: "A client claims that it was routed already",
    why: "Only the router says where a request went; the client's own X-Routed-To never arrives.",
    run: async (demo) => {
      const seen = await seenByCell(demo, { "X-Routed-To": "visa" });
      demo.check(seen["x-routed-to"] === "visa" ? "the cell received the client's X-Routed-To" : undefined);
    },
  },
];

async function seenByCell(
  demo: DemoContext,
  headers: Record<string, string>,
): Promise<Record<string, string>> {
  demo.act(`send ${Object.entries(headers).map((pair) => pair.join(": "))}`);
  const response = await demo.ask({ key: "acme", headers, expect: { status: 200, routedTo: "tier1" } });
  return (JSON.parse(response.body) as { headers: Record<string, string> }).headers;
}

function fault(name: string, got: string | undefined, wanted: string): string | undefined {
  return got === wanted ? undefined : `the cell received ${name}: ${got}, instead of ${wanted}`;
}
