// HAProxy as a peer: one thread, keep-alive both sides with connection reuse, the routing key looked up in a map, the
// same forwarding headers, one JSON log line a request on standard output. `-nolog` leaves the log out.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { acceptsConnections, startChild } from "../child.ts";
import { type Contender, findProgram, type StartContext } from "../contender.ts";
import { freePort } from "../free-port.ts";
import { cellNames, defaultCell, routingKeys } from "../routes.ts";

function configuration(context: StartContext, port: number, mapFile: string, log: boolean): string {
  const backends = cellNames.map(
    (name) => `backend ${name}
  http-reuse always
  server ${name} ${new URL(context.cells[name]).host} pool-max-conn 256
`,
  );
  const format =
    '{"time":"%Ts.%ms","requestId":"%ID","method":"%HM","path":"%HU","key":"%[var(txn.key)]",' +
    '"placement":"%b","upstream":"%si:%sp","status":%ST,"ms":%Ta,"bytes":%B,"ended":"%ts"}';
  return `global
  nbthread ${context.workers}
  maxconn 8192
${log ? "  log stdout len 4096 format raw local0 info" : ""}
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 30s
  timeout http-request 30s
  timeout http-keep-alive 75s
${log ? `  log global\n  log-format '${format}'\n` : ""}
frontend data
  bind 127.0.0.1:${port} backlog 2048
  unique-id-format %[uuid()]
  http-request set-var(txn.key) req.hdr(x-routing-key)
  option forwardfor
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Request-Id %[unique-id]
  http-response set-header X-Request-Id %[unique-id]
  http-response set-header X-Routed-To %[be_name]
  use_backend %[var(txn.key),map(${mapFile},${defaultCell})]
${backends.join("")}`;
}

function haproxyPeer(name: string, log: boolean): Contender {
  return {
    name,
    kind: "peer",
    about: `HAProxy, 1 thread, http-reuse always, key map, forwarding headers, ${log ? "JSON access log to a file" : "no access log"}`,
    byDefault: log,
    hasWorkers: true,
    find: () => findProgram("haproxy", "HAProxy", /version (\S+)/),
    async start(context) {
      const port = await freePort();
      const mapFile = join(context.directory, "keys.map");
      const file = join(context.directory, "haproxy.cfg");
      writeFileSync(
        mapFile,
        Object.entries(routingKeys)
          .map((pair) => `${pair.join(" ")}\n`)
          .join(""),
      );
      writeFileSync(file, configuration(context, port, mapFile, log));
      const child = startChild("haproxy", ["-db", "-f", file], { name, directory: context.directory });
      await acceptsConnections(child, port);
      const logPath = log ? child.stdoutPath : undefined;
      return { url: `http://127.0.0.1:${port}`, pid: child.pid, logPath, stop: child.stop };
    },
  };
}

export const haproxyPeers: readonly Contender[] = [
  haproxyPeer("haproxy", true),
  haproxyPeer("haproxy-nolog", false),
];
