// The Node libraries as contenders; each server runs in a process of its own on the Node that runs the bench.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cellList } from "../../shared/testkit/stage-environment.ts";
import { readyLine, startChild } from "../child.ts";
import type { Contender } from "../contender.ts";

type NodePeer = {
  readonly name: string;
  readonly server: string;
  readonly packageName: string;
  readonly about: string;
  readonly byDefault: boolean;
  readonly log: boolean;
};

const peers: readonly NodePeer[] = [
  {
    name: "reply-from",
    server: "reply-from-server.ts",
    packageName: "@fastify/reply-from",
    about: "@fastify/reply-from on Fastify, key table, forwarding headers, pino access log to a file",
    byDefault: true,
    log: true,
  },
  {
    name: "reply-from-nolog",
    server: "reply-from-server.ts",
    packageName: "@fastify/reply-from",
    about: "@fastify/reply-from on Fastify, key table, forwarding headers, no access log",
    byDefault: true,
    log: false,
  },
  {
    name: "http-proxy-3",
    server: "http-proxy-3-server.ts",
    packageName: "http-proxy-3",
    about: "http-proxy-3, keep-alive agent, xfwd, no access log",
    byDefault: true,
    log: false,
  },
  {
    name: "undici-dispatch",
    server: "undici-dispatch-server.ts",
    packageName: "undici",
    about: "node:http plus undici dispatch and nothing else: no header rules, no access log",
    byDefault: true,
    log: false,
  },
];

function installedVersion(packageName: string): string | undefined {
  // Read by path: some packages do not export their package.json.
  const file = join(import.meta.dirname, "..", "..", "node_modules", packageName, "package.json");
  return existsSync(file)
    ? (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version
    : undefined;
}

function nodePeer({ name, server, packageName, about, byDefault, log }: NodePeer): Contender {
  return {
    name,
    kind: "peer",
    about,
    byDefault,
    find() {
      const version = installedVersion(packageName);
      return version === undefined
        ? { kind: "missing", why: `${packageName} is not installed` }
        : { kind: "available", version };
    },
    async start({ cells, directory, nodeArgs }) {
      const env = { CELLS: cellList(cells), ACCESS_LOG: log ? "on" : "off" };
      const args = [...nodeArgs, join(import.meta.dirname, server)];
      const child = startChild(process.execPath, args, { name, directory, env });
      const { url } = await readyLine(child);
      if (typeof url !== "string") throw new Error(`The ready line of ${name} holds no url`);
      return { url, pid: child.pid, logPath: log ? child.stdoutPath : undefined, stop: child.stop };
    },
  };
}

export const nodePeers: readonly Contender[] = peers.map(nodePeer);
