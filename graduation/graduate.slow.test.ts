// However `npm run graduate` is ended, it ends, and leaves nothing behind.

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished, test } from "vitest";
import { packageFile } from "../scripts/run-tool.ts";
import { eventually } from "../shared/testkit/eventually.ts";
import { commandOf, isRunning, parentOf, withDescendants } from "../shared/testkit/process-by-port.ts";
import { engineVersion } from "./topic.ts";
import { envoyVersion } from "./xds/envoy.ts";

const script = join(import.meta.dirname, "..", "scripts", "graduate.ts");
const isLinux = process.platform === "linux";

/** Processes that were started, directly or not, with `mark` in their environment. */
function pidsWith(mark: string): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => environmentOf(pid).includes(mark)).map(Number);
}

function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    // It has ended meanwhile, or is somebody else's.
    return "";
  }
}

const ways = ["its reader leaves", "SIGHUP", "SIGTERM", "SIGINT", "SIGKILL"] as const;

/** `engine`: how the command of a running engine begins. The same program is also asked for its version, and ends. */
const topics = [
  { topic: "haproxy", engine: "haproxy -W ", version: engineVersion("haproxy") },
  { topic: "nginx", engine: "nginx: master process ", version: engineVersion("nginx") },
  { topic: "etcd", engine: "etcd --name ", version: engineVersion("etcd") },
  { topic: "xds", engine: `${process.env["ENVOY"] ?? "envoy"} --config-path `, version: envoyVersion() },
];

for (const { topic, engine, version } of topics) {
  test.runIf(isLinux && version !== undefined).each(ways)(
    `the demo of ${topic} ends and leaves nothing behind when it gets: %s`,
    async (way) => {
      const mark = randomUUID();
      const child = spawn(process.execPath, [packageFile("tsx/dist/cli.mjs"), script, topic], {
        env: { ...process.env, GRADUATE_TEST: mark },
        stdio: ["ignore", "pipe", "ignore"],
      });
      onTestFinished(() => void child.kill());
      // Its lines are read, so that it never waits for a reader.
      let hasBegun = false;
      createInterface({ input: child.stdout }).on("line", (line) => {
        hasBegun ||= /^\d+\/\d+ /.test(line);
      });
      const exited = once(child, "exit");
      const [started, demo] = await eventually(
        () => {
          const pids = withDescendants(child.pid ?? 0);
          const running = pids.find((pid) => commandOf(pid).join(" ").startsWith(engine));
          const parent = running === undefined ? undefined : parentOf(running);
          return parent === undefined ? undefined : ([pids, parent] as const);
        },
        { what: "it has started an engine", deadlineMs: 20_000 },
      );
      if (way === "its reader leaves") child.stdout.destroy();
      // tsx, which started the demo, has no chance to pass this one on.
      else if (way === "SIGKILL") {
        // Not before the stack is up: what is just starting soon ends by itself.
        await eventually(() => hasBegun, { what: "its first step", deadlineMs: 40_000 });
        process.kill(demo, way);
      } else child.kill(way);
      await exited;
      // nginx writes its titles over its environment, so the mark alone would not find it.
      await eventually(() => !started.some(isRunning) && pidsWith(mark).length === 0, {
        what: "everything that it started has ended",
        // A demo that is told to stop has 15 s.
        deadlineMs: 20_000,
      });
    },
  );
}
