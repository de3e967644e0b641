import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { LeakWatch } from "../leak-check.ts";

describe("the leak check", () => {
  test("is content when everything was closed", async () => {
    using watch = new LeakWatch();
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    server.close();
    clearTimeout(setTimeout(() => {}, 60_000));
    await delay(1);
    await watch.expectNothingLeft();
  });

  test("is content with a timer that does not keep the process alive", async () => {
    using watch = new LeakWatch();
    const timer = setTimeout(() => {}, 60_000).unref();
    await watch.expectNothingLeft();
    clearTimeout(timer);
  });

  const stop = new AbortController();
  test.each<[string, RegExp, () => Promise<() => unknown>]>([
    [
      "a server",
      /1 × TCPServerWrap/,
      async () => {
        const server = createServer().listen(0, "127.0.0.1");
        await once(server, "listening");
        return () => server.close();
      },
    ],
    [
      "a timer, and the line that made it",
      /a timer made .*leak-check\.test\.ts/,
      async () => {
        const timer = setTimeout(() => {}, 60_000);
        return () => clearTimeout(timer);
      },
    ],
    [
      "an interval",
      /a timer made/,
      async () => {
        const timer = setInterval(() => {}, 60_000);
        return () => clearInterval(timer);
      },
    ],
    [
      "a delay",
      /a timer made/,
      async () => {
        delay(60_000, undefined, { signal: stop.signal }).catch(() => {});
        return () => stop.abort();
      },
    ],
    [
      "a child process",
      /1 × ProcessWrap/,
      async () => {
        const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
        await once(child, "spawn");
        return () => child.kill("SIGKILL");
      },
    ],
  ])("names %s that was left behind", async (_, what, leave) => {
    using watch = new LeakWatch();
    const tidy = await leave();
    await expect(watch.expectNothingLeft(50)).rejects.toThrow(what);
    tidy();
    await watch.expectNothingLeft();
  });
});
