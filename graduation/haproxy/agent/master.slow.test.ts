// What a HAProxy that ends at a bad moment is taken for.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { freePort } from "../../../bench/free-port.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { systemClock } from "../../../stages/m4/src/clock.ts";
import { engineVersion } from "../../topic.ts";
import { tableOf } from "../test/tables.ts";
import { HaproxyFiles } from "./files.ts";
import { Master } from "./master.ts";
import { HaproxyRefusal } from "./worker.ts";

test.skipIf(engineVersion("haproxy") === undefined)(
  "a HAProxy that is killed while it reloads has not refused the table",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "haproxy-master-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const files = new HaproxyFiles(folder, { host: "127.0.0.1", port: await freePort() });
    await files.write(tableOf({ one: {} }));
    const master = await Master.start(files.paths, systemClock);
    onTestFinished(() => master.stop(0));
    // A reload that does not end: nobody writes into the pipe.
    rmSync(join(folder, "keys.map"));
    execFileSync("mkfifo", [join(folder, "keys.map")]);
    const reload = master.reload().catch((error: unknown) => error);
    const isReloading = () => readFileSync(`/proc/${master.pid}/cmdline`, "utf8").includes("\0-sf\0");
    await eventually(isReloading, { what: "the master loads its files again" });
    process.kill(master.pid, "SIGKILL");
    const fault = await reload;
    expect(fault).not.toBeInstanceOf(HaproxyRefusal);
    expect(String(fault)).toContain("HAProxy has ended");
  },
);
