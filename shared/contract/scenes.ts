// The four endpoints of a contract suite. Each is a raw server that all cases share; a case opens a `Scene`, which owns a
// path of its own, says what the endpoint does with requests for it, and keeps what arrived. So cases can run side by
// side, over the router's pooled connections, and a request that belongs to no scene is one that nobody sent.

import { EndOfBytes, excerpt } from "../testkit/byte-reader.ts";
import { type PlacementName, placementNames } from "../testkit/cluster.ts";
import {
  type HostileUpstream,
  startHostileUpstream,
  type UpstreamConnection,
} from "../testkit/hostile-upstream.ts";
import type { RawRequest, RequestHead } from "../testkit/http-message.ts";
import type { ReadBodyOptions } from "../testkit/message-body.ts";
import { type RequestParts, requestBytes, responseBytes } from "./messages.ts";

/** A request that reached an endpoint. */
export interface Seen extends RequestHead {
  readonly placement: PlacementName;
  /** Which connection it came on: equal for requests that shared one. */
  readonly connection: UpstreamConnection;
  /** With its body, once that has been read; its `ending` says whether all of it came. */
  message: RawRequest | undefined;
}

/** What an endpoint does with one request. A body that it leaves unread is read afterwards. */
export type Script = (exchange: Exchange) => Promise<unknown>;

/** One request at an endpoint, as a script sees it. */
export class Exchange {
  readonly seen: Seen;

  constructor(seen: Seen) {
    this.seen = seen;
  }

  get placement(): PlacementName {
    return this.seen.placement;
  }

  get connection(): UpstreamConnection {
    return this.seen.connection;
  }

  async readBody(options: ReadBodyOptions = {}): Promise<RawRequest> {
    this.seen.message ??= await this.connection.readBody(this.seen, options);
    return this.seen.message;
  }

  /** Sends bytes; text is Latin-1. False when the router has gone. */
  write(bytes: string | Buffer): Promise<boolean> {
    return this.connection.write(bytes);
  }
}

/** Reads the body, then answers 200 with a small body, naming the placement in `X-Cell`. */
export const respondOk: Script = async (exchange) => {
  await exchange.readBody();
  await exchange.write(responseBytes("200 OK", [`X-Cell: ${exchange.placement}`], "ok"));
};

/** Reads the body, then answers with these bytes. */
export function respondWith(bytes: string | Buffer): Script {
  return async (exchange) => {
    await exchange.readBody();
    await exchange.write(bytes);
  };
}

export class Scene implements Disposable {
  readonly id: string;
  /** Requests of this scene in the order in which their heads arrived. */
  readonly seen: Seen[] = [];
  readonly script: Script;
  readonly #scenes: Map<string, Scene>;

  constructor(id: string, script: Script, scenes: Map<string, Scene>) {
    this.id = id;
    this.script = script;
    this.#scenes = scenes;
    scenes.set(id, this);
  }

  /** A request target of this scene. */
  path(rest = ""): string {
    return `/${this.id}${rest}`;
  }

  /** Bytes of a well-formed request for this scene; see `RequestParts` for what is filled in. */
  request(parts: RequestParts = {}): string {
    return requestBytes({ ...parts, target: parts.target ?? this.path() });
  }

  /** The only request that arrived. @throws Error when it is not exactly one */
  get onlySeen(): Seen {
    const [first, ...others] = this.seen;
    if (first === undefined || others.length > 0) {
      const lines = this.seen.map((each) => `${each.method} ${each.target}`).join(", ");
      throw new Error(`The cell should have seen one request; it saw ${this.seen.length}: ${lines}`);
    }
    return first;
  }

  /** The paths that the cell saw, without the scene's own prefix. */
  get pathsSeen(): string[] {
    return this.seen.map((each) => each.target.replace(this.path(), ""));
  }

  [Symbol.dispose](): void {
    this.#scenes.delete(this.id);
  }
}

export class Endpoints implements AsyncDisposable {
  readonly #scenes = new Map<string, Scene>();
  readonly #servers = new Map<PlacementName, HostileUpstream>();
  readonly #ports = new Map<PlacementName, number>();
  #problems: string[] = [];
  #nextScene = 1;

  /** @throws Error naming the port and the placement when a port is taken */
  static async open(ports: Readonly<Partial<Record<PlacementName, number>>> = {}): Promise<Endpoints> {
    const endpoints = new Endpoints();
    try {
      for (const name of placementNames) await endpoints.up(name, ports[name] ?? 0);
      return endpoints;
    } catch (error) {
      await endpoints[Symbol.asyncDispose]();
      throw error;
    }
  }

  urls(): Record<string, string> {
    return Object.fromEntries([...this.#servers].map(([name, server]) => [name, server.url]));
  }

  port(name: PlacementName): number {
    return this.#ports.get(name) ?? 0;
  }

  /** Starts to listen, on the port that this placement had before where it had one. */
  async up(name: PlacementName, port = this.port(name)): Promise<void> {
    try {
      const server = await startHostileUpstream((connection) => this.#serve(name, connection), {
        port,
        keepBytes: 0,
      });
      this.#servers.set(name, server);
      this.#ports.set(name, server.port);
    } catch (error) {
      throw new Error(`Port ${port}, which the endpoint of "${name}" needs, cannot be opened: ${error}`, {
        cause: error,
      });
    }
  }

  /** Cuts every connection and refuses new ones. */
  async down(name: PlacementName): Promise<void> {
    await this.#servers.get(name)?.close();
    this.#servers.delete(name);
  }

  /** Ends every connection to a placement in order, as a cell does with those that have been idle for too long. */
  async closeConnections(name: PlacementName): Promise<void> {
    await Promise.all(this.#servers.get(name)?.connections.map((connection) => connection.halfClose()) ?? []);
  }

  scene(script: Script = respondOk): Scene {
    return new Scene(`s${this.#nextScene++}`, script, this.#scenes);
  }

  /** What no router may send: bytes that are not one clear request, or a request that no case sent. Empties the list. */
  takeProblems(): string[] {
    const scriptErrors = [...this.#servers.values()].flatMap((server) => server.scriptErrors.splice(0));
    const problems = [...this.#problems, ...scriptErrors.map((error) => `At the endpoint: ${error}`)];
    this.#problems = [];
    return problems;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(placementNames.map((name) => this.down(name)));
  }

  async #serve(placement: PlacementName, connection: UpstreamConnection): Promise<void> {
    for (;;) {
      let head: RequestHead;
      try {
        head = await connection.readHead();
      } catch (error) {
        if (error instanceof EndOfBytes && error.partial.length === 0) return;
        const what = error instanceof EndOfBytes ? excerpt(error.partial) : String(error);
        this.#problems.push(
          `${placement} got bytes that are not a whole request head: ${JSON.stringify(what)}`,
        );
        connection.reset();
        return;
      }
      const scene = this.#sceneOf(head);
      const seen: Seen = { ...head, placement, connection, message: undefined };
      if (scene === undefined) {
        this.#problems.push(`${placement} got a request that no case sent: ${head.method} ${head.target}`);
        connection.reset();
        return;
      }
      scene.seen.push(seen);
      const exchange = new Exchange(seen);
      await scene.script(exchange);
      if (connection.closed) return;
      const { ending } = await exchange.readBody({ onBody: () => {} });
      if (ending === "truncated") return;
    }
  }

  /** By its path, or by `X-Scene` for a target that cannot hold one. */
  #sceneOf(head: RequestHead): Scene | undefined {
    const id = /^\/([^/?]+)/.exec(head.target)?.[1] ?? head.headers.all("x-scene")[0] ?? "";
    return this.#scenes.get(id);
  }
}
