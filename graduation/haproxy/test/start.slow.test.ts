// Starts that cannot succeed, and a HAProxy that ends by itself.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { busyPort } from "../../../shared/testkit/failed-start.ts";
import { startRouter } from "../../../shared/testkit/router-process.ts";
import { engineVersion } from "../../topic.ts";
import { Engine } from "../engine.ts";
import { fourKeys, fourPlacements, tableOf } from "./tables.ts";

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "haproxy-start-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function options(port: number, host = "127.0.0.1") {
  return { host, port, folder: emptyFolder(), onLine: () => {} };
}

describe.skipIf(engineVersion("haproxy") === undefined)("the start of HAProxy", () => {
  const table = tableOf(fourPlacements, fourKeys);

  test("fails at once where another program has the port, as an error of listening", async () => {
    await using busy = await busyPort();
    const start = Engine.start(table, options(busy.port));
    await expect(start).rejects.toMatchObject({ code: "EADDRINUSE", port: busy.port });
  });

  test("fails beside another HAProxy, which reloads and then still has the port", async () => {
    const { port, [Symbol.asyncDispose]: free } = await busyPort();
    await free();
    await using first = await Engine.start(table, options(port));
    await expect(Engine.start(table, options(port))).rejects.toMatchObject({ code: "EADDRINUSE" });
    await first.reload(tableOf({ ...fourPlacements, more: {} }, fourKeys));
    await expect(Engine.start(table, options(port))).rejects.toMatchObject({ code: "EADDRINUSE" });
  });

  test("a HAProxy that is killed is told of, with how it ended", async () => {
    const { port, [Symbol.asyncDispose]: free } = await busyPort();
    await free();
    await using engine = await Engine.start(table, options(port));
    process.kill(engine.pid, "SIGKILL");
    expect(await engine.ended).toContain("HAProxy ended with SIGKILL");
  });

  test("a router goes on reloading where nobody reads its standard error, and after a file that it could not write", async () => {
    const folder = mkdtempSync(join(tmpdir(), "haproxy-router-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "routing.json");
    const write = (version: string) => {
      const placements = { [version]: { kind: "tier", url: "http://127.0.0.1:1" } };
      const document = { version, defaultPlacement: version, routingTable: {}, placements };
      writeFileSync(`${file}.next`, JSON.stringify(document));
      renameSync(`${file}.next`, file);
    };
    write("v1");
    const env = { ...process.env, PORT: "0", ADMIN_PORT: "0", ROUTING_FILE: file, TMPDIR: folder };
    const program = fileURLToPath(new URL("../router.ts", import.meta.url));
    const router = spawn(process.execPath, [program], { env, stdio: ["ignore", "pipe", "pipe"] });
    onTestFinished(async () => {
      if (router.exitCode === null && router.kill()) await once(router, "exit");
    });
    let printed = "";
    router.stdout.on("data", (text: Buffer) => {
      printed += text;
    });
    const adminUrl = () => /"adminUrl":"([^"]+)"/.exec(printed)?.[1];
    await eventually(() => adminUrl() !== undefined, { what: "it is ready", deadlineMs: 15_000 });
    router.stderr.destroy();
    const isServed = (version: string) => async () =>
      router.exitCode !== null ||
      (await (await fetch(`${adminUrl()}/debug/config`)).text()).includes(`"version": "${version}"`);
    for (const version of ["v2", "v3"]) {
      write(version);
      await eventually(isServed(version), { what: `it serves ${version}`, deadlineMs: 15_000 });
    }
    const own = readdirSync(folder).find((name) => name.startsWith("cell-routing-haproxy-")) ?? "";
    mkdirSync(join(folder, own, "keys.map.next"));
    write("v4");
    await eventually(() => printed.includes("EISDIR"), { what: "the fault", deadlineMs: 15_000 });
    rmdirSync(join(folder, own, "keys.map.next"));
    await eventually(isServed("v4"), { what: "it serves v4", deadlineMs: 15_000 });
    expect(router.exitCode).toBeNull();
  });

  test("a router that is killed leaves its files to whoever has named its STATE_DIR", async () => {
    const temporary = emptyFolder();
    const command = [process.execPath, join(import.meta.dirname, "..", "router.ts")];
    await using router = await startRouter({ stage: "m4", command, env: { TMPDIR: temporary } });
    await router.stop("SIGKILL");
    expect(readdirSync(temporary)).toEqual([]);
  });

  test("the address 0.0.0.0 of a cell is this machine, and not where the client has connected", async () => {
    const seen: string[] = [];
    const cell = (name: string) =>
      createServer((_, response) => {
        seen.push(name);
        response.end();
      });
    const own = cell("own").listen(0, "127.0.0.1");
    await once(own, "listening");
    const { port: cellPort } = own.address() as AddressInfo;
    // The same port on the address that the client will have come to.
    const foreign = cell("foreign").listen(cellPort, "127.0.0.2");
    await once(foreign, "listening");
    onTestFinished(() => void own.close());
    onTestFinished(() => void foreign.close());
    const { port, [Symbol.asyncDispose]: free } = await busyPort();
    await free();
    const placements = { tier1: { url: `http://0.0.0.0:${cellPort}` } };
    await using _engine = await Engine.start(tableOf(placements), options(port, "0.0.0.0"));
    const ask = () => fetch(`http://127.0.0.2:${port}/`, { headers: { "X-Routing-Key": "acme" } });
    await eventually(async () => (await ask()).status === 200, { what: "a cell serves" });
    expect(new Set(seen)).toEqual(new Set(["own"]));
  });
});
