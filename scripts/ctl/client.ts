// The control plane's API as `ctl` uses it. Responses become values, refusals become sentences.

import { objectIn } from "../../shared/testkit/json-text.ts";
import { BrokenPromiseError, UsageError } from "../command-line.ts";
import { ask, type ReceivedResponse } from "../http-request.ts";

export interface RouterView {
  readonly id: string;
  readonly connected: boolean;
  readonly connections: number;
  readonly epoch: string | null;
  readonly revision: number | null;
  readonly lagSeconds: number;
  readonly lastNack: {
    readonly revision: number;
    readonly reasons: readonly string[];
    readonly secondsAgo: number;
  } | null;
  readonly seenSecondsAgo: number;
}

export interface FleetView {
  readonly epoch: string;
  readonly revision: number;
  readonly routers: readonly RouterView[];
}

export interface KeyView {
  readonly key: string;
  readonly placement: string;
  readonly listed: boolean;
  readonly etag: string;
}

/** The control plane cannot be reached. */
export class Unreachable extends UsageError {}

/** Somebody has changed the table since it was read. */
export class Changed extends UsageError {
  readonly etag: string;

  constructor(etag: string) {
    super(
      `the table has changed since you read it and is now ${etag}: get it again, then decide. Nothing was written.`,
    );
    this.etag = etag;
  }
}

interface Table {
  readonly placements: Readonly<Record<string, unknown>>;
}

export class ControlPlaneClient {
  readonly url: string;
  readonly #tokens: readonly string[];

  /** @param tokens Tried in turn: which stack runs at `url` is not known beforehand. */
  constructor(url: string, tokens: readonly string[]) {
    this.url = url;
    this.#tokens = tokens;
  }

  async table(): Promise<{ readonly table: Table; readonly etag: string }> {
    const response = await this.#read("/v1/routing");
    return { table: this.#told<Table>(response, "placements"), etag: response.headers.etag ?? "" };
  }

  async key(key: string): Promise<KeyView> {
    const response = await this.#read(keyPath(key));
    return { ...this.#told<KeyView>(response, "placement"), etag: response.headers.etag ?? "" };
  }

  async fleet(): Promise<FleetView> {
    return this.#told<FleetView>(await this.#read("/v1/routers"), "routers");
  }

  async put(table: unknown, etag: string): Promise<{ readonly revision: number; readonly changed: boolean }> {
    return await this.#write("PUT", "/v1/routing", etag, table);
  }

  /** @throws Changed when the table is not `etag` any more */
  async patchKey(
    key: string,
    placement: string | null,
    etag: string,
  ): Promise<{ readonly revision: number; readonly changed: boolean }> {
    return await this.#write("PATCH", keyPath(key), etag, { placement });
  }

  async #read(path: string): Promise<ReceivedResponse> {
    const response = await this.#ask("GET", path, {});
    if (response.status !== 200) throw this.#refusal(response);
    return response;
  }

  async #write(method: string, path: string, etag: string, body: unknown) {
    const tokens = this.#tokens.length === 0 ? [""] : this.#tokens;
    for (const token of tokens) {
      const headers = {
        Authorization: `Bearer ${token}`,
        "If-Match": etag,
        "Content-Type": "application/json",
      };
      const response = await this.#ask(method, path, headers, JSON.stringify(body));
      if (response.status === 401 && token !== tokens.at(-1)) continue;
      // The other reason is an edit of the file that is not valid: to try again would not help.
      if (response.status === 412 && problemOf(response)?.code !== "routing-file-invalid")
        throw new Changed(response.headers.etag ?? "");
      if (response.status === 422) throw new UsageError(await this.#faultWords(response));
      if (response.status !== 200) throw this.#refusal(response);
      const { revision } = this.#told<{ revision: number }>(response, "revision");
      return { revision, changed: response.headers.etag !== etag };
    }
    throw new Error("no token was tried");
  }

  /** What a 200 tells. Anybody may answer 200 at a mistaken address; only a control plane's response has `member`. */
  #told<Value>({ body }: ReceivedResponse, member: keyof Value & string): Value {
    const value = objectIn(body);
    if (value !== undefined && Object.hasOwn(value, member)) return value as Value;
    throw new UsageError(`what answers at ${this.url} is no control plane: its 200 has no "${member}"`);
  }

  async #ask(
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: string,
  ): Promise<ReceivedResponse> {
    try {
      const url = `${this.url}${path}`;
      return await ask({ url, method, headers, ...(body === undefined ? {} : { body }) });
    } catch (error) {
      throw new Unreachable(
        `no control plane at ${this.url} (${causeOf(error)}). Start one with: npm run stage m3; if it runs elsewhere, add --url`,
        { cause: error },
      );
    }
  }

  async #faultWords(response: ReceivedResponse): Promise<string> {
    const { faults = [] } = JSON.parse(response.body) as { faults?: string[] };
    const lines = ["the table would not be valid:", ...faults.map((fault) => `  ${fault}`)];
    if (faults.some((fault) => /unknown placement/.test(fault))) {
      const { table } = await this.table();
      lines.push(`the placements are ${Object.keys(table.placements).join(", ")}`);
    }
    return lines.join("\n");
  }

  #refusal(response: ReceivedResponse): Error {
    if (response.status === 401) {
      const words =
        this.#tokens.length === 0
          ? "writes need the control plane's token and none was found: add --token, or set CONTROL_PLANE_TOKEN"
          : "the control plane refused the token: add --token with the right one";
      return new UsageError(words);
    }
    const problem = problemOf(response);
    if (problem?.detail === undefined) {
      return new UsageError(`what answers at ${this.url} is no control plane: status ${response.status}`);
    }
    if (problem.code === "missing-routing-key") {
      return new UsageError(`what answers at ${this.url} is a router, not the control plane: mend --url`);
    }
    const faults = (problem.faults ?? []).map((fault) => `\n  ${fault}`).join("");
    const words = `the control plane answered ${response.status}: ${problem.detail}${faults}`;
    return response.status >= 500 ? new BrokenPromiseError(words) : new UsageError(words);
  }
}

function keyPath(key: string): string {
  if (key === "") throw new UsageError("a routing key is not empty");
  // "." and ".." as a whole segment mean a folder to a URL parser, encoded or not.
  if (key === "." || key === "..")
    throw new UsageError(`the key "${key}" cannot be written in a path: use ctl put`);
  return `/v1/routing/keys/${encodeURIComponent(key)}`;
}

interface Problem {
  readonly code?: string;
  readonly detail?: string;
  readonly faults?: readonly string[];
}

function problemOf({ body, headers }: ReceivedResponse): Problem | undefined {
  return headers["content-type"] === "application/problem+json" ? JSON.parse(body) : undefined;
}

function causeOf(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return error instanceof Error ? error.message : String(error);
}
