import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { within } from "../../testkit/eventually.ts";
import { failOnLeaks } from "../../testkit/leak-check.ts";
import { RawClient, sendRaw } from "../../testkit/raw-client.ts";
import { startCell } from "../cell.ts";

failOnLeaks();

const main = fileURLToPath(new URL("../main.ts", import.meta.url));

function run(env: Record<string, string>) {
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const closed = once(child, "close") as Promise<[code: number | null, signal: string | null]>;
  return { child, closed, stderr: () => stderr };
}

test("prints a READY line, serves, and is gone at once when it is told to stop", async () => {
  const { child, closed } = run({ NAME: "tier1", PORT: "0" });
  const [line] = (await within(once(createInterface({ input: child.stdout }), "line"), 10_000, "a line")) as [
    string,
  ];
  const ready = JSON.parse(line) as { event: string; name: string; url: string; pid: number };
  expect(ready).toMatchObject({ event: "ready", name: "tier1", pid: child.pid });
  await using client = await RawClient.connect(ready.url);
  await client.write("GET /drip?chunks=1000&intervalMs=10 HTTP/1.1\r\nHost: a\r\n\r\n");
  await client.readHead();
  child.kill("SIGTERM");
  expect(await within(closed, 5000, "the cell exits")).toEqual([0, null]);
  await client.untilClosed();
  await expect(sendRaw(ready.url, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")).rejects.toThrow("ECONNREFUSED");
});

test("names the port that is taken, and exits with 1", async () => {
  await using holder = await startCell({ name: "holder" });
  const { closed, stderr } = run({ NAME: "tier1", PORT: String(holder.port) });
  expect((await within(closed, 10_000, "the cell exits"))[0]).toBe(1);
  expect(stderr()).toContain(`port ${holder.port} is taken`);
});
