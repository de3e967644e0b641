import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { within } from "../../testkit/eventually.ts";
import { failOnLeaks } from "../../testkit/leak-check.ts";
import { Program } from "../../testkit/program.ts";
import { RawClient, sendRaw } from "../../testkit/raw-client.ts";
import { startCell } from "../cell.ts";

failOnLeaks();

const main = fileURLToPath(new URL("../main.ts", import.meta.url));

function run(env: Record<string, string>): Program {
  return new Program({ name: "the cell", command: process.execPath, args: [main], env });
}

test("prints a READY line, serves, and is gone at once when it is told to stop", async () => {
  await using cell = run({ NAME: "tier1", PORT: "0" });
  expect(await cell.ready(10_000)).toMatchObject({ event: "ready", name: "tier1", pid: cell.pid });
  await using client = await RawClient.connect(cell.url);
  await client.write("GET /drip?chunks=1000&intervalMs=10 HTTP/1.1\r\nHost: a\r\n\r\n");
  await client.readHead();
  expect(await cell.stop("SIGTERM", 5000)).toEqual({ code: 0, signal: null });
  await client.untilClosed();
  await expect(sendRaw(cell.url, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")).rejects.toThrow("ECONNREFUSED");
});

test("names the port that is taken, and exits with 1", async () => {
  await using holder = await startCell({ name: "holder" });
  await using cell = run({ NAME: "tier1", PORT: String(holder.port) });
  expect((await within(cell.exited, 10_000, "the cell exits")).code).toBe(1);
  expect(cell.lastLines().join("\n")).toContain(`port ${holder.port} is taken`);
});
