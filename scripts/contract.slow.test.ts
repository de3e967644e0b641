import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { eventually } from "../shared/testkit/eventually.ts";
import { startHostileUpstream } from "../shared/testkit/hostile-upstream.ts";
import { failOnLeaks } from "../shared/testkit/leak-check.ts";
import { Program } from "../shared/testkit/program.ts";
import { residentBytes } from "../shared/testkit/resident-memory.ts";
import { startRouter } from "../shared/testkit/router-process.ts";
import { plantTree } from "./planted-tree.ts";
import { runNode } from "./run-tool.ts";

failOnLeaks();

const script = fileURLToPath(new URL("contract.ts", import.meta.url));
const placements = ["visa", "tier1", "tier2", "tier3"] as const;

const contract = (...args: string[]) => runNode(script, args);

/** Ports that were free a moment ago. */
async function freePorts(): Promise<Record<(typeof placements)[number], number>> {
  const servers = await Promise.all(placements.map(() => startHostileUpstream(async () => {})));
  const ports = servers.map((server) => server.port);
  await Promise.all(servers.map((server) => server.close()));
  return { visa: ports[0] ?? 0, tier1: ports[1] ?? 0, tier2: ports[2] ?? 0, tier3: ports[3] ?? 0 };
}

const listed = (ports: Record<string, number>) =>
  Object.entries(ports)
    .map(([name, port]) => `${name}=${port}`)
    .join(",");

test("runs the chosen cases against a router that is up, and says which held", async () => {
  const ports = await freePorts();
  const endpoints = Object.fromEntries(
    Object.entries(ports).map(([name, port]) => [name, `http://127.0.0.1:${port}`]),
  );
  await using router = await startRouter({ stage: "m1", endpoints });
  const only = ["--ports", listed(ports), "--only", "keeps a length"];
  const words = await contract("m1", router.url, ...only);
  expect(words).toMatchObject({ code: 0, stderr: "" });
  expect(words.stdout).toContain("ok       response bodies > keeps a length of zero");
  expect(words.stdout).toMatch(/Contract m1 at http:\/\/127\.0\.0\.1:\d+: 2 hold, 0 broken/);
  const { stdout } = await contract("m1", router.url, ...only, "--json");
  expect(JSON.parse(stdout)).toMatchObject({ contract: "m1", passed: 2, failed: 0, failures: [] });
});

test("exits with 1 and the failing case when the router breaks the contract", async () => {
  // A "router" that answers everything itself.
  await using liar = await startHostileUpstream(async (connection) => {
    await connection.readRequest();
    await connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Routed-To: visa\r\n\r\nok");
  });
  const ports = await freePorts();
  const only = ["--ports", listed(ports), "--only", "sends the key visa"];
  const { code, stdout } = await contract("m1", liar.url, ...only, "--json");
  expect(code).toBe(1);
  const report = JSON.parse(stdout) as { failed: number; failures: { title: string; message: string }[] };
  expect(report.failed).toBe(1);
  expect(report.failures[0]?.title).toContain("sends the key visa to visa");
  expect(report.failures[0]?.message).not.toBe("");
});

test("counts what is broken in form only apart from the core, and lets it pass when told to", async () => {
  // It refuses everything, and says no more than the status: the requests are right to be refused, the words are missing.
  await using terse = await startHostileUpstream(async (connection) => {
    await connection.readRequest();
    await connection.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });
  const args = ["m1", terse.url, "--ports", listed(await freePorts()), "--only", "when the key is missing"];
  const words = await contract(...args);
  expect(words.stdout).toMatch(/failed {3}routing > answers 400 when the key is missing.* \(form\)/);
  expect(words.stdout).toMatch(
    /0 hold, 1 broken\n {2}core {4}0 hold, 0 broken\n {2}form {4}0 hold, 1 broken\n {2}policy/,
  );
  expect(words.code).toBe(1);
  const { code, stdout } = await contract(...args, "--allow", "form", "--json");
  expect(JSON.parse(stdout)).toMatchObject({
    grades: { core: { passed: 0, failed: 0 }, form: { passed: 0, failed: 1 } },
    failures: [{ grade: "form" }],
  });
  expect(code).toBe(0);
});

test("exits with 1 for a broken core case, whatever is allowed", async () => {
  await using liar = await startHostileUpstream(async (connection) => {
    await connection.readRequest();
    await connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  const args = ["--only", "when the key is missing", "--allow", "form,policy", "--json"];
  const { code, stdout } = await contract("m1", liar.url, "--ports", listed(await freePorts()), ...args);
  expect(JSON.parse(stdout)).toMatchObject({ grades: { core: { failed: 1 }, form: { failed: 0 } } });
  expect(code).toBe(1);
});

test("keeps which groups of a program hold, and says which one is next", async () => {
  // A name that no other run has: what is kept is kept by the command.
  const start = `"${process.execPath}" "${stageMain}" --run-${process.pid}`;
  const { stdout } = await contract("m1", "--start", start, "--only", "streaming >");
  expect(stdout).toMatch(/1 of \d+ groups hold in full; next: --only "routing"/);
  const progress = await contract("m1", "--start", start, "--progress");
  expect(progress).toMatchObject({ code: 0, stderr: "" });
  expect(progress.stdout).toMatch(/^ {2}next {2}routing +0 of \d+$/m);
  expect(progress.stdout).toMatch(/^ {2}ok {4}streaming +(\d+) of \1$/m);
});

const stageMain = fileURLToPath(new URL("../stages/m1/src/main.ts", import.meta.url));

test("starts a program, and runs the cases that need its log", async () => {
  const start = `"${process.execPath}" "${stageMain}"`;
  const { code, stdout } = await contract("m1", "--start", start, "--only", "has one line for a request");
  expect(stdout).toContain("ok       the access log > has one line for a request");
  expect(stdout).toContain(`Contract m1 with ${start}: 1 hold, 0 broken`);
  expect(code).toBe(0);
});

/** A router of a few lines that ends with exit code 3 at its third connection. */
const mortal = `
  let connections = 0;
  const server = require("node:net").createServer((socket) => {
    socket.on("error", () => {});
    if (++connections === 3) { console.error("Error: out of luck"); process.exit(3); }
    socket.once("data", () => socket.end("HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n"));
  });
  server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () =>
    console.log(JSON.stringify({ event: "ready", url: "http://127.0.0.1:" + server.address().port })));
`;

test("says how a program that it started has ended, once, and does not run the rest", async () => {
  using tree = plantTree({ "router.cjs": mortal });
  const start = `"${process.execPath}" "${join(tree.root, "router.cjs")}"`;
  const { code, stdout } = await contract("m1", "--start", start, "--json");
  const report = JSON.parse(stdout) as { failures: { message: string }[]; notRun: number };
  const [last] = report.failures.slice(-1);
  expect(last?.message).toMatch(
    /^The router's process ended with exit code 3. Its last lines:\n.*\n {2}Error: out of luck$/,
  );
  expect(report.failures.filter(({ message }) => /EndOfBytes|ECONNREFUSED/.test(message))).toEqual([]);
  expect(report.notRun).toBeGreaterThan(300);
  expect(code).toBe(1);
});

test("says that a router at a URL no longer accepts connections, once, and does not run the rest", async () => {
  using tree = plantTree({ "router.cjs": mortal });
  const args = [join(tree.root, "router.cjs")];
  await using program = new Program({ name: "the router", command: process.execPath, args });
  await program.ready();
  const { stdout } = await contract("m1", program.url, "--ports", listed(await freePorts()), "--json");
  const report = JSON.parse(stdout) as { failures: { message: string }[]; notRun: number };
  const words = `The router at ${program.url} no longer accepts connections.`;
  expect(report.failures.map(({ message }) => message).slice(-1)).toEqual([words]);
  expect(report.notRun).toBeGreaterThan(300);
});

describe.skipIf(process.platform === "win32")("behind a wrapper that hands no signal on, such as npx", () => {
  /** Starts what follows it, and writes its process id down. */
  const wrapper = '"$@" & echo $! >"$(dirname "$0")/pid"; wait';
  const stays = "setInterval(() => {}, 1000)";
  const pidIn = ({ root }: { readonly root: string }) => Number(readFileSync(join(root, "pid"), "utf8"));
  /** A process whose end nobody has asked about keeps its id, and holds no memory. */
  const isGone = (pid: number) =>
    eventually(() => residentBytes(pid) === null, { what: "the router has ended" });

  test("a router ends with the command", async () => {
    using tree = plantTree({ wrapper });
    const start = `sh "${join(tree.root, "wrapper")}" "${process.execPath}" "${stageMain}"`;
    const { code } = await contract("m1", "--start", start, "--only", "keeps a length of zero");
    expect(code).toBe(0);
    expect(pidIn(tree)).toBeGreaterThan(0);
    await isGone(pidIn(tree));
  });

  test.for([
    ["its own process only", "SIGINT", process.kill],
    ["its own process only", "SIGTERM", process.kill],
    ["its whole group, as Ctrl-C is", "SIGINT", (pid: number, signal: string) => process.kill(-pid, signal)],
  ] as const)("a router ends with a signal to %s: %s", async ([, signal, send]) => {
    using tree = plantTree({ wrapper, "silent.cjs": stays });
    const start = `sh "${join(tree.root, "wrapper")}" "${process.execPath}" "${join(tree.root, "silent.cjs")}"`;
    const args = [script, "m1", "--start", start];
    // Vitest sets these in its workers; the command starts another Vitest.
    const env = Object.fromEntries(
      Object.keys(process.env).flatMap((name) => (name.startsWith("VITEST") ? [[name, undefined]] : [])),
    );
    const options = { command: process.execPath, args, env, ownGroup: true };
    await using command = new Program({ name: "contract", ...options });
    const hasStarted = () => existsSync(join(tree.root, "pid")) && pidIn(tree) > 0;
    await eventually(hasStarted, { what: "the router has been started", deadlineMs: 30_000 });
    const pid = pidIn(tree);
    send(command.pid, signal);
    expect(await command.exited).toEqual({ code: 1, signal: null });
    expect(command.lastLines().at(-1)).toMatch(
      /^contract: stopped \((Ctrl-C|SIGTERM)\): nothing was judged$/,
    );
    await isGone(pid);
  });
});

test("exits with 1 and one line when nothing listens at the URL", async () => {
  const { visa } = await freePorts();
  const { code, stderr } = await contract("m1", `http://127.0.0.1:${visa}`);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^contract: nothing accepts connections at .*start the router[^\n]*\n$/);
});

test("exits with 1 for a program that is not there", async () => {
  const { code, stderr } = await contract("m1", "--start", "/no/such/router");
  expect(stderr).toMatch(/^contract: The m1 router could not be started: spawn \/no\/such\/router ENOENT/);
  expect(code).toBe(1);
});

test("exits with 1 and the last words of a program that does not start", async () => {
  const { code, stderr } = await contract("m1", "--start", `"${process.execPath}" -e "process.exit(4)"`);
  expect(stderr).toContain("The m1 router ended with exit code 4 before its READY line");
  expect(code).toBe(1);
});

test("exits with 1 when the program to start does not exist", async () => {
  const { code, stderr } = await contract("m1", "--start", "./no-such-router");
  expect(stderr).toContain("The m1 router could not be started: spawn ./no-such-router ENOENT");
  expect(code).toBe(1);
});

test("names the endpoint port that is busy, and who should leave it", async () => {
  await using holder = await startHostileUpstream(async () => {});
  const ports = { ...(await freePorts()), tier2: holder.port };
  const { code, stderr } = await contract("m1", holder.url, "--ports", listed(ports));
  expect(code).toBe(1);
  expect(stderr).toContain(`port ${holder.port} is busy`);
  expect(stderr).toContain('the cell "tier2"');
});
