// nginx as a peer: one worker, keep-alive upstreams, the routing key looked up in a map, the same forwarding headers
// as the stages and one JSON access-log line a request (buffered, nginx's own best practice). `-nolog` leaves the log out.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { acceptsConnections, startChild } from "../child.ts";
import { type Contender, findProgram, type StartContext } from "../contender.ts";
import { freePort } from "../free-port.ts";
import { cellNames, defaultCell, routingKeys } from "../routes.ts";

// `warn` on stderr, not `notice`: reopening messages would only be noise.
function configuration(context: StartContext, port: number, log: boolean): string {
  const { directory, cells } = context;
  const upstreams = cellNames.map(
    (name) =>
      `  upstream ${name} { server ${new URL(cells[name]).host}; keepalive 256; keepalive_requests 1000000; }`,
  );
  const keys = Object.entries(routingKeys).map(([key, cell]) => `    ${key} ${cell};`);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `  ${name}_temp_path ${join(directory, name)};`,
  );
  return `${process.getuid?.() === 0 ? "user root;\n" : ""}worker_processes ${context.workers};
daemon off;
pid ${join(directory, "nginx.pid")};
error_log stderr warn;
events { worker_connections 8192; }
http {
${temporary.join("\n")}
  log_format json escape=json '{"time":"$time_iso8601","requestId":"$request_id","method":"$request_method",'
    '"path":"$request_uri","key":"$http_x_routing_key","placement":"$cell","upstream":"$upstream_addr",'
    '"status":$status,"seconds":$request_time,"bytes":$body_bytes_sent}';
  access_log ${log ? `${join(directory, "access.log")} json buffer=64k flush=1s` : "off"};
  keepalive_requests 1000000;
  client_max_body_size 0;
  proxy_request_buffering off;
  proxy_max_temp_file_size 0;
  map $http_x_routing_key $cell {
    default ${defaultCell};
${keys.join("\n")}
  }
${upstreams.join("\n")}
  server {
    listen 127.0.0.1:${port}${context.workers > 1 ? " reuseport" : ""} backlog=2048;
    location / {
      proxy_pass http://$cell;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Request-Id $request_id;
      add_header X-Request-Id $request_id;
      add_header X-Routed-To $cell;
    }
  }
}
`;
}

function nginxPeer(name: string, log: boolean): Contender {
  return {
    name,
    kind: "peer",
    about: `nginx, 1 worker, keep-alive upstreams, key map, forwarding headers, ${log ? "JSON access log buffered to a file" : "no access log"}`,
    byDefault: log,
    hasWorkers: true,
    find: () => findProgram("nginx", "nginx", /nginx\/(\S+)/),
    async start(context) {
      const port = await freePort();
      const file = join(context.directory, "nginx.conf");
      mkdirSync(context.directory, { recursive: true });
      writeFileSync(file, configuration(context, port, log));
      const args = ["-p", context.directory, "-e", "stderr", "-c", file];
      const child = startChild("nginx", args, { name, directory: context.directory });
      await acceptsConnections(child, port);
      const logPath = log ? join(context.directory, "access.log") : undefined;
      return { url: `http://127.0.0.1:${port}`, pid: child.pid, logPath, stop: child.stop };
    },
  };
}

export const nginxPeers: readonly Contender[] = [nginxPeer("nginx", true), nginxPeer("nginx-nolog", false)];
