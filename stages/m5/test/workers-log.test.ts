// Several workers write to one standard output. Every line stays in one piece, each lost one is counted once, and the log
// of none of them holds up the stop.

import { expect, test } from "vitest";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { LogPipe } from "../../../shared/testkit/log-places.ts";
import { withDescendants } from "../../../shared/testkit/process-by-port.ts";
import { RawClient } from "../../../shared/testkit/raw-client.ts";
import { spawnRouter, startRouter } from "../../../shared/testkit/router-process.ts";

failOnLeaks();

const workers = 3;
const clients = 12;

async function startWorkers(pipe: LogPipe) {
  const env = { WORKERS: String(workers) };
  const router = await spawnRouter({ stage: "m5", env, output: { stdout: pipe.fd } });
  pipe.handOver();
  const { url, adminUrl } = await pipe.waitFor("ready", 60_000);
  return { router, url: String(url), adminUrl: String(adminUrl) };
}

/** Refused requests on several connections at a time, so that every worker has lines to write. */
async function ask(url: string, perClient: number, length: number): Promise<void> {
  const one = async (_: unknown, client: number): Promise<void> => {
    await using connection = await RawClient.connect(url);
    for (let n = 0; n < perClient; n++) {
      const path = `/${client}/${n}/${"x".repeat(length)}`;
      const response = await connection.request(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      expect(response.status).toBe(400);
    }
  };
  await Promise.all(Array.from({ length: clients }, one));
}

test("mix whole lines in one pipe, while its reader is always behind", async () => {
  using pipe = LogPipe.open();
  const { router, url } = await startWorkers(pipe);
  await using _router = router;
  pipe.resume(6_000);
  await ask(url, 300, 900);
  pipe.resume();
  const paths = () => pipe.lines().flatMap(({ event, path }) => (event === "request" ? [String(path)] : []));
  await eventually(() => paths().length >= clients * 300, {
    what: "every line is in the log",
    deadlineMs: 20_000,
    everyMs: 50,
  });
  expect(new Set(paths()).size).toBe(clients * 300);
  expect(await router.stop()).toEqual({ code: 0, signal: null });
});

test("count what each of them has lost", async () => {
  using pipe = LogPipe.open();
  const { router, url, adminUrl } = await startWorkers(pipe);
  await using _router = router;
  const dropped = async () => {
    const text = await (await fetch(`${adminUrl}/metrics`, { headers: { connection: "close" } })).text();
    return Number(/^cell_router_log_lines_dropped_total (\d+)$/m.exec(text)?.[1]);
  };
  expect(await dropped()).toBe(0);
  pipe.leave();
  await ask(url, 20, 10);
  await eventually(async () => (await dropped()) === clients * 20, {
    what: `${clients * 20} dropped lines are counted`,
    deadlineMs: 20_000,
  });
  expect(await router.stop()).toEqual({ code: 0, signal: null });
});

test("serve on when one of them ends while nobody reads their socket, and stop in time", async () => {
  await using router = await startRouter({
    stage: "m5",
    env: { WORKERS: String(workers) },
    readyDeadlineMs: 60_000,
  });
  router.stallOutputs();
  await ask(router.url, 100, 4_000);
  // A Node that exits makes its standard output block again, for all that share it.
  const before = withDescendants(router.pid).slice(1);
  process.kill(before[0] ?? 0, "SIGTERM");
  await eventually(() => !withDescendants(router.pid).includes(before[0] ?? 0), {
    what: "a worker ends",
    deadlineMs: 20_000,
  });
  await ask(router.url, 100, 4_000);
  router.signal("SIGTERM");
  // Not `exited()`, which waits until the outputs have been read.
  await eventually(() => !isAlive(router.pid), { what: "the router ends", deadlineMs: 20_000 });
});

test("stop in time while nobody reads", async () => {
  using pipe = LogPipe.open();
  const { router, url } = await startWorkers(pipe);
  await using _router = router;
  pipe.fill();
  await ask(url, 20, 900);
  router.signal("SIGTERM");
  expect(await router.exited(15_000)).toEqual({ code: 0, signal: null });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
