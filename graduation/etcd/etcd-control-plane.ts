// A control plane on etcd as a process of its own, for demos and tests: starts it, asks it, ends it.

import { rmSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { jsonIn } from "../../shared/testkit/json-text.ts";
import { Program } from "../../shared/testkit/program.ts";

export interface ControlPlaneOptions {
  /** @default "the control plane on etcd" */
  readonly name?: string;
  readonly endpoints: readonly string[];
  /** The first table of an empty cluster. */
  readonly routing: unknown;
  readonly token: string;
  /** @default 0, any free one */
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => void;
}

export interface Reply {
  readonly status: number;
  /** The entity tag; empty without one. */
  readonly etag: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Ends it with this process, also after a SIGKILL. */
const guard = new URL("../../scripts/exit-with-parent.ts", import.meta.url).href;

const script = fileURLToPath(new URL("control-plane.ts", import.meta.url));

export class EtcdControlPlane implements AsyncDisposable {
  readonly program: Program;
  readonly token: string;
  /** Also for an exit that leaves no time for an orderly end. */
  readonly #removeFolder: () => void;

  private constructor(program: Program, folder: string, token: string) {
    this.program = program;
    this.token = token;
    this.#removeFolder = () => rmSync(folder, { recursive: true, force: true });
    process.once("exit", this.#removeFolder);
  }

  /** @throws StartError when it does not start */
  static async start(options: ControlPlaneOptions): Promise<EtcdControlPlane> {
    const folder = await mkdtemp(join(tmpdir(), "cell-routing-control-plane-"));
    const routingFile = join(folder, "routing.json");
    await writeFile(routingFile, JSON.stringify(options.routing));
    const program = new Program({
      name: options.name ?? "the control plane on etcd",
      command: process.execPath,
      args: ["--import", guard, script],
      lifeline: true,
      env: {
        EXIT_WITH_PARENT: String(process.pid),
        STORE: "etcd",
        HOST: "127.0.0.1",
        CONTROL_PLANE_PORT: String(options.port ?? 0),
        CONTROL_PLANE_TOKEN: options.token,
        ETCD_ENDPOINTS: options.endpoints.join(),
        ROUTING_FILE: routingFile,
        STATE_DIR: folder,
        LOG_LEVEL: "info",
        ...options.env,
      },
      ...(options.onLine === undefined ? {} : { onLine: options.onLine }),
    });
    const controlPlane = new EtcdControlPlane(program, folder, options.token);
    try {
      await program.ready();
      return controlPlane;
    } catch (error) {
      await controlPlane[Symbol.asyncDispose]();
      throw error;
    }
  }

  get url(): string {
    return this.program.url;
  }

  async get(path: string): Promise<Reply> {
    return await replyOf(await fetch(this.url + path));
  }

  /** The entity tag of the table that this control plane holds. */
  async etag(): Promise<string> {
    return (await this.get("/v1/routing")).etag;
  }

  /** Moves a routing key, if the table is still the one that `ifMatch` names. */
  async patch(key: string, placement: string | null, ifMatch: string): Promise<Reply> {
    const path = `/v1/routing/keys/${encodeURIComponent(key)}`;
    return await this.#write("PATCH", path, ifMatch, { placement });
  }

  async put(table: unknown, ifMatch: string): Promise<Reply> {
    return await this.#write("PUT", "/v1/routing", ifMatch, table);
  }

  async kill(): Promise<void> {
    await this.program.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program.kill();
    process.off("exit", this.#removeFolder);
    this.#removeFolder();
  }

  async #write(method: string, path: string, ifMatch: string, body: unknown): Promise<Reply> {
    const headers = { authorization: `Bearer ${this.token}`, "if-match": ifMatch };
    return await replyOf(await fetch(this.url + path, { method, headers, body: JSON.stringify(body) }));
  }
}

async function replyOf(response: Response): Promise<Reply> {
  const body = jsonIn(await response.text()) as Reply["body"];
  return { status: response.status, etag: response.headers.get("etag") ?? "", body };
}
