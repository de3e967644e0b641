// The agent with a real HAProxy, a real control plane and real cells. One stack for all: each test leaves it in order.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ControlPlaneClient, type RouterView } from "../../../scripts/ctl/client.ts";
import { setKey } from "../../../scripts/ctl/key-change.ts";
import { runNode } from "../../../scripts/run-tool.ts";
import type { Stack } from "../../../scripts/stack.ts";
import type { ControlPlaneMember, RouterMember } from "../../../scripts/stack-members.ts";
import { projectRoot } from "../../../scripts/stages.ts";
import { startCell } from "../../../shared/cells/cell.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { RawClient } from "../../../shared/testkit/raw-client.ts";
import type { RoutingDocument } from "../../../stages/m4/src/routing-table.ts";
import { engineVersion } from "../../topic.ts";
import { filesIn } from "./master-files.ts";
import { measureReloads } from "./measure-reloads.ts";
import { RuntimeApi } from "./runtime-api.ts";
import { startAgentStack } from "./stack.ts";

describe.skipIf(engineVersion("haproxy") === undefined)("an agent with its HAProxy", () => {
  let stack: Stack;
  let folder: string;

  beforeAll(async () => {
    // Short: HAProxy's sockets are in it.
    folder = mkdtempSync(join(tmpdir(), "haproxy-agent-"));
    stack = await startAgentStack({ stateFolder: join(folder, "s") });
    await expectInStep();
  });
  afterAll(async () => {
    await stack.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const agent = (): RouterMember => stack.routers[0] ?? expect.fail("no agent");
  const plane = (): ControlPlaneMember => stack.controlPlane ?? expect.fail("no control plane");
  const token = () => readFileSync(plane().tokenFile, "utf8").trim();
  const client = () => new ControlPlaneClient(plane().url, [token()]);
  const files = () => filesIn(join(folder, "s", "router", "haproxy"));
  const runtime = (command: string) => new RuntimeApi(files().runtimeSocket).send(command);
  const map = (name: string) => join(folder, "s", "router", "haproxy", name);
  const hex = (key: string) => Buffer.from(key).toString("hex").toUpperCase();

  interface Config {
    readonly haproxy: {
      readonly master: number;
      readonly worker: number;
      readonly restarts: number;
      readonly mended: number;
      readonly filesFault: string | null;
      readonly lastChange: { readonly by: string; readonly why: readonly string[] };
    };
  }
  const config = async () => (await (await fetch(`${agent().adminUrl}/debug/config`)).json()) as Config;

  /** Who serves `key`: the placement that the router names, and the cell that says it was asked. */
  async function servedBy(key: string): Promise<string> {
    const response = await fetch(`${agent().url}/`, {
      headers: { "X-Routing-Key": key, Connection: "close" },
    });
    const { cell = "nobody" } = (await response.json()) as { readonly cell?: string };
    return `${response.headers.get("x-routed-to")} by ${cell}`;
  }
  const isServedBy = (key: string, who: string, deadlineMs = 10_000) =>
    eventually(async () => (await servedBy(key)) === who, {
      what: `"${key}" is served by ${who}`,
      deadlineMs,
      everyMs: 20,
    });
  const view = async (): Promise<RouterView | undefined> => (await client().fleet()).routers[0];
  const table = async () => (await client().table()) as { table: RoutingDocument; etag: string };
  const put = async (change: (before: RoutingDocument) => Partial<RoutingDocument>): Promise<number> => {
    const { table: before, etag } = await table();
    return (await client().put({ ...before, ...change(before) }, etag)).revision;
  };
  const isAcked = (revision: number) =>
    eventually(async () => (await view())?.revision === revision, {
      what: `the ack of revision ${revision}`,
      deadlineMs: 15_000,
    });
  /** Back after a fault, with the link as well. */
  async function expectInStep(): Promise<void> {
    const { revision } = await client().fleet();
    await isAcked(revision);
    await eventually(async () => (await view())?.connected, { what: "a link", deadlineMs: 15_000 });
  }

  test("a key moved with `ctl set` is served by its new placement, and the control plane hears of it", async () => {
    const words = ["set", "acme", "tier2", "--url", plane().url, "--token", token()];
    const { code, output } = await runNode(join(projectRoot, "scripts/ctl.ts"), words, { cwd: projectRoot });
    expect(code, output).toBe(0);
    await isServedBy("acme", "tier2 by tier2");
    await expectInStep();
    expect((await config()).haproxy.lastChange).toMatchObject({ by: "runtime" });
    expect(readFileSync(map("keys.map"), "utf8")).toContain(`${hex("acme")} tier2\n`);
  });

  test("many keys change at one moment, without a reload", async () => {
    const { worker } = (await config()).haproxy;
    const many = Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`tenant ${n} "é`, "tier2"]));
    await isAcked(await put(({ routingTable }) => ({ routingTable: { ...routingTable, ...many } })));
    const shown = await runtime(`show map ${map("keys.map")}`);
    expect(shown.match(/ tier2$/gm)).toHaveLength(2_000 + 2);
    await isAcked(
      await put(({ routingTable }) => ({
        routingTable: Object.fromEntries(Object.entries(routingTable).filter(([key]) => !(key in many))),
      })),
    );
    expect((await config()).haproxy.worker).toBe(worker);
    expect((await runtime(`show map ${map("keys.map")}`)).split("\n")).toHaveLength(4);
  });

  test("a new placement arrives by a reload, and the old worker's address is not lost", async () => {
    const { master, worker } = (await config()).haproxy;
    const { url } = stack.cells.get("tier1") ?? expect.fail("no cell tier1");
    const revision = await put(({ placements, routingTable }) => ({
      placements: { ...placements, "tier1-b": { kind: "tier", url } },
      routingTable: { ...routingTable, globex: "tier1-b" },
    }));
    await isServedBy("globex", "tier1-b by tier1");
    await isAcked(revision);
    const now = (await config()).haproxy;
    expect(now.lastChange.by).toBe("reload");
    expect(now.lastChange.why.join()).toContain(`"tier1-b" is new`);
    expect(now.master).toBe(master);
    expect(now.worker).not.toBe(worker);
  });

  test("what HAProxy refuses is nacked in its own words, and the traffic stays as it was", async () => {
    const { worker } = (await config()).haproxy;
    const refused = await put(({ placements, routingTable }) => ({
      // A good host for m4, but no name that HAProxy can ask DNS for.
      placements: { ...placements, odd: { kind: "tier", url: "http://a..b:80" } },
      routingTable: { ...routingTable, acme: "odd" },
    }));
    await eventually(async () => (await view())?.lastNack?.revision === refused, {
      what: "the nack",
      deadlineMs: 10_000,
    });
    expect((await view())?.lastNack?.reasons.join()).toContain("DNS resolution");
    expect(await servedBy("acme")).toBe("tier2 by tier2");
    expect((await config()).haproxy.worker).toBe(worker);
    // The next good table comes through.
    const good = await put(({ placements: { odd: _, ...placements }, routingTable }) => ({
      placements,
      routingTable: { ...routingTable, acme: "tier1" },
    }));
    await isAcked(good);
    expect(await servedBy("acme")).toBe("tier1 by tier1");
  });

  test("a connection that was busy while its endpoint moved brings nothing more to the old cell", async () => {
    await using first = await startCell({ name: "first" });
    await using second = await startCell({ name: "second" });
    const before = (await table()).table.placements["tier2"] ?? expect.fail("no tier2");
    await setKey(client(), "initech", "tier2");
    const at = (url: string) =>
      put(({ placements }) => ({ placements: { ...placements, tier2: { ...before, url } } }));
    await isAcked(await at(first.url));
    first.setFault({ fault: "slow", delayMs: 1_000 });
    const busy = servedBy("initech");
    await eventually(() => first.stats().inFlight === 1, { what: "it is under way" });
    await isAcked(await at(second.url));
    expect(await busy).toBe("tier2 by first");
    expect(await servedBy("initech")).toBe("tier2 by second");
    expect(first.stats().requests).toBe(1);
    await isAcked(await at(before.url));
    expect(await servedBy("initech")).toBe("tier2 by tier2");
  });

  test("a cell that is given to another tenant gets nothing more from a connection that idles in an old worker", async () => {
    await using moved = await startCell({ name: "visa, moved" });
    const before = (await table()).table.placements["visa"] ?? expect.fail("no visa");
    const oldCell = stack.cells.get("visa") ?? expect.fail("no cell visa");
    await using idle = await RawClient.connect(agent().url);
    const request = "GET / HTTP/1.1\r\nHost: cell\r\nX-Routing-Key: visa\r\n\r\n";
    expect((await idle.request(request)).status).toBe(200);
    const handOver = put(({ placements, routingTable }) => ({
      placements: { ...placements, visa: { ...before, url: moved.url }, master: before },
      routingTable: { ...routingTable, mc: "master" },
    }));
    await isAcked(await handOver);
    expect(await servedBy("mc")).toBe("master by visa");
    const askedBefore = await oldCell.requests();
    expect((await idle.request(request)).status).toBe(503);
    expect(await oldCell.requests()).toBe(askedBefore);
    expect(await servedBy("visa")).toBe("visa by visa, moved");
    const back = put(
      ({ placements: { master: _, ...placements }, routingTable: { mc: __, ...routingTable } }) => ({
        placements: { ...placements, visa: before },
        routingTable,
      }),
    );
    await isAcked(await back);
    await isServedBy("visa", "visa by visa");
  });

  test("what somebody changes in HAProxy by hand is mended", async () => {
    const { mended } = (await config()).haproxy;
    await runtime(`set map ${map("keys.map")} ${hex("visa")} tier3`);
    await runtime(`del map ${map("default.map")} default`);
    await runtime(`add map ${map("keys.map")} ${hex("stranger")} visa`);
    await runtime("set server p_tier1/cell addr 127.0.0.1 port 1");
    await eventually(async () => (await config()).haproxy.mended > mended, {
      what: "a repair",
      deadlineMs: 10_000,
    });
    await isServedBy("visa", "visa by visa");
    await isServedBy("stranger", "tier3 by tier3");
    await isServedBy("acme", "tier1 by tier1");
  });

  test("a folder in the place of a file is told of, keeps nothing else from being mended, and is no trouble once it has gone", async () => {
    const { mended } = (await config()).haproxy;
    rmSync(map("keys.map"));
    // In the way of the new file, too: that one is the agent's own, and nobody would remove it.
    mkdirSync(join(map("keys.map.next"), "in the way"), { recursive: true });
    mkdirSync(join(map("keys.map"), "in the way"), { recursive: true });
    await eventually(async () => (await config()).haproxy.filesFault?.includes("keys.map"), {
      what: "the fault",
      deadlineMs: 10_000,
    });
    rmSync(map("kinds.map"));
    await runtime(`set map ${map("keys.map")} ${hex("visa")} tier3`);
    await eventually(async () => (await config()).haproxy.mended > mended, {
      what: "a repair",
      deadlineMs: 10_000,
    });
    await isServedBy("visa", "visa by visa");
    expect(existsSync(map("kinds.map"))).toBe(true);
    rmSync(map("keys.map"), { recursive: true });
    await eventually(async () => (await config()).haproxy.filesFault === null, {
      what: "the file is written",
      deadlineMs: 10_000,
    });
    expect(readFileSync(map("keys.map"), "utf8")).toContain(`${hex("visa")} visa\n`);
  });

  test("a folder in the place of a file that is only checked keeps no table out", async () => {
    rmSync(map("candidate"), { recursive: true });
    mkdirSync(join(map("candidate"), "keys.map", "in the way"), { recursive: true });
    const { url } = stack.cells.get("tier1") ?? expect.fail("no cell tier1");
    const { placements } = (await table()).table;
    await isAcked(await put(() => ({ placements: { ...placements, extra: { kind: "tier", url } } })));
    await isAcked(await put(() => ({ placements })));
  });

  test.each(["master", "worker"] as const)(
    "a HAProxy whose %s is killed is started again with the right table",
    async (which) => {
      await setKey(client(), "acme", "tier3");
      await expectInStep();
      const before = (await config()).haproxy;
      rmSync(files().config);
      process.kill(before[which], "SIGKILL");
      await eventually(async () => (await config()).haproxy.restarts > before.restarts, {
        what: "a new start",
        deadlineMs: 15_000,
      });
      await isServedBy("acme", "tier3 by tier3");
      expect((await config()).haproxy.master).not.toBe(before.master);
      await setKey(client(), "acme", "tier1");
      await isServedBy("acme", "tier1 by tier1");
    },
  );

  test("a killed agent leaves HAProxy serving; the next one takes it over and brings it up to date", async () => {
    const { master, worker } = (await config()).haproxy;
    await agent().kill();
    expect(await servedBy("acme")).toBe("tier1 by tier1");
    await setKey(client(), "acme", "tier2");
    await runtime(`set map ${map("keys.map")} ${hex("visa")} tier3`);
    await agent().start();
    await isServedBy("acme", "tier2 by tier2");
    await isServedBy("visa", "visa by visa");
    await expectInStep();
    expect((await config()).haproxy).toMatchObject({ master, worker });
  });

  test("an agent and a HAProxy that were both killed come back with the last-known-good table", async () => {
    const { master } = (await config()).haproxy;
    await plane().kill();
    await agent().kill();
    process.kill(master, "SIGKILL");
    await agent().start();
    expect(await servedBy("acme")).toBe("tier2 by tier2");
    await plane().start();
    await expectInStep();
  });

  test("traffic goes on without a control plane, which is followed again once it is back", async () => {
    await plane().kill();
    expect(await servedBy("acme")).toBe("tier2 by tier2");
    expect(await servedBy("visa")).toBe("visa by visa");
    await plane().start();
    await setKey(client(), "acme", "tier1");
    await isServedBy("acme", "tier1 by tier1", 15_000);
  });

  test("reloads under load fail no request", async () => {
    const { reloads, failed, violations } = await measureReloads(stack, 3);
    expect({ reloads, failed, violations }).toEqual({ reloads: 3, failed: 0, violations: [] });
  });

  test("a stop ends the agent and its HAProxy", async () => {
    const { master, worker } = (await config()).haproxy;
    const { code } = await agent().stop();
    expect(code).toBe(0);
    for (const pid of [master, worker]) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });
});
