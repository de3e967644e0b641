// What the router uses of Node beyond its public API: found without a deprecated call, and done without where Node differs.

import { Socket } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { sendRaw } from "../../../shared/testkit/raw-client.ts";
import { startRouter } from "../../../shared/testkit/router-process.ts";
import { RawTcp } from "../src/trim/raw-tcp.ts";

failOnLeaks();

afterEach(() => void vi.restoreAllMocks());

test("finds the raw interface of this Node", () => {
  expect(RawTcp.load()).toBeInstanceOf(RawTcp);
});

type SocketWithHandle = Socket & { _handle: { writeLatin1String(request: unknown, text: string): unknown } };

test.each<[string, (socket: SocketWithHandle) => unknown]>([
  ["writes nothing at once", () => true],
  ["hands something else to its handles", ({ _handle }) => _handle.writeLatin1String({}, "?")],
  ["hands nothing to its handles", ({ _handle }) => _handle.writeLatin1String(undefined, "?")],
  [
    "throws",
    () => {
      throw new Error("another Node");
    },
  ],
])("does without it in a Node that %s", (_, write) => {
  vi.spyOn(Socket.prototype, "write").mockImplementation(function (this: Socket) {
    write(this as SocketWithHandle);
    return true;
  });
  expect(RawTcp.load()).toBeUndefined();
});

// Deprecated calls warn, and will be gone one day; a warning on standard error is also an alarm to some operators.
test("the router prints no warning when Node warns of everything", async () => {
  const NODE_OPTIONS = `${process.env["NODE_OPTIONS"] ?? ""} --pending-deprecation --trace-warnings`;
  await using router = await startRouter({ stage: "m5", env: { NODE_OPTIONS } });
  const response = await sendRaw(router.url, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  expect(response.status).toBe(400);
  expect(router.stderr()).toBe("");
});
