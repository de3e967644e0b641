import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { SnapshotSender } from "../src/control-plane/snapshot-sender.ts";

failOnLeaks();

/** Larger than what two sockets on loopback hold for a reader that does not read. */
const large = Buffer.alloc(24 * 1024 * 1024, "x");

const nothing = () => {};

/** A router's end that can stop reading, and the control plane's end with a sender on it. */
async function openLink() {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  await once(server, "listening");
  const router = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  router.on("error", () => {});
  const [socket] = (await once(server, "connection")) as [WebSocket];
  if (router.readyState !== WebSocket.OPEN) await once(router, "open");
  const clock = new FakeClock();
  return {
    router,
    socket,
    clock,
    sender: new SnapshotSender(socket, clock),
    async [Symbol.asyncDispose]() {
      router.terminate();
      socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe("SnapshotSender", () => {
  test("a large message arrives whole, as one text message", async () => {
    await using link = await openLink();
    let done = 0;
    const arrived = once(link.router, "message");
    await link.sender.send(large, () => done++, nothing);
    const [data, isBinary] = await arrived;
    expect(Buffer.compare(data, large)).toBe(0);
    expect(isBinary).toBe(false);
    expect(done).toBe(1);
    expect(link.clock.sleeping).toBe(0);
  });

  test("a ping overtakes what is left of it", async () => {
    await using link = await openLink();
    const order: string[] = [];
    link.router.on("ping", () => order.push("ping"));
    link.router.on("message", () => order.push("message"));
    link.router.pause();
    const sent = link.sender.send(large, nothing, nothing);
    await eventually(() => link.socket.bufferedAmount > 0, { what: "it stalls in the middle" });
    link.socket.ping();
    link.router.resume();
    await sent;
    await eventually(() => order.length === 2, { what: "both arrive" });
    expect(order).toEqual(["ping", "message"]);
  });

  test("a router that stalls keeps nobody waiting, and gets the rest when it reads again", async () => {
    await using link = await openLink();
    link.router.pause();
    let [done, stalled] = [0, 0];
    const arrived = once(link.router, "message");
    const sent = link.sender.send(
      large,
      () => done++,
      () => stalled++,
    );
    await eventually(() => link.clock.sleeping === 1 && link.socket.bufferedAmount > 0, {
      what: "it stalls",
    });
    await link.clock.advance(999);
    expect(stalled).toBe(0);
    await link.clock.advance(1);
    expect(stalled).toBe(1);
    expect(done).toBe(0);
    link.router.resume();
    await sent;
    expect((await arrived)[0]).toHaveLength(large.length);
    expect(done).toBe(1);
  });

  test("a router that takes nothing for half a minute is cut off", async () => {
    await using link = await openLink();
    link.router.pause();
    let done = 0;
    const sent = link.sender.send(large, () => done++, nothing);
    await eventually(() => link.clock.sleeping === 1 && link.socket.bufferedAmount > 0, {
      what: "it stalls",
    });
    await link.clock.advance(29_999);
    expect(link.socket.readyState).toBe(WebSocket.OPEN);
    await link.clock.advance(1);
    await sent;
    expect(done).toBe(1);
    expect(link.socket.readyState).not.toBe(WebSocket.OPEN);
  });

  test("a link that breaks in the middle ends the sending", async () => {
    await using link = await openLink();
    link.router.pause();
    let done = 0;
    const sent = link.sender.send(large, () => done++, nothing);
    await eventually(() => link.socket.bufferedAmount > 0, { what: "it stalls" });
    link.router.terminate();
    await sent;
    expect(done).toBe(1);
    await link.sender.send(large, () => done++, nothing);
    expect(done).toBe(2);
  });
});
