// Who may read and write the learner's files through the site's server, and what becomes of their imports.

import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { projectRoot } from "../stages.ts";
import { respond } from "./workspace-api.ts";

const id = "m4/03-half-open";
const slug = "m4-03-half-open";
const root = mkdtempSync(join(tmpdir(), "cell-routing-workspace-"));
for (const folder of ["exercises", "solutions"])
  cpSync(join(projectRoot, folder, id), join(root, folder, id), { recursive: true });
symlinkSync(join(projectRoot, "stages"), join(root, "stages"));
writeFileSync(join(root, "tsconfig.json"), "{}");
const file = join(root, "workspace", id, "circuit-breaker.ts");

const server = createServer((req: IncomingMessage, res) => {
  respond(root, (req.url ?? "").slice(1), req).then(({ status, body }) => {
    res.writeHead(status);
    res.end(JSON.stringify(body));
  });
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo;
const host = `127.0.0.1:${port}`;
afterAll(() => {
  server.close();
  rmSync(root, { recursive: true });
});

function ask(
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: object,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const req = request({ host: "127.0.0.1", port, method, path, headers }, (res) => {
      let text = "";
      res.on("data", (chunk) => {
        text += chunk;
      });
      res.on("end", () => resolve({ status: res.statusCode ?? 0, text }));
    });
    req.on("error", reject);
    req.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const own = { host, origin: `http://${host}` };
const starter = readFileSync(join(projectRoot, "exercises", id, "starter/circuit-breaker.ts"), "utf8");

test("what was not opened is not there, and asking does not open it", async () => {
  expect(JSON.parse((await ask("GET", `/${slug}`, { host })).text)).toEqual({ files: null });
  expect(existsSync(file)).toBe(false);
});

test("a file comes back as the page wrote it, and lies in workspace/ with imports of its own depth", async () => {
  const text = `${starter}\n// mine\n`;
  expect((await ask("PUT", `/${slug}`, own, { files: { "circuit-breaker.ts": text } })).status).toBe(200);
  expect(readFileSync(file, "utf8")).toContain('"../../../stages/m4/src/failure-window.ts"');
  const read = await ask("GET", `/${slug}`, { host });
  expect(JSON.parse(read.text)).toEqual({ files: { "circuit-breaker.ts": text } });
});

test.each([
  ["another site's page writes", "PUT", { host, origin: "http://shop.example" }],
  ["another site's page reads", "GET", { host, origin: "http://shop.example" }],
  ["another port of this machine writes", "PUT", { host, origin: "http://127.0.0.1:1" }],
  ["a foreign name points here", "GET", { host: `shop.example:${port}` }],
  [
    "a foreign name points here and writes as itself",
    "PUT",
    { host: `shop.example:${port}`, origin: `http://shop.example:${port}` },
  ],
  ["somebody writes without an origin", "PUT", { host }],
])("nothing is done when %s", async (_who, method, headers) => {
  const before = readFileSync(file, "utf8");
  const body = method === "PUT" ? { files: { "circuit-breaker.ts": "bad" } } : undefined;
  expect((await ask(method, `/${slug}`, headers, body)).status).toBe(403);
  expect(readFileSync(file, "utf8")).toBe(before);
});

test.each([["../../../escaped.ts"], ["exercise.json"], ["sub/circuit-breaker.ts"]])(
  "a file that the exercise does not have is refused: %s",
  async (name) => {
    expect((await ask("PUT", `/${slug}`, own, { files: { [name]: "bad" } })).status).toBe(400);
    expect(existsSync(join(root, "workspace", id, name))).toBe(false);
  },
);

test("an exercise that nobody knows is refused", async () => {
  expect((await ask("PUT", "/m9-99-nothing", own, { files: {} })).status).toBe(404);
});
