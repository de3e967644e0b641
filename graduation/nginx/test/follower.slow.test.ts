// The program that follows a routing file with nginx. Skipped where nginx is not installed.

import { mkdirSync, mkdtempSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { projectRoot } from "../../../scripts/stages.ts";
import { startCell } from "../../../shared/cells/cell.ts";
import { eventually, within } from "../../../shared/testkit/eventually.ts";
import { commandOf, pidsListeningOn } from "../../../shared/testkit/process-by-port.ts";
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

  test.each([
    ["next.conf", "EISDIR"],
    ["nginx.conf", "EISDIR"],
    ["access.log", "Is a directory"],
  ])("tries a table again while a folder stands in the place of %s", async (name, words) => {
    await using cell = await startCell({ name: "one" });
    const folder = mkdtempSync(join(tmpdir(), "nginx-retry-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    await using router = await startRouter({
      stage: "m4",
      command,
      routingText: textOf("v1", cell.url, "acme"),
      env: { STATE_DIR: folder },
    });
    const shows = (words: string) => async () =>
      (await (await fetch(`${router.ready["adminUrl"]}/debug/config`)).text()).includes(words);
    const inTheWay = join(folder, "nginx", name);
    rmSync(inTheWay, { force: true });
    mkdirSync(inTheWay);
    writeFileSync(join(router.directory, "routing.json"), textOf("v2", cell.url, "globex"));
    await eventually(shows(words), { what: "the fault", deadlineMs: 10_000 });
    rmdirSync(inTheWay);
    await eventually(shows('"version": "v2"'), { what: "the second table", deadlineMs: 10_000 });
    expect(await shows('"lastError": null')()).toBe(true);
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

  test("ends, and frees the port, when nginx's master is killed and a worker is left", async () => {
    await using cell = await startCell({ name: "one" });
    await using router = await startRouter({
      stage: "m4",
      command,
      routingText: textOf("v1", cell.url, "acme"),
    });
    const master = pidsListeningOn(router.port).find((pid) => commandOf(pid).join(" ").includes("master"));
    process.kill(master ?? 0, "SIGKILL");
    expect(await within(router.program.exited, 10_000, "the end")).toEqual({ code: 1, signal: null });
    expect(pidsListeningOn(router.port)).toEqual([]);
  });

  test("has its folder for itself: a second one does not start, and says why", async () => {
    await using cell = await startCell({ name: "one" });
    const options = { stage: "m4", command, routingText: textOf("v1", cell.url, "acme") } as const;
    await using router = await startRouter(options);
    const words = /belongs to another nginx of this project, process \d+; set STATE_DIR/;
    await expectNoStart({ ...options, env: { STATE_DIR: join(router.directory, "state") } }, words);
    const config = await fetch(`${router.ready["adminUrl"]}/debug/config`);
    expect(((await config.json()) as { readonly generation: number }).generation).toBe(1);
    writeFileSync(join(router.directory, "routing.json"), textOf("v2", cell.url, "acme"));
    await eventually(
      async () => (await (await fetch(`${router.ready["adminUrl"]}/debug/config`)).text()).includes('"v2"'),
      { what: "the first one reloads", deadlineMs: 10_000 },
    );
  });

  test("names the setting when its port is in use", async () => {
    await using cell = await startCell({ name: "one" });
    const options = { stage: "m4", command, routingText: textOf("v1", cell.url, "acme") } as const;
    const PORT = new URL(cell.url).port;
    const words = new RegExp(`Cannot start: PORT=${PORT} is in use; set PORT to a free port`);
    await expectNoStart({ ...options, env: { PORT } }, words);
  });

  test("starts with a relative folder and on an address of IPv6", async () => {
    await using cell = await startCell({ name: "one" });
    const folder = mkdtempSync(join(tmpdir(), "relative-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    await using router = await startRouter({
      stage: "m4",
      command,
      routingText: textOf("v1", cell.url, "acme"),
      env: { STATE_DIR: relative(process.cwd(), folder), HOST: "::1" },
    });
    const { url } = router.ready;
    expect(url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    const response = await fetch(`${url}/`, { headers: { "X-Routing-Key": "acme" } });
    expect(response.headers.get("x-routed-to")).toBe("two");
    expect(statSync(join(folder, "nginx")).mode & 0o777).toBe(0o700);
  });
});

/** Leaves no program behind where it starts after all. */
async function expectNoStart(options: Parameters<typeof startRouter>[0], words: RegExp): Promise<void> {
  const starting = startRouter(options);
  onTestFinished(async () => {
    await starting.then(
      (router) => router[Symbol.asyncDispose](),
      () => {},
    );
  });
  await expect(starting).rejects.toThrow(words);
}
