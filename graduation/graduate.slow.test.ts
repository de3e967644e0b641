// However `npm run graduate` is ended, it ends, and leaves nothing behind.

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { packageFile } from "../scripts/run-tool.ts";
import { eventually } from "../shared/testkit/eventually.ts";
import { engineVersion } from "./topic.ts";

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

const ways = ["its reader leaves", "SIGHUP", "SIGTERM", "SIGINT"] as const;

for (const topic of ["haproxy", "nginx", "etcd"] as const) {
  test.runIf(isLinux && engineVersion(topic) !== undefined).each(ways)(
    `the demo of ${topic} ends and leaves nothing behind when it gets: %s`,
    async (way) => {
      const mark = randomUUID();
      const child = spawn(process.execPath, [packageFile("tsx/dist/cli.mjs"), script, topic], {
        env: { ...process.env, GRADUATE_TEST: mark },
        stdio: ["ignore", "pipe", "ignore"],
      });
      const lines = createInterface({ input: child.stdout });
      const exited = once(child, "exit");
      const [first] = (await Promise.race([once(lines, "line"), once(lines, "close")])) as [string?];
      expect(first, "what the demo tells first").toMatch(/\w/);
      await eventually(() => pidsWith(mark).length > 1, {
        what: "it has started an engine",
        deadlineMs: 10_000,
      });
      if (way === "its reader leaves") child.stdout.destroy();
      else {
        child.stdout.resume();
        child.kill(way);
      }
      await exited;
      await eventually(() => pidsWith(mark).length === 0, {
        what: "everything that it started has ended",
        deadlineMs: 10_000,
      });
      expect(pidsWith(mark)).toEqual([]);
    },
  );
}
