import { describe, expect, test } from "vitest";
import { busyPort, failedStart } from "../../../shared/testkit/failed-start.ts";
import { listenFault, startFault } from "../src/start-fault.ts";

const host = { name: "HOST", value: "192.0.2.1" };
const port = { name: "PORT", value: 80 };
const errorOf = (code: string) => Object.assign(new Error(`listen ${code}`), { code, syscall: "listen" });

describe("what is said of a port that cannot be had", () => {
  test.each([
    ["EADDRINUSE", "Cannot start: PORT=80 is in use; set PORT to a free port."],
    [
      "EACCES",
      "Cannot start: PORT=80 needs privileges that this user does not have; set PORT to 1024 or higher.",
    ],
    ...["EADDRNOTAVAIL", "ENOTFOUND", "EAI_AGAIN", "EAFNOSUPPORT", "EINVAL"].map((code) => [
      code,
      'Cannot start: HOST="192.0.2.1" is not an address of this machine; set HOST to 127.0.0.1 or to one of its addresses.',
    ]),
    ["EMFILE", "Cannot start: listen EMFILE"],
  ])("for %s", (code = "", words) => {
    expect(listenFault(errorOf(code), host, port)).toBe(words);
  });

  test("leaves every other error its own words", () => {
    expect(startFault(new Error('Cannot start: PORT="x": expected a port'), {})).toBe(
      'Cannot start: PORT="x": expected a port',
    );
    const error = Object.assign(new Error("EACCES: permission denied, open 'x'"), {
      code: "EACCES",
      syscall: "open",
    });
    expect(startFault(error, {})).toBe("Cannot start: EACCES: permission denied, open 'x'");
  });
});

describe("a start that fails says in one line what to change, and ends with 1", () => {
  test.each([
    [
      { HOST: "999.1.1.1" },
      /^Cannot start: HOST="999\.1\.1\.1" is not an address of this machine; set HOST to 127\.0\.0\.1/,
    ],
    // https://www.rfc-editor.org/rfc/rfc5737: addresses that no machine has
    [{ HOST: "192.0.2.1" }, /^Cannot start: HOST="192\.0\.2\.1" is not an address of this machine/],
    [{ HOST: "" }, /^Cannot start: HOST="": expected an address of this machine$/],
    [{ PORT: "eighty" }, /^Cannot start: PORT="eighty": expected a port from 0 to 65535$/],
    [{ PORT: "65536" }, /^Cannot start: PORT="65536": expected a port from 0 to 65535$/],
    [{ LOG_LEVEL: "loud" }, /^Cannot start: LOG_LEVEL="loud": .*"fatal"/],
    [
      { CELLS: "visa=http://localhost:9001" },
      /^Cannot start: CELLS="visa=http:\/\/localhost:9001": tier1 would share the dedicated cell of visa/,
    ],
  ])("%j", async (env, words) => {
    const { code, stderr } = await failedStart({ stage: "m1", env });
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(stderr.trimEnd()).toMatch(words);
    expect(code).toBe(1);
  });

  test("a busy port", async () => {
    await using busy = await busyPort();
    const { code, stderr } = await failedStart({ stage: "m1", env: { PORT: String(busy.port) } });
    expect(stderr).toBe(`Cannot start: PORT=${busy.port} is in use; set PORT to a free port.\n`);
    expect(code).toBe(1);
  });
});
