// The control plane's log is the router's: when it cannot be written, the control plane serves on and stops in time.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { within } from "../../../shared/testkit/eventually.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { LogPipe } from "../../../shared/testkit/log-places.ts";
import { contractRouting } from "../../../shared/testkit/router-process.ts";

failOnLeaks();

const token = "a-token-that-nobody-guesses";

test("a control plane goes on and stops in time while nobody reads its log", async () => {
  const directory = await mkdtemp(join(tmpdir(), "control-plane-log-"));
  const file = join(directory, "routing.json");
  await writeFile(file, JSON.stringify(contractRouting()));
  using pipe = LogPipe.open();
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL("../src/control-plane/main.ts", import.meta.url))],
    {
      env: {
        ...process.env,
        HOST: "127.0.0.1",
        CONTROL_PLANE_PORT: "0",
        CONTROL_PLANE_TOKEN: token,
        STATE_DIR: directory,
        ROUTING_FILE: file,
      },
      stdio: ["ignore", pipe.fd, pipe.fd],
    },
  );
  try {
    pipe.handOver();
    const { url } = await pipe.waitFor("ready");
    pipe.fill();
    const current = await fetch(`${url}/v1/routing`);
    await current.text();
    const changed = await fetch(`${url}/v1/routing/keys/acme`, {
      method: "PATCH",
      headers: { Authorization: `Bearer ${token}`, "If-Match": current.headers.get("etag") ?? "" },
      body: JSON.stringify({ placement: "tier2" }),
    });
    expect([changed.status, await changed.text()]).toEqual([200, expect.any(String)]);
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    expect(await within(exited, 15_000, "the control plane stops")).toEqual([0, null]);
  } finally {
    child.kill("SIGKILL");
    await rm(directory, { recursive: true, force: true });
  }
});
