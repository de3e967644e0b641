import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, test } from "vitest";
import { engineVersion } from "../../topic.ts";
import { checkConfiguration } from "../agent/haproxy-words.ts";
import { haproxyConfig } from "../config.ts";

import { tables } from "./tables.ts";

describe.skipIf(engineVersion("haproxy") === undefined)("the generated configuration", () => {
  test("is accepted by HAProxy, whatever names, keys and settings a valid table has", async () => {
    const folder = await mkdtemp(join(tmpdir(), "cell-routing-haproxy-"));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    const property = fc.asyncProperty(tables, async (table) => {
      const options = { host: "127.0.0.1", port: 8080, socket: `${folder}/r.sock`, folder };
      const { text, maps } = haproxyConfig(table, options);
      await writeFile(join(folder, "haproxy.cfg"), text);
      for (const [name, content] of maps) await writeFile(join(folder, name), content);
      await checkConfiguration(join(folder, "haproxy.cfg"));
    });
    await fc.assert(property, { numRuns: 12, seed: 16, endOnFailure: true });
  });
});
