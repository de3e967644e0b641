import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { Events } from "../src/events.ts";

failOnLeaks();

/** Events behind a real server, and watchers as bare sockets. */
async function startEvents() {
  const clock = new FakeClock();
  const events = new Events({ clock, wallClock: () => new Date(0) });
  const server = createServer(events.watch);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const watch = async (method = "GET", fields = "") => {
    const socket = connect(port, "127.0.0.1");
    const seen = { text: "", isEnded: false };
    socket.setEncoding("utf8").on("data", (text: string) => {
      seen.text += text;
    });
    socket.on("error", () => {});
    socket.once("close", () => {
      seen.isEnded = true;
    });
    socket.write(`${method} /events HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
    const has = (text: string) =>
      eventually(() => seen.text.includes(text), {
        what: `${JSON.stringify(text)} in ${JSON.stringify(seen.text)}`,
      });
    await has("\r\n\r\n");
    return Object.assign(seen, { socket: socket as Socket, has });
  };
  const dispose = async () => {
    events.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { clock, events, watch, [Symbol.asyncDispose]: dispose };
}

const change = (to: string) => ({ type: "breaker", placement: "one", to, from: "closed" }) as const;
const entry = {
  requestId: "r",
  method: "GET",
  path: "/",
  durationMs: 1,
  bytesIn: 0,
  bytesOut: 0,
  outcome: "complete",
} as const;
const decided = { ...entry, routingKey: "secret", placement: "one", status: 200 };

describe("events", () => {
  test("reach every watcher, in the form of server-sent events", async () => {
    await using stage = await startEvents();
    const [first, second] = [await stage.watch(), await stage.watch()];
    stage.events.emit(change("open"));
    const expected = `id: 1\nevent: breaker\ndata: {"time":"1970-01-01T00:00:00.000Z","type":"breaker","placement":"one","to":"open","from":"closed"}\n\n`;
    for (const watcher of [first, second]) await watcher.has(expected);
    expect(first.text).toContain("Content-Type: text/event-stream\r\n");
  });

  test("are kept for those who come later, a hundred of them, and not sent twice", async () => {
    await using stage = await startEvents();
    for (let n = 1; n <= 150; n++) stage.events.emit(change(`state-${n}`));
    const late = await stage.watch();
    await late.has("state-150");
    expect(late.text).toContain("id: 51\n");
    expect(late.text).not.toContain("id: 50\n");
    const back = await stage.watch("GET", "Last-Event-ID: 149\r\n");
    await back.has("id: 150\n");
    expect(back.text).not.toContain("id: 149\n");
  });

  test("a number from the router's life before this one hides nothing", async () => {
    await using stage = await startEvents();
    stage.events.emit(change("open"));
    const back = await stage.watch("GET", "Last-Event-ID: 4000\r\n");
    await back.has("id: 1\n");
  });

  test("decisions are shown to those who watch now, twenty a second, without keys", async () => {
    await using stage = await startEvents();
    stage.events.requestEnded(decided);
    const watcher = await stage.watch();
    for (let n = 0; n < 50; n++) stage.events.requestEnded(decided);
    stage.events.requestEnded(entry as never);
    await stage.clock.advance(1000);
    stage.events.requestEnded({ ...decided, servedBy: "two", failoverReason: "unhealthy", retries: 1 });
    await watcher.has('"servedBy":"two","status":200,"failoverReason":"unhealthy","retries":1}');
    expect(watcher.text.match(/event: decision/g)).toHaveLength(21);
    expect(watcher.text).not.toContain("secret");
    const late = await stage.watch();
    stage.events.emit(change("open"));
    await late.has("event: breaker");
    expect(late.text).not.toContain("decision");
  });

  test("sixteen may watch; a HEAD takes no place, and one that leaves makes room", async () => {
    await using stage = await startEvents();
    for (let n = 0; n < 20; n++) expect((await stage.watch("HEAD")).text).toMatch(/^HTTP\/1\.1 200 /);
    const watchers = [];
    for (let n = 0; n < 16; n++) watchers.push(await stage.watch());
    const refused = await stage.watch();
    expect(refused.text).toMatch(/^HTTP\/1\.1 503 [\s\S]*\r\nRetry-After: 5\r\n/);
    watchers[0]?.socket.destroy();
    const accepted = async () => (await stage.watch()).text.startsWith("HTTP/1.1 200 ");
    await eventually(accepted, { what: "there is room again" });
  });

  test("a watcher that does not read is cut off, and the others get everything", async () => {
    await using stage = await startEvents();
    const [slow, good] = [await stage.watch(), await stage.watch()];
    slow.socket.pause();
    const long = "x".repeat(50_000);
    // More than the system's own buffers between two sockets hold.
    for (let n = 0; n < 400; n++) {
      stage.events.emit(change(`${long}-${n}`));
      await good.has(`x-${n}"`);
      good.text = "";
    }
    slow.socket.resume();
    await eventually(() => slow.isEnded, { what: "the slow watcher is cut off" });
    stage.events.emit(change("at last"));
    await good.has("at last");
  });

  test("a comment now and then, while anybody watches", async () => {
    await using stage = await startEvents();
    const watcher = await stage.watch();
    await stage.clock.advance(15_000);
    await watcher.has(": still here\n\n");
    watcher.socket.destroy();
    await eventually(() => watcher.isEnded, { what: "it has left" });
    await eventually(
      async () => {
        await stage.clock.advance(15_000);
        return stage.clock.sleeping === 0;
      },
      { what: "nothing runs for nobody" },
    );
  });
});
