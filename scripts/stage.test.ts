// `npm run stage` as a person or a program meets it: its output, its exit codes, and what it leaves behind.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import { eventually } from "../shared/testkit/eventually.ts";
import { isRunning } from "../shared/testkit/process-by-port.ts";
import { linkPackages, type PlantedTree, plantTree } from "./planted-tree.ts";
import { missingTool, portedRouters } from "./ported-routers.ts";
import { runNode } from "./run-tool.ts";
import { presentStages, projectRoot } from "./stages.ts";

/** Stages after m1 that have a demo. */
const laterStages = presentStages().filter(
  (stage) => stage !== "m1" && existsSync(join(projectRoot, "scripts/demos", `${stage}.ts`)),
);

const script = join(projectRoot, "scripts/stage.ts");
const hasGo = (await missingTool(portedRouters.go)) === undefined;

interface Event {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** `stage m1 --json --port 0 …`, with its events as they come. */
class StageRun implements AsyncDisposable {
  readonly events: Event[] = [];
  readonly child: ChildProcess;
  readonly exited: Promise<[code: number | null, signal: NodeJS.Signals | null]>;
  stderr = "";

  constructor(args: readonly string[], launcher?: string) {
    const command = launcher === undefined ? [script] : [launcher, script];
    this.child = spawn(process.execPath, [...command, "--json", "--port", "0", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      // A process group of its own, as a terminal gives to a command.
      detached: true,
    });
    this.exited = once(this.child, "close") as StageRun["exited"];
    if (this.child.stdout === null || this.child.stderr === null) throw new Error("no pipes");
    createInterface({ input: this.child.stdout }).on("line", (line) => this.events.push(JSON.parse(line)));
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
  }

  /** The first event of a kind; waits for it. */
  async event(kind: string): Promise<Event> {
    const find = () => this.events.find(({ event }) => event === kind);
    await until(
      `event ${kind} (stderr: ${this.stderr})`,
      () => find() !== undefined || this.child.exitCode !== null,
    );
    const found = find();
    if (found === undefined) throw new Error(`ended without an event ${kind}: ${this.stderr}`);
    return found;
  }

  async parts(): Promise<{ router: string; pids: number[] }> {
    const ready = (await this.event("ready")) as unknown as {
      routers: string[];
      pids: Record<string, number>;
    };
    return { router: ready.routers[0] ?? "", pids: Object.values(ready.pids) };
  }

  /** The parts too, once the stack has nothing left to do but to stay up. */
  async staying(): ReturnType<StageRun["parts"]> {
    await this.event("staying");
    return this.parts();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill("SIGKILL");
    await this.exited;
  }
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  await eventually(condition, { what, deadlineMs: 30_000, everyMs: 10 });
}

async function expectAllGone(pids: readonly number[], count = 5): Promise<void> {
  expect(pids).toHaveLength(count);
  for (const pid of pids) await until(`process ${pid} is gone`, () => !isRunning(pid));
}

function runStage(...args: string[]) {
  return runNode(script, args, { cwd: projectRoot });
}

/** What m1 needs, in a folder whose path has a space. */
function cloneOfM1(): PlantedTree {
  const clone = plantTree();
  for (const path of ["package.json", "scripts", "shared", "stages/m1"]) clone.copy(path);
  linkPackages(clone);
  return clone;
}

function runDemoIn({ root }: PlantedTree) {
  return runNode(join(root, "scripts/stage.ts"), ["m1", "--demo", "--port", "0"], { cwd: root });
}

// The runs wait more than they work: for a time limit that a demo shows, for a process to start. Each has ports and a state
// folder of its own, so they wait together. The longest stand first.
describe.concurrent("the demo", () => {
  test.each(laterStages.toReversed())("of %s holds every step to its promise too", async (stage) => {
    const { code, output } = await runStage(stage, "--demo", "--port", "0");
    expect(output).toMatch(new RegExp(`^Demo ${stage}: all \\d+ steps as promised\\.$`, "m"));
    expect(code).toBe(0);
  });

  // Pingora's takes minutes to build for the first time; `npm run verify -- --only ports` sees to it.
  test.skipIf(!hasGo).each(portedRouters.go.stages)(
    "of %s holds every step to its promise on the port in Go",
    async (stage) => {
      const { code, output } = await runStage(stage, "--demo", "--port", "0", "--port", "go");
      expect(output).toMatch(new RegExp(`^Demo ${stage}: all \\d+ steps as promised\\.$`, "m"));
      expect(code).toBe(0);
    },
  );

  test("holds every step to its promise and leaves nothing behind", async () => {
    await using run = new StageRun(["m1", "--demo"]);
    const { pids } = await run.parts();
    expect(await run.exited).toEqual([0, null]);
    expect(await run.event("demo")).toEqual({ event: "demo", stage: "m1", steps: 7, ok: true });
    const statuses = run.events.filter(({ event }) => event === "response").map(({ status }) => status);
    expect(statuses).toEqual([200, 200, 200, 400, 200, 502, 200, 200]);
    await expectAllGone(pids);
  });

  test("fails and names the step when the router answers something else", async () => {
    using overlay = plantTree({
      "routing.ts": `
        import type { RoutingTable } from "./routing-table.ts";
        export const route = (table: RoutingTable, _key: string) =>
          ({ placement: table.defaultPlacement, reason: "default" }) as never;
      `,
    });
    const { code, output } = await runStage("m1", "--demo", "--port", "0", "--overlay", overlay.root);
    expect(output).toContain("laid over m1: routing.ts");
    expect(output).toMatch(
      /^stage: with the files laid over, demo m1, step 1 "A tenant with a cell of its own": expected x-routed-to /m,
    );
    // The files are the learner's, and so is the fault.
    expect(code).toBe(1);
  });

  test("prints words without colour codes when nobody looks, one READY line among them", async () => {
    const { code, output } = await runStage("m1", "--demo", "--port", "0");
    expect(code).toBe(0);
    expect(output.match(/^READY /gm)).toHaveLength(1);
    expect(output).not.toContain("\u001b");
    expect(output).toContain("> GET /pay   X-Routing-Key: visa\n");
  });
});

describe.concurrent("the stack stays up", () => {
  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "until %s, and then leaves nothing behind",
    async (signal) => {
      await using run = new StageRun(["m1"]);
      const { pids } = await run.staying();
      run.child.kill(signal);
      expect(await run.exited).toEqual([0, null]);
      await expectAllGone(pids);
    },
  );

  test("no longer than Ctrl-C in the middle of the demo, which is nobody's broken promise", async () => {
    await using run = new StageRun(["m1"]);
    const { pids } = await run.parts();
    await run.event("step");
    // The terminal sends it to all of them at once.
    process.kill(-(run.child.pid ?? 0), "SIGINT");
    expect(await run.exited).toEqual([1, null]);
    expect(run.events.filter(({ event }) => event === "demo" || event === "stopped")).toEqual([
      { event: "stopped", reason: "Ctrl-C" },
    ]);
    expect(run.stderr).toBe("");
    await expectAllGone(pids);
  });

  test("until the script is killed without a word, and then leaves nothing behind", async () => {
    await using run = new StageRun(["m1"]);
    const { pids } = await run.staying();
    run.child.kill("SIGKILL");
    expect(await run.exited).toEqual([null, "SIGKILL"]);
    await expectAllGone(pids);
  });

  test.runIf(presentStages().includes("m3"))(
    "a fleet and its control plane too, until the script is killed without a word",
    async () => {
      await using run = new StageRun(["m3", "--routers", "3"]);
      const { pids } = await run.parts();
      run.child.kill("SIGKILL");
      expect(await run.exited).toEqual([null, "SIGKILL"]);
      await expectAllGone(pids, 8);
    },
  );

  test("until the command that started the script is killed, and then leaves nothing behind", async () => {
    await using run = new StageRun(["m1"], join(projectRoot, "node_modules/tsx/dist/cli.mjs"));
    const { pids } = await run.staying();
    run.child.kill("SIGKILL");
    expect(await run.exited).toEqual([null, "SIGKILL"]);
    await expectAllGone(pids);
  });

  test("until nobody reads its output any more, and then leaves nothing behind", async () => {
    await using run = new StageRun(["m1"]);
    const { router, pids } = await run.staying();
    run.child.stdout?.destroy();
    // The next log line finds the pipe closed. A late one of the demo may have found it before this request could.
    await fetch(`${router}/`, { headers: { "X-Routing-Key": "acme" } }).catch(() => {});
    expect((await run.exited)[0]).toBe(0);
    await expectAllGone(pids);
  });

  test("and reports every request that it serves", async () => {
    await using run = new StageRun(["m1"]);
    const { router } = await run.staying();
    const before = run.events.length;
    await fetch(`${router}/hello`, { headers: { "X-Routing-Key": "acme" } });
    const isLogged = ({ event, line }: Event) => event === "log" && String(line).includes('"path":"/hello"');
    await until("the access line", () => run.events.slice(before).some(isLogged));
  });

  test("until a router ends by itself, which is a fault of ours", async () => {
    await using run = new StageRun(["m1"]);
    const { pids } = await run.staying();
    process.kill(pids[0] ?? 0, "SIGKILL");
    expect(await run.exited).toEqual([2, null]);
    expect(run.stderr).toMatch(/^stage: router ended by itself/);
    await expectAllGone(pids);
  });
});

test.concurrent("a part that does not start is quoted with its last words, and the rest of the stack goes", async () => {
  using overlay = plantTree({ "main.ts": `console.error("out of luck"); process.exit(3);` });
  const { code, output } = await runStage("m1", "--port", "0", "--overlay", overlay.root);
  expect(output).toMatch(
    /^stage: .*router ended with exit code 3 before its READY line\n {2}out of luck\n$/m,
  );
  expect(code).toBe(1);
});

test.concurrent("a stage that does not keep its own promise is our fault: exit code 2", async () => {
  using clone = cloneOfM1();
  const table = readFileSync(join(clone.root, "stages/m1/src/routing-table.ts"), "utf8");
  expect(table).toContain(`["acme", tier1]`);
  clone.write("stages/m1/src/routing-table.ts", table.replace(`["acme", tier1]`, `["acme", tier2]`));
  const { code, output } = await runDemoIn(clone);
  expect(output).toMatch(
    /^stage: demo m1, step 2 "A tenant on a shared tier": expected x-routed-to to be tier1/m,
  );
  expect(code).toBe(2);
});

test.concurrent("runs in a clone whose path has a space", async () => {
  using clone = cloneOfM1();
  const { code, output } = await runDemoIn(clone);
  expect(output).toContain("all 7 steps as promised");
  expect(code).toBe(0);
});

describe("a request that cannot be met takes one line and exit code 1", () => {
  test("a busy port is named with its holder and the flag that moves the stack", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    try {
      const { code, output } = await runStage("m1", "--port", String(port));
      expect(output).toContain(`stage: port ${port} (router) is in use by `);
      if (process.platform === "linux") expect(output).toContain(`by pid ${process.pid} (`);
      expect(output).toContain(`--port ${port + 100}`);
      expect(code).toBe(1);
    } finally {
      server.close();
    }
  });

  test("flags that npm took for its own are explained", async () => {
    const { code, output } = await runNode(script, ["m1"], {
      cwd: projectRoot,
      env: { npm_config_demo: "true" },
    });
    expect(output).toContain("put -- before the flags");
    expect(code).toBe(1);
  });
});

test("--help tells every flag", async () => {
  const { code, output } = await runStage("--help");
  for (const flag of ["--demo", "--test", "--port", "--routers", "--overlay", "--mine", "--json"]) {
    expect(output).toContain(flag);
  }
  expect(code).toBe(0);
});
