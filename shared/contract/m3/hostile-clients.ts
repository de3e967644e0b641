// Clients of the control plane that do not let go, do not read, or do not come to an end.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { eventually, within } from "../../testkit/eventually.ts";
import { pidsListeningOn } from "../../testkit/process-by-port.ts";
import { residentBytes } from "../../testkit/resident-memory.ts";
import type { ControlPlane, PushContract } from "./contract.ts";
import { Traffic } from "./traffic.ts";

const upgrade = ["Connection: Upgrade", "Upgrade: websocket"];
const handshake = [...upgrade, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];

export function describeHostileClients(contract: PushContract): void {
  const { hold, isClosed, releaseAll } = heldConnections();
  afterEach(releaseAll);

  describe("clients that do not let go", () => {
    test("a refused upgrade is answered and closed, a hundred at a time", async () => {
      const controlPlane = await contract.startControlPlane("refusals", contract.table());
      const token = `Authorization: Bearer ${controlPlane.token}`;
      for (const [lines, status] of [
        [["GET /v1/connect HTTP/1.1", ...handshake], 401],
        [["GET /v1/elsewhere HTTP/1.1", token, ...handshake], 404],
        [["GET /v1/connect HTTP/1.1", token, "Origin: null", ...handshake], 403],
        [["GET /v1/connect HTTP/1.1", token, ...upgrade], 400],
      ] as const) {
        const held = Array.from({ length: 100 }, () => hold(controlPlane, lines));
        expect(await eventually(() => held[0]?.got, { what: "a response" })).toMatch(`HTTP/1.1 ${status} `);
        await eventually(() => held.filter((each) => !isClosed(each)).length === 0, {
          what: `every ${status} is closed`,
          deadlineMs: 10_000,
        });
      }
    });

    test("a stop ends in time, and gives the store away, whoever holds on", async () => {
      const table = contract.table((each) => {
        for (let key = 0; key < 100_000; key++) each.routingTable[`tenant-${key}`] = "tier2";
      });
      const controlPlane = await contract.startControlPlane("held", table);
      const token = `Authorization: Bearer ${controlPlane.token}`;
      const put = ["PUT /v1/routing HTTP/1.1", token, "If-Match: *", "Content-Length: 1000"];
      for (let count = 0; count < 20; count++) {
        hold(controlPlane, []);
        hold(controlPlane, put);
        hold(controlPlane, ["GET /v1/routing HTTP/1.1"], { reads: false });
        hold(controlPlane, ["GET /v1/connect HTTP/1.1", ...handshake]);
        hold(controlPlane, ["GET /v1/connect HTTP/1.1", token, ...upgrade]);
        // Opens a link, and does not close it.
        hold(controlPlane, ["GET /v1/connect HTTP/1.1", token, ...handshake]);
      }
      const router = await contract.startRouter({
        id: "held-1",
        controlPlaneUrl: controlPlane.url,
        token: controlPlane.token,
      });
      await router.runs(table);
      await using traffic = new Traffic(router.url);
      // Within ten seconds, or this throws; two are promised.
      expect(await controlPlane.stop()).toBe(0);
      await controlPlane.restart();
      await router.configWhere("is linked again", ({ connected }) => connected);
      await traffic.expectUntouched();
    });

    test("a revision that JavaScript cannot count is no message, and an h2c upgrade is an ordinary request", async () => {
      const controlPlane = await contract.startControlPlane("uncountable", contract.table());
      const link = new WebSocket(`ws://127.0.0.1:${controlPlane.port}/v1/connect`, {
        headers: { Authorization: `Bearer ${controlPlane.token}` },
      });
      await once(link, "open");
      const have = { epoch: "e", checksum: "0".repeat(64) };
      const hello = JSON.stringify({ type: "hello", protocol: 1, routerId: "r", have }).replace(
        '"epoch"',
        `"revision":${2 ** 53},"epoch"`,
      );
      const closed = once(link, "close");
      link.send(hello);
      expect((await closed)[0]).toBe(4400);
      const h2c = [
        "GET /healthz HTTP/1.1",
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMA",
      ];
      const held = hold(controlPlane, h2c);
      expect(await eventually(() => held.got, { what: "a response" })).toMatch(/^HTTP\/1\.1 200 /);
    });
  });
}

/** Those that end by a time limit. Each has a control plane of its own, so that they can wait beside each other. */
export function describeSlowClients(contract: PushContract): void {
  const { hold, isClosed, releaseAll } = heldConnections();
  afterAll(releaseAll);

  describe("clients that the control plane gives up", () => {
    test("readers that do not read cost no memory, and are cut off", async () => {
      const table = contract.table((each) => {
        // More than the system takes for a reader that does not read.
        for (let key = 0; key < 60_000; key++) each.routingTable[`${key}-${"x".repeat(200)}`] = "tier2";
      });
      const controlPlane = await contract.startControlPlane("unread", table);
      const [pid = 0] = pidsListeningOn(controlPlane.port);
      await controlPlane.get();
      const resident = () => residentBytes(pid) ?? 0;
      const before = resident();
      const held = Array.from({ length: 300 }, () =>
        hold(controlPlane, ["GET /v1/routing HTTP/1.1"], { reads: false }),
      );
      const refused = async () => (await controlPlane.get()).status === 503;
      await eventually(refused, { what: "more are told to come again" });
      expect((await controlPlane.get("/healthz")).status).toBe(200);
      const written = await controlPlane.write("PATCH", "/v1/routing/keys/acme", { placement: "tier1" }, "*");
      expect(written.status).toBe(200);
      // Each of them had a copy of 13 MB once.
      expect(resident() - before).toBeLessThan(150 * 1024 * 1024);
      const served = async () => (await controlPlane.get()).status === 200;
      await eventually(served, { what: "they are cut off", deadlineMs: 60_000, everyMs: 250 });
      for (const { socket } of held) socket.resume();
      await eventually(() => held.filter((each) => !isClosed(each)).length === 0, {
        what: "all are closed",
        deadlineMs: 60_000,
      });
    });

    test("a half request, and a handshake that drips, come to an end", async () => {
      const controlPlane = await contract.startControlPlane("dripping", contract.table());
      const silent = hold(controlPlane, []);
      const dripping = hold(controlPlane, []);
      const head = ["GET /v1/connect HTTP/1.1", ...handshake, `X-Slow: ${"x".repeat(10_000)}`].join("\r\n");
      let sent = 0;
      await eventually(
        () => {
          dripping.socket.write(head.slice(sent++, sent));
          return dripping.isGone && (silent.isEnded || silent.isGone);
        },
        { what: "both are cut off", deadlineMs: 30_000, everyMs: 100 },
      );
    });

    test("a link that never says hello is closed", async () => {
      const controlPlane = await contract.startControlPlane("silent-link", contract.table());
      const link = new WebSocket(`ws://127.0.0.1:${controlPlane.port}/v1/connect`, {
        headers: { Authorization: `Bearer ${controlPlane.token}` },
      });
      const [code] = await within(once(link, "close"), 30_000, "the control plane closes the link");
      expect(code).toBe(4408);
    });
  });
}

/** Connections that stay open until `releaseAll`. */
function heldConnections() {
  const sockets: Socket[] = [];
  const releaseAll = (): void => {
    for (const socket of sockets.splice(0)) socket.destroy();
  };

  /** A connection that sends `lines` and never closes; `reads: false` leaves everything that comes unread. */
  const hold = (controlPlane: ControlPlane, lines: readonly string[], { reads = true } = {}) => {
    const socket = connect({ host: "127.0.0.1", port: controlPlane.port, allowHalfOpen: true });
    sockets.push(socket);
    const held = { socket, got: "", isEnded: false, isGone: false };
    if (reads)
      socket.on("data", (bytes: Buffer) => {
        held.got += bytes.toString("latin1");
      });
    else socket.pause();
    socket.on("error", () => {});
    socket.on("end", () => {
      held.isEnded = true;
    });
    socket.on("close", () => {
      held.isGone = true;
    });
    socket.write(lines.length === 0 ? "" : [...lines, "Host: 127.0.0.1", "", ""].join("\r\n"));
    return held;
  };

  /** The other end has closed all of it: what is written finds nobody. */
  const isClosed = (held: ReturnType<typeof hold>): boolean => {
    // Not before: to the parser of an open connection this would be a bad request, and a reason to close it.
    if (held.isEnded) held.socket.write("x", () => {});
    return held.isGone;
  };

  return { hold, isClosed, releaseAll };
}
