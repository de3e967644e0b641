// The demo, without a reader: it throws when etcd, a control plane or the router does otherwise than it tells.

import { expect, test } from "vitest";
import { engineVersion } from "../topic.ts";
import { topic } from "./demo.ts";

test.skipIf(engineVersion("etcd") === undefined)("the etcd demo shows what it tells", async () => {
  const lines: string[] = [];
  const { signal } = new AbortController();
  const facts = await topic.run({ tell: (line) => lines.push(line), signal, stays: false });
  expect(facts).toMatchObject({ failedRequests: 0 });
  expect(lines.join("\n")).toContain("6/6");
});
