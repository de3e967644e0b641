// `ctl` as a learner runs it, against a real control plane: what it prints, what it refuses, and its exit codes.

import { once } from "node:events";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningControlPlane, stagePushTarget } from "../../../shared/contract/m3/target.ts";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { Program } from "../../../shared/testkit/program.ts";
import { runNode } from "../../run-tool.ts";
import { projectRoot } from "../../stages.ts";

let folder: string;
let controlPlane: RunningControlPlane;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cell-routing-ctl-"));
  await cp(join(projectRoot, "stages/m3/routing.json"), join(folder, "routing.json"));
  const stateDir = join(folder, "state");
  const routingFile = join(folder, "routing.json");
  controlPlane = await stagePushTarget("m3").startControlPlane({ port: 0, stateDir, routingFile });
});

afterAll(async () => {
  await controlPlane?.kill();
  await rm(folder, { recursive: true, force: true });
});

const script = join(projectRoot, "scripts/ctl.ts");
const here = () => ({
  CONTROL_PLANE_URL: controlPlane.url,
  CONTROL_PLANE_TOKEN_FILE: controlPlane.tokenFile,
});

function ctl(args: readonly string[], env: Record<string, string> = {}) {
  return runNode(script, args, { env: { ...here(), ...env } });
}

describe("ctl", () => {
  test("reads, sets, moves and removes a key", async () => {
    expect(await ctl(["get", "newcomer"])).toMatchObject({
      code: 0,
      stdout: "newcomer is served by tier3, the default: it is not listed\n",
    });
    expect((await ctl(["set", "newcomer", "tier1"])).stdout).toMatch(
      /^revision \d+: newcomer is served by tier1\n$/,
    );
    expect((await ctl(["set", "newcomer", "tier2"])).stdout).toMatch(/tier2 \(it was tier1\)\n$/);
    expect((await ctl(["set", "newcomer", "tier2"])).stdout).toMatch(/^nothing to change/);
    expect((await ctl(["get", "newcomer"])).stdout).toBe("newcomer is served by tier2\n");
    expect((await ctl(["unset", "newcomer"])).stdout).toMatch(/not listed any more \(it was tier2\)\n$/);
    expect(await ctl(["unset", "newcomer"])).toMatchObject({ code: 1, stdout: "" });
  });

  test("a key with spaces, slashes and other letters is one key", async () => {
    expect((await ctl(["set", "käse / ?&#", "tier1"])).code).toBe(0);
    expect((await ctl(["get", "käse / ?&#"])).stdout).toBe("käse / ?&# is served by tier1\n");
    expect((await ctl(["unset", "käse / ?&#"])).code).toBe(0);
  });

  test("get prints what put takes, and the revision beside it", async () => {
    const { stdout, stderr } = await ctl(["get"]);
    expect(stderr).toMatch(/^revision "[^"]+"\n$/);
    const table = JSON.parse(stdout);
    const file = join(folder, "table.json");
    await writeFile(file, stdout);
    expect((await ctl(["put", file])).stdout).toMatch(/^nothing to change/);
    await writeFile(file, JSON.stringify({ ...table, version: "2.0.0" }));
    expect((await ctl(["put", file])).stdout).toMatch(/^revision \d+\n$/);
    const etag = /".+"/.exec(stderr)?.[0] ?? "";
    const late = await ctl(["put", file, "--if-match", etag]);
    expect(late).toMatchObject({ code: 1, stdout: "" });
    expect(late.stderr).toMatch(/has changed since you read it/);
  });

  test("an unknown placement is refused with those that there are", async () => {
    const { code, stderr } = await ctl(["set", "acme", "viza"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/routingTable\.acme: unknown placement "viza"/);
    expect(stderr).toMatch(/the placements are visa, tier1, tier2, tier3/);
  });

  test("every fault of a table is told, and a file that is no JSON is refused before anything is sent", async () => {
    const file = join(folder, "broken.json");
    await writeFile(file, '{"version":"1","defaultPlacement":"x","routingTable":{"a":"y"},"placements":{}}');
    const { code, stderr } = await ctl(["put", file]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/defaultPlacement:/);
    expect(stderr).toMatch(/routingTable\.a:/);
    await writeFile(file, "{");
    expect((await ctl(["put", file])).stderr).toMatch(/cannot read .*broken\.json/);
    expect((await ctl(["put", join(folder, "absent.json")])).code).toBe(1);
  });

  test("an edit of the file that is not valid is told with its faults, and stays", async () => {
    const file = join(folder, "routing.json");
    const before = await readFile(file, "utf8");
    await writeFile(file, '{"version":');
    const refused = await ctl(["set", "newcomer", "tier1"]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(
      /answered 412: Somebody has edited the routing file[^\n]*\n {2}\(document\): not JSON/,
    );
    expect(await readFile(file, "utf8")).toBe('{"version":');
    await writeFile(file, before);
    expect((await ctl(["set", "newcomer", "tier1"])).code).toBe(0);
    expect((await ctl(["unset", "newcomer"])).code).toBe(0);
  });

  test("many at once: nobody's change is lost, and who was overtaken says so", async () => {
    const all = await Promise.all([1, 2, 3, 4].map((key) => ctl(["set", `crowd-${key}`, "tier1"])));
    expect(all.map(({ code, stderr }) => ({ code, stderr }))).toEqual(Array(4).fill({ code: 0, stderr: "" }));
    for (const key of [1, 2, 3, 4]) {
      expect((await ctl(["get", `crowd-${key}`])).stdout).toMatch(/served by tier1\n/);
    }
  });

  test("without a control plane it says which command starts one", async () => {
    const { code, stderr } = await ctl(["get"], { CONTROL_PLANE_URL: "http://127.0.0.1:1" });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^ctl: no control plane at http:\/\/127\.0\.0\.1:1 \(ECONNREFUSED\).*npm run stage m3/,
    );
  });

  test("an address where something else answers is told, and nothing is taken for done", async () => {
    const responses = [
      { status: 200, type: "application/json", body: '{"cell":"tier1"}' },
      { status: 200, type: "text/html", body: "<p>hello</p>" },
      {
        status: 400,
        type: "application/problem+json",
        body: '{"code":"missing-routing-key","detail":"Send one"}',
      },
    ];
    for (const { status, type, body } of responses) {
      const other = createServer((_, response) =>
        response.writeHead(status, { "Content-Type": type }).end(body),
      );
      await once(other.listen(0, "127.0.0.1"), "listening");
      try {
        const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
        for (const verb of [["get"], ["get", "acme"], ["set", "acme", "tier3"], ["routers"], ["watch"]]) {
          const said = await ctl([...verb, "--url", url, "--token", "any"]);
          expect(said, verb.join(" ")).toMatchObject({ code: 1, stdout: "" });
          expect(said.stderr).toMatch(
            /^ctl: what answers at \S+ is (no|a router, not the) control plane.*\n$/,
          );
        }
      } finally {
        other.close();
      }
    }
  });

  test("a wrong token, and none at all, are told apart", async () => {
    expect((await ctl(["set", "acme", "visa", "--token", "wrong-wrong-wrong-wrong"])).stderr).toMatch(
      /refused the token/,
    );
    const none = await ctl(["set", "acme", "visa"], { CONTROL_PLANE_TOKEN_FILE: "/nowhere" });
    expect(none).toMatchObject({ code: 1, stderr: expect.stringMatching(/none was found/) });
    expect((await ctl(["get", "acme"], { CONTROL_PLANE_TOKEN_FILE: "/nowhere" })).code).toBe(0);
  });

  test("without a verb it says which there are", async () => {
    const { code, stdout } = await ctl([]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^Usage/);
  });

  test("with --json, a program can read every response", async () => {
    const get = JSON.parse((await ctl(["get", "--json"])).stdout);
    expect(get).toMatchObject({ etag: expect.any(String), table: { defaultPlacement: "tier3" } });
    expect(JSON.parse((await ctl(["get", "visa", "--json"])).stdout)).toMatchObject({ placement: "visa" });
    const set = JSON.parse((await ctl(["set", "json", "tier1", "--json"])).stdout);
    expect(set).toMatchObject({ key: "json", changed: true, revision: expect.any(Number) });
    expect(JSON.parse((await ctl(["routers", "--json"])).stdout)).toMatchObject({ routers: [] });
  });

  test("routers and watch show a router that comes, learns and goes", async () => {
    let said = "";
    await using watch = new Program({
      name: "ctl watch",
      command: process.execPath,
      args: [script, "watch", "--json"],
      env: here(),
      onLine: (line) => (said += line),
    });
    await eventually(() => said.includes("is the newest"), { what: "watch tells the present state" });
    const router = await stagePushTarget("m3").startRouter({
      controlPlaneUrl: controlPlane.url,
      token: (await readFile(controlPlane.tokenFile, "utf8")).trim(),
      routerId: "watched",
      stateDir: join(folder, "router"),
      routingFile: join(folder, "none.json"),
    });
    await eventually(() => /watched (is linked and )?runs revision/.test(said), {
      what: "watch sees the router",
    });
    const { stdout } = await ctl(["routers"]);
    expect(stdout).toMatch(/^watched\s+up\s+revision \d+$/m);
    expect(stdout).not.toContain("\u001b[");
    await ctl(["set", "seen", "tier1"]);
    const { revision } = JSON.parse((await ctl(["routers", "--json"])).stdout);
    await eventually(() => said.includes(`watched runs revision ${revision}`), {
      what: "watch sees the ack",
    });
    await router.kill();
    await eventually(() => said.includes("watched is away"), { what: "watch sees the router go" });
    expect(await watch.stop("SIGINT")).toEqual({ code: 0, signal: null });
  });
});
