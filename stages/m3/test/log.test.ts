// The log of a whole process, where more than its lines can fail: sockets, both outputs at once, none at all, and Node's own
// words. The same text in every stage: the folder's name says which one it is.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { eventually, within } from "../../../shared/testkit/eventually.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { LogPipe } from "../../../shared/testkit/log-places.ts";
import { hasTerminals, LogTerminal } from "../../../shared/testkit/log-terminal.ts";
import { portsListenedOnBy } from "../../../shared/testkit/process-by-port.ts";
import { RawClient, sendRaw } from "../../../shared/testkit/raw-client.ts";
import { type Stage, spawnRouter, startRouter } from "../../../shared/testkit/router-process.ts";
import { systemClock } from "../src/clock.ts";
import { openLog } from "../src/log.ts";

failOnLeaks();

const stage = basename(dirname(dirname(fileURLToPath(import.meta.url)))) as Stage;
const stopped = { code: 0, signal: null };
/** With `/proc` and `/dev/full`. */
const isLinux = process.platform === "linux";
/** What a stop may take, 10 s and 1 s, and a busy machine's share. */
const stopDeadlineMs = 15_000;

/** Requests that the router refuses itself, each with a long line in the log. */
async function expectResponses(url: string, count: number): Promise<void> {
  await using client = await RawClient.connect(url);
  for (let n = 0; n < count; n++) {
    const response = await client.request(`GET /${"x".repeat(4000)} HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(response.status).toBe(400);
  }
}

/** Where clients connect, of a router that cannot say so. */
function urlOf(pid: number): Promise<string> {
  const find = async () => {
    for (const port of portsListenedOnBy(pid)) {
      const url = `http://127.0.0.1:${port}`;
      // The admin port knows this path, and refuses this host.
      if ((await sendRaw(url, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")).status === 400) return url;
    }
    return undefined;
  };
  return eventually(find, { what: "the router listens", deadlineMs: 45_000 });
}

describe("a router whose outputs are sockets, as Node's are between its processes", () => {
  test("goes on and stops in time when nobody reads them", async () => {
    await using router = await startRouter({ stage });
    router.stallOutputs();
    // A socket holds more than a pipe.
    await expectResponses(router.url, 500);
    router.signal("SIGTERM");
    // Not `exited()`, which waits until the outputs have been read.
    await eventually(() => !isAlive(router.pid), {
      what: "the end of the router",
      deadlineMs: stopDeadlineMs,
    });
  });

  test("goes on and stops in time when they are closed", async () => {
    await using router = await startRouter({ stage });
    router.leaveOutputs();
    await expectResponses(router.url, 100);
    router.signal("SIGTERM");
    expect(await router.exited(stopDeadlineMs)).toEqual(stopped);
  });
});

describe("a router whose outputs are one pipe that nobody reads", () => {
  test("goes on and stops in time, even when Node has warnings to print", async () => {
    using pipe = LogPipe.open();
    const warn = `setInterval(() => process.emitWarning("x".repeat(1000), "Often"), 1)`;
    await using router = await spawnRouter({
      stage,
      output: { stdout: pipe.fd, stderr: pipe.fd },
      env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(warn)}` },
    });
    pipe.handOver();
    const { url } = await pipe.waitFor("ready");
    expect(await pipe.waitFor("warning")).toMatchObject({ level: "warn", name: "Often" });
    pipe.stall();
    await expectResponses(String(url), 100);
    router.signal("SIGTERM");
    expect(await router.exited(stopDeadlineMs)).toEqual(stopped);
  });

  test("ends with 1 when it cannot start", async () => {
    using pipe = LogPipe.open();
    pipe.fill();
    const output = { stdout: pipe.fd, stderr: pipe.fd };
    await using router = await spawnRouter({ stage, output, env: { PORT: "http" } });
    expect(await router.exited(stopDeadlineMs)).toEqual({ code: 1, signal: null });
  });
});

describe.runIf(isLinux)("a router without outputs", () => {
  test.each([
    ["closed", 'exec "$@" >&- 2>&-'],
    ["on a full disk", 'exec "$@" >/dev/full 2>/dev/full'],
  ])("serves and stops when they are %s", async (_, script) => {
    const launcher = ["/bin/sh", "-c", script, "sh"];
    await using router = await spawnRouter({ stage, launcher });
    await expectResponses(await urlOf(router.pid), 100);
    router.signal("SIGTERM");
    expect(await router.exited(stopDeadlineMs)).toEqual(stopped);
  });

  test("ends with 1 when it cannot start", async () => {
    const launcher = ["/bin/sh", "-c", 'exec "$@" >/dev/full 2>/dev/full', "sh"];
    await using router = await spawnRouter({ stage, launcher, env: { PORT: "http" } });
    expect(await router.exited(stopDeadlineMs)).toEqual({ code: 1, signal: null });
  });
});

test.skipIf(!hasTerminals)(
  "a router that cannot start ends with 1 on a terminal that is stopped",
  async () => {
    using terminal = await LogTerminal.open();
    await terminal.stop();
    const output = { stdout: terminal.fd, stderr: terminal.fd };
    await using router = await spawnRouter({ stage, output, env: { PORT: "http" } });
    expect(await router.exited(stopDeadlineMs)).toEqual({ code: 1, signal: null });
  },
);

test.runIf(isLinux)("leaves the pipe that it was given as it was, for others that write to it", async () => {
  using pipe = LogPipe.open();
  const flags = () => /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${pipe.fd}`, "utf8"))?.[1];
  const before = flags();
  const log = openLog(pipe.fd, systemClock);
  log.write("a line\n");
  await eventually(() => pipe.text() === "a line\n", { what: "the line" });
  expect(flags()).toBe(before);
  expect(await log.end(stopDeadlineMs)).toBe(true);
});

test.runIf(isLinux)("counts what a full disk does not take", async () => {
  const log = openLog(openSync("/dev/full", "w"), systemClock);
  log.write("one\ntwo\n");
  expect(await log.end(stopDeadlineMs)).toBe(true);
  expect(log.dropped).toBe(2);
});

test("ends the process with its code while a write holds a thread for good", async () => {
  using pipe = LogPipe.open();
  pipe.stall();
  // It stands for a file on a network disk that hangs. A write to a full pipe waits as well, unless it is told not to.
  const program = `
    import { write } from "node:fs";
    import { systemClock as clock } from "./clock.ts";
    import { endProcess } from "./log.ts";
    import { LogWriter } from "./log-writer.ts";
    const stuck = (bytes, start, length) =>
      new Promise((resolve) => write(1, bytes, start, length, null, (_, written) => resolve(written)));
    const log = new LogWriter({ target: { pieceBytes: 1e6, isFile: true, write: stuck }, clock, notice: String });
    log.write("x".repeat(300_000) + "\\n");
    await endProcess(3, log);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    cwd: fileURLToPath(new URL("../src/", import.meta.url)),
    stdio: ["ignore", pipe.fd, "inherit"],
  });
  try {
    expect(await within(once(child, "exit"), stopDeadlineMs, "the end of the process")).toEqual([3, null]);
  } finally {
    child.kill("SIGKILL");
  }
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
