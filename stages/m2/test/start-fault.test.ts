import { describe, expect, test } from "vitest";
import { busyPort, failedStart } from "../../../shared/testkit/failed-start.ts";

describe("a start that fails says in one line what to change, and ends with 1", () => {
  test.each([
    [
      { PORT: "8080", ADMIN_PORT: "8080" },
      /^Cannot start: PORT and ADMIN_PORT are the same; set one of them to another port$/,
    ],
    [{ ADMIN_PORT: "-1" }, /^Cannot start: ADMIN_PORT="-1": expected a port from 0 to 65535$/],
    [{ ROUTING_FILE: "" }, /^Cannot start: ROUTING_FILE="": expected the path of a file$/],
    [
      { ROUTING_FILE: "/no/file" },
      /^Cannot start: ROUTING_FILE="\/no\/file" holds no routing table; mend it, or set another one: .*ENOENT/,
    ],
    [
      { ROUTING_FILE: "/dev/zero" },
      /^Cannot start: ROUTING_FILE="\/dev\/zero" holds no routing table; .* a device, not a regular file/,
    ],
    [
      { ROUTING_FILE: "." },
      /^Cannot start: ROUTING_FILE="\." holds no routing table; .* a folder, not a regular file/,
    ],
  ])("%j", async (env, words) => {
    const { code, stderr } = await failedStart({ stage: "m2", env });
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(stderr.trimEnd()).toMatch(words);
    expect(code).toBe(1);
  });

  test.each(["PORT", "ADMIN_PORT"])("a busy %s", async (name) => {
    await using busy = await busyPort();
    const { code, stderr } = await failedStart({ stage: "m2", env: { [name]: String(busy.port) } });
    expect(stderr).toBe(`Cannot start: ${name}=${busy.port} is in use; set ${name} to a free port.\n`);
    expect(code).toBe(1);
  });
});
