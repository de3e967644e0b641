// The control plane's end of a link, against routers that are not what they should be.

import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ClientOptions, type RawData, WebSocket } from "ws";
import { within } from "../../testkit/eventually.ts";
import type { ControlPlane, PushContract } from "./contract.ts";

export function describeLinks(contract: PushContract): void {
  describe("links to the control plane", () => {
    let controlPlane: ControlPlane;
    beforeAll(async () => {
      controlPlane = await contract.startControlPlane("links", contract.table());
      contract.keep();
    });
    afterAll(() => controlPlane.kill());

    const connect = (
      options: ClientOptions = {},
      path = "/v1/connect",
      token = controlPlane.token,
    ): WebSocket =>
      new WebSocket(`ws://127.0.0.1:${controlPlane.port}${path}`, {
        ...options,
        headers: { Authorization: `Bearer ${token}`, ...options.headers },
      });

    const statusOf = async (socket: WebSocket): Promise<number> => {
      const [request, response] = await within(once(socket, "unexpected-response"), 5_000, "a refusal");
      request.destroy();
      return response.statusCode;
    };

    const closing = async (socket: WebSocket): Promise<{ code: number; reason: string }> => {
      const [code, reason] = await within(once(socket, "close"), 20_000, "the control plane closes the link");
      return { code, reason: String(reason) };
    };

    const hello = (routerId: string, changes: object = {}) =>
      JSON.stringify({ type: "hello", protocol: 1, routerId, have: null, ...changes });

    const greeted = async (routerId: string) => {
      const socket = connect();
      await once(socket, "open");
      const first = once(socket, "message");
      socket.send(hello(routerId));
      const [message] = await within(first, 5_000, "a snapshot");
      return { socket, message: String(message) };
    };

    test("a hello is answered with the snapshot: a head of one line, and the table", async () => {
      const { socket, message } = await greeted("plain");
      const [head = "", table = "", ...rest] = message.split("\n");
      const { etag, body } = await controlPlane.get();
      const { type, epoch, revision, checksum } = JSON.parse(head);
      expect(`"${epoch}.${revision}"`).toBe(etag);
      expect({ type, checksum }).toEqual({
        type: "snapshot",
        checksum: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
      expect(JSON.parse(table)).toEqual(body);
      expect(rest).toEqual([]);
      socket.send(JSON.stringify({ type: "nack", epoch, revision, reasons: ["not today"] }));
      const view = await controlPlane.routerWhere("plain", "refused", (each) => each.lastNack !== null);
      expect(view).toMatchObject({
        connected: true,
        revision: null,
        lastNack: { revision, reasons: ["not today"] },
      });
      socket.terminate();
    });

    test("a hello with fields that this version does not know is understood", async () => {
      const socket = connect();
      await once(socket, "open");
      socket.send(hello("from-the-future", { features: ["telepathy"], have: null }));
      const [message] = await within(once(socket, "message"), 5_000, "a snapshot");
      expect(String(message)).toMatch(/^\{"type":"snapshot"/);
      socket.terminate();
    });

    test("a hello of a router that is up to date gets no table", async () => {
      const { socket, message } = await greeted("returning");
      socket.terminate();
      const { type: _, ...have } = JSON.parse(message.split("\n")[0] ?? "");
      const again = connect();
      await once(again, "open");
      again.send(hello("returning", { have }));
      const [response] = await within(once(again, "message"), 5_000, "an answer");
      expect(JSON.parse(String(response))).toEqual({ type: "current", ...have });
      again.terminate();
    });

    test.each<[string, ClientOptions, string | undefined, number]>([
      ["without the right token", {}, "wrong-wrong-wrong-wrong", 401],
      ["from a browser's page", { origin: "http://127.0.0.1:8081" }, undefined, 403],
      ["under a strange name", { headers: { Host: "rebound.example.com" } }, undefined, 421],
    ])("a link %s is refused", async (_, options, token, status) => {
      expect(await statusOf(connect(options, "/v1/connect", token ?? controlPlane.token))).toBe(status);
    });

    test("a link to another path is refused", async () => {
      expect(await statusOf(connect({}, "/v1/elsewhere"))).toBe(404);
    });

    test("a protocol version that nobody speaks is refused in words", async () => {
      const socket = connect();
      await once(socket, "open");
      socket.send(hello("newer", { protocol: 99 }));
      const { code, reason } = await closing(socket);
      expect(code).toBe(4406);
      expect(reason).toMatch(/99.*1/);
    });

    test.each<[string, string | Buffer]>([
      ["what is not JSON", "hello there"],
      ["an ack before the hello", JSON.stringify({ type: "ack", epoch: "one", revision: 1 })],
      ["a hello without an id", JSON.stringify({ type: "hello", protocol: 1, have: null })],
      ["an id with a space", JSON.stringify({ type: "hello", protocol: 1, routerId: "a b", have: null })],
      ["an unknown type", JSON.stringify({ type: "surprise" })],
      ["a binary message", Buffer.from("{}")],
    ])("%s ends the link with code 4400", async (_, message) => {
      const socket = connect();
      await once(socket, "open");
      socket.send(message);
      expect((await closing(socket)).code).toBe(4400);
    });

    test("a second hello ends the link", async () => {
      const { socket } = await greeted("twice");
      socket.send(hello("twice"));
      expect((await closing(socket)).code).toBe(4400);
    });

    test("a message of a megabyte ends the link", async () => {
      const socket = connect();
      socket.on("error", () => {});
      await once(socket, "open");
      socket.send("x".repeat(1024 * 1024));
      expect([1006, 1009]).toContain((await closing(socket)).code);
      expect((await controlPlane.get("/healthz")).status).toBe(200);
    });

    test("a router that does not answer gets one snapshot, and the newest once it does", async () => {
      const { socket, message } = await greeted("slow");
      const later: string[] = [];
      socket.on("message", (data: RawData) => later.push(String(data).split("\n")[0] ?? ""));
      for (let round = 0; round < 20; round++) await controlPlane.put(contract.table());
      const { epoch, revision } = JSON.parse(message.split("\n")[0] ?? "");
      // A ping is answered after everything that was sent before it.
      socket.ping();
      await within(once(socket, "pong"), 5_000, "a pong");
      expect(later).toEqual([]);
      socket.send(JSON.stringify({ type: "ack", epoch, revision }));
      await within(once(socket, "message"), 5_000, "the newest snapshot");
      expect(later.map((head) => JSON.parse(head).revision)).toEqual([revision + 20]);
      const view = await controlPlane.routerWhere("slow", "is behind", (each) => each.lagSeconds > 0);
      expect(view.revision).toBe(revision);
      socket.terminate();
    });
  });
}
