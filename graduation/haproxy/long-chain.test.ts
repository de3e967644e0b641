// HAProxy reads at most 64 words in a line of its configuration; a chain of fallbacks may be longer than that.

import { expect, test } from "vitest";
import { parseRoutingTable } from "../../stages/m4/src/routing-table.ts";
import { haproxyConfig } from "./config.ts";

test("no line of the configuration grows with the chain of fallbacks", () => {
  const names = Array.from({ length: 33 }, (_, n) => `tier${n}`);
  const placements = names.map((name, n) => [
    name,
    { kind: "tier", url: `http://127.0.0.1:${9100 + n}`, fallback: names.slice(n + 1, n + 17), health: {} },
  ]);
  const parsed = parseRoutingTable({
    version: "1",
    defaultPlacement: "tier0",
    routingTable: {},
    placements: Object.fromEntries(placements),
  });
  if (!parsed.ok) expect.fail(parsed.faults.join("\n"));
  const options = { host: "127.0.0.1", port: 8080, socket: "/run/r.sock", folder: "/run" };
  const lines = haproxyConfig(parsed.table, options).text.split("\n");
  const words = (line: string) =>
    line
      .replace(/'[^']*'/g, "quoted")
      .trim()
      .split(/\s+/).length;
  expect(lines.filter((line) => words(line) > 60)).toEqual([]);
});
