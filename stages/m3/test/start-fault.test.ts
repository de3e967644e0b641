import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { busyPort, failedStart } from "../../../shared/testkit/failed-start.ts";

const controlPlane = fileURLToPath(new URL("../src/control-plane/main.ts", import.meta.url));

describe("a router that does not start says in one line what to change", () => {
  test.each([
    [{ CONTROL_PLANE_URL: "here" }, 'CONTROL_PLANE_URL="here": expected ws://host:port/v1/connect, or off'],
    [
      { CONTROL_PLANE_URL: "ftp://127.0.0.1" },
      'CONTROL_PLANE_URL="ftp://127.0.0.1": expected ws://host:port/v1/connect, or off',
    ],
    [
      { CONTROL_PLANE_URL: "ws://127.0.0.1:99999" },
      'CONTROL_PLANE_URL="ws://127.0.0.1:99999": expected ws://host:port/v1/connect, or off',
    ],
    [
      { CONTROL_PLANE_URL: "ws://127.0.0.1:8081, http://127.0.0.1:8091,here" },
      'CONTROL_PLANE_URL="ws://127.0.0.1:8081, http://127.0.0.1:8091,here": expected ws://host:port/v1/connect, or off; entry 3 is neither',
    ],
    [
      { CONTROL_PLANE_URL: "ws://127.0.0.1:8081," },
      'CONTROL_PLANE_URL="ws://127.0.0.1:8081,": expected ws://host:port/v1/connect, or off; entry 2 is neither',
    ],
    [{ STATE_DIR: "" }, 'STATE_DIR="": expected the path of a folder'],
    [{ MAX_MESSAGE_BYTES: "1e7" }, 'MAX_MESSAGE_BYTES="1e7": expected a whole number from 1024 to 268435456'],
    [
      { ROUTER_ID: "a b" },
      'ROUTER_ID="a b": expected up to 128 letters, digits, dots, dashes and underscores',
    ],
    // The value is a secret, or holds one.
    [
      { CONTROL_PLANE_URL: "ws://me:pa55word@127.0.0.1:8081" },
      "CONTROL_PLANE_URL: expected ws://host:port/v1/connect, or off",
    ],
    [
      { CONTROL_PLANE_TOKEN: "se cret" },
      "CONTROL_PLANE_TOKEN: expected printable characters without a space",
    ],
  ])("%j", async (env, words) => {
    const { code, stderr } = await failedStart({ stage: "m3", env });
    expect(stderr).toBe(`Cannot start: ${words}\n`);
    expect(code).toBe(1);
  });
});

describe("a control plane that does not start says in one line what to change", () => {
  const start = (env: Record<string, string>) =>
    failedStart({ stage: "m3", main: controlPlane, env: { CONTROL_PLANE_PORT: "0", ...env } });

  test.each([
    [{ CONTROL_PLANE_PORT: "x" }, /^Cannot start: CONTROL_PLANE_PORT="x": expected a port from 0 to 65535$/],
    [
      { HOST: "192.0.2.1" },
      /^Cannot start: HOST="192\.0\.2\.1" is not an address of this machine; set HOST to/,
    ],
    [
      { STATE_DIR: "/dev/null/state" },
      /^Cannot start: STATE_DIR="\/dev\/null\/state" cannot be used: ENOTDIR.*; set STATE_DIR to/,
    ],
    [
      { CONTROL_PLANE_TOKEN_FILE: "/dev/null/folder/token" },
      /^Cannot start: CONTROL_PLANE_TOKEN_FILE="\/dev\/null\/folder\/token" cannot be used: ENOTDIR/,
    ],
    [
      { CONTROL_PLANE_TOKEN: "abc-def" },
      /^Cannot start: CONTROL_PLANE_TOKEN: expected 16 or more printable characters/,
    ],
    [{ ROUTING_FILE: "/no/file" }, /^Cannot start: .*\/no\/file.*ENOENT/],
    [
      { STORE: "etcd" },
      /^Cannot start: STORE="etcd": this control plane keeps its table in a file; for etcd, npm run graduate etcd$/,
    ],
  ])("%j", async (env, words) => {
    const { code, stderr } = await start(env);
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(stderr.trimEnd()).toMatch(words);
    expect(code).toBe(1);
  });

  test("a busy port", async () => {
    await using busy = await busyPort();
    const { code, stderr } = await start({ CONTROL_PLANE_PORT: String(busy.port) });
    expect(stderr).toBe(
      `Cannot start: CONTROL_PLANE_PORT=${busy.port} is in use; set CONTROL_PLANE_PORT to a free port.\n`,
    );
    expect(code).toBe(1);
  });
});
