// The program that follows a routing file with nginx. Skipped where nginx is not installed.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { projectRoot } from "../../../scripts/stages.ts";
import { startCell } from "../../../shared/cells/cell.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { pidsListeningOn } from "../../../shared/testkit/process-by-port.ts";
import { sendRaw } from "../../../shared/testkit/raw-client.ts";
import { startRouter } from "../../../shared/testkit/router-process.ts";
import { engineVersion } from "../../topic.ts";
import { placement } from "./scene.ts";

describe.skipIf(engineVersion("nginx") === undefined)("nginx behind the face of a stage", () => {
  const command = [process.execPath, join(projectRoot, "graduation", "nginx", "main.ts")];

  /** The whole table on one cell, so that a version is all that differs. */
  const textOf = (version: string, url: string, key: string) =>
    JSON.stringify({
      version,
      defaultPlacement: "one",
      routingTable: { [key]: "two" },
      placements: { one: placement(url), two: placement(url) },
    });

  test("follows its file, says which table nginx serves, and stops in order", async () => {
    await using cell = await startCell({ name: "one" });
    await using router = await startRouter({
      stage: "m4",
      command,
      routingText: textOf("v1", cell.url, "acme"),
    });
    const routedTo = async (key: string) => {
      const head = `GET / HTTP/1.1\r\nHost: a\r\nX-Routing-Key: ${key}\r\nConnection: close\r\n\r\n`;
      return (await sendRaw(router.url, head)).headers.one("x-routed-to");
    };
    const config = async () => {
      const response = await fetch(`${router.ready["adminUrl"]}/debug/config`);
      return (await response.json()) as { readonly version: string; readonly lastError: unknown };
    };
    expect([await routedTo("acme"), await routedTo("globex")]).toEqual(["two", "one"]);
    writeFileSync(join(router.directory, "routing.json"), textOf("v2", cell.url, "globex"));
    await eventually(async () => (await config()).version === "v2", {
      what: "the second table",
      deadlineMs: 10_000,
    });
    expect([await routedTo("acme"), await routedTo("globex")]).toEqual(["one", "two"]);
    writeFileSync(join(router.directory, "routing.json"), textOf("v3", "http://cell.invalid", "acme"));
    await eventually(async () => (await config()).lastError !== null, {
      what: "nginx's refusal",
      deadlineMs: 20_000,
    });
    expect([(await config()).version, await routedTo("globex")]).toEqual(["v2", "two"]);
    expect(await router.stop("SIGTERM")).toEqual({ code: 0, signal: null });
  });

  test("takes nginx with it when it is killed", async () => {
    await using cell = await startCell({ name: "one" });
    await using router = await startRouter({
      stage: "m4",
      command,
      routingText: textOf("v1", cell.url, "acme"),
    });
    const { port } = router;
    expect(pidsListeningOn(port)).not.toEqual([]);
    await router.program.kill();
    await eventually(() => pidsListeningOn(port).length === 0, {
      what: "nobody listens",
      deadlineMs: 10_000,
    });
  });
});
