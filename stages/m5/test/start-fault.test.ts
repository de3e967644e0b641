import { describe, expect, test } from "vitest";
import { busyPort, failedStart } from "../../../shared/testkit/failed-start.ts";

describe("a start that fails says in one line what to change, and ends with 1", () => {
  test.each([
    [{ WORKERS: "two" }, /^Cannot start: WORKERS="two": expected a whole number from 1 to 64$/],
    [{ WORKERS: "0" }, /^Cannot start: WORKERS="0": expected a whole number from 1 to 64$/],
    [{ WORKERS: "1.5" }, /^Cannot start: WORKERS="1\.5": expected a whole number from 1 to 64$/],
    [{ REUSE_PORT: "maybe" }, /^Cannot start: REUSE_PORT="maybe": expected true or false$/],
    [
      { HOST: "999.1.1.1" },
      /^Cannot start: HOST="999\.1\.1\.1" is not an address of this machine; set HOST to/,
    ],
    [
      { WORKERS: "2", HOST: "192.0.2.1", PORT: "8080" },
      /^Cannot start: HOST="192\.0\.2\.1" is not an address of this machine/,
    ],
  ])("%j", async (env, words) => {
    const { code, stderr } = await failedStart({ stage: "m5", env });
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(stderr.trimEnd()).toMatch(words);
    expect(code).toBe(1);
  });

  test.each([
    ["PORT", "1"],
    ["PORT", "2"],
    ["ADMIN_PORT", "2"],
  ])("a busy %s with %s workers", async (name, workers) => {
    await using busy = await busyPort();
    const env = { WORKERS: workers, [name]: String(busy.port) };
    const { code, stderr } = await failedStart({ stage: "m5", env });
    expect(stderr).toBe(`Cannot start: ${name}=${busy.port} is in use; set ${name} to a free port.\n`);
    expect(code).toBe(1);
  });
});
