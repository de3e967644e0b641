// Brings the stack of compose.yaml up, asks it, and takes it down again, with whatever Compose this machine has.

import { spawnSync } from "node:child_process";
import { ask } from "../../scripts/http-request.ts";
import { lastLines, runProgramFile, type ToolResult } from "../../scripts/run-tool.ts";

/** Pulling the base image and `npm ci` are a part of it. */
const buildTimeoutMs = 600_000;
const stepTimeoutMs = 120_000;

const composeWords = [["docker", "compose"], ["docker-compose"]] as const;

export const engineMissing =
  "no container engine with Compose responds to `docker info` (graduation/containers/README.md shows how to get one)";

/** The words that begin a Compose command here, or undefined where no engine responds. */
export function findCompose(): readonly string[] | undefined {
  if (!responds(["docker", "info"])) return undefined;
  return composeWords.find((words) => responds([...words, "version"]));
}

function responds([program = "", ...args]: readonly string[]): boolean {
  return spawnSync(program, args, { timeout: 10_000, stdio: "ignore" }).status === 0;
}

function run([program = "", ...args]: readonly string[], timeoutMs = stepTimeoutMs): Promise<ToolResult> {
  return runProgramFile(program, args, { timeoutMs });
}

/** One stack under a project name of its own. The ports are those of compose.yaml, so only one can be up at a time. */
export class ContainerStack implements AsyncDisposable {
  readonly #compose: readonly string[];
  readonly #down: readonly string[];

  constructor(compose: readonly string[], project: string) {
    this.#compose = [...compose, "-p", project];
    this.#down = [...this.#compose, "--profile", "test", "down", "--volumes", "--timeout", "5"];
  }

  /** @throws Error with the end of what Compose said */
  async up(): Promise<void> {
    // A signal in the middle of a step ends this process, and containers do not end with it.
    process.once("exit", this.#removeAtExit);
    const { code, output } = await run([...this.#compose, "up", "--build", "--detach"], buildTimeoutMs);
    if (code !== 0) throw new Error(`compose up ended with ${code}:\n${lastLines(output, 30)}`);
  }

  /** The `test` profile: what it printed, and whether all of it holds. */
  async test(): Promise<{ readonly ok: boolean; readonly output: string }> {
    const { code, output } = await run([...this.#compose, "--profile", "test", "run", "--rm", "test"]);
    return { ok: code === 0, output };
  }

  /** Why the router's container may do more than it has to, or undefined. */
  async confinementFault(): Promise<string | undefined> {
    const { output } = await run([...this.#compose, "exec", "-T", "router", "node", "-e", confinement]);
    const expected = '{"uid":1000,"capabilities":"0000000000000000","noNewPrivileges":"1","write":"EROFS"}';
    return output.includes(expected)
      ? undefined
      : `expected ${expected} of the router's container, got ${output}`;
  }

  /** Stops the router in the middle of a response, which must arrive whole. */
  async drainFault(): Promise<string | undefined> {
    const begun = Promise.withResolvers<void>();
    const response = ask({
      url: "http://127.0.0.1:8080/drip?chunks=15&intervalMs=200&bytes=16",
      headers: { "X-Routing-Key": "acme" },
      onChunk: () => begun.resolve(),
    });
    // It is awaited below; if it fails while the router stops, that is its end and no error of its own.
    response.catch(() => {});
    await Promise.race([begun.promise, response]);
    const { code, output } = await run([...this.#compose, "stop", "router"]);
    if (code !== 0) return `compose stop ended with ${code}: ${lastLines(output, 5)}`;
    return await response.then(
      ({ body }) => (/chunk 15 .*\n$/.test(body) ? undefined : `the response is cut: ${body}`),
      (error: unknown) => `the response under way broke when the router was stopped: ${error}`,
    );
  }

  /** The last lines of every container. */
  async logs(): Promise<string> {
    return lastLines((await run([...this.#compose, "logs", "--tail=20"])).output, 60);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run(this.#down);
    process.off("exit", this.#removeAtExit);
  }

  readonly #removeAtExit = (): void => {
    const [program = "", ...args] = this.#down;
    spawnSync(program, args, { timeout: stepTimeoutMs, stdio: "ignore" });
  };
}

const confinement = `
const { readFileSync, writeFileSync } = require("node:fs");
const status = readFileSync("/proc/self/status", "utf8");
const field = (name) => new RegExp(name + ":\\\\s*(\\\\S+)").exec(status)[1];
let write = "possible";
try { writeFileSync("/app/written", ""); } catch (error) { write = error.code; }
console.log(JSON.stringify({ uid: process.getuid(), capabilities: field("CapEff"), noNewPrivileges: field("NoNewPrivs"), write }));
`;
