// http-proxy-3, the maintained successor of http-proxy, as its readme sets it up: a keep-alive agent, `xfwd`, the target
// chosen by routing key. No access log and no request id: the library by itself.
import { Agent, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createProxyServer } from "http-proxy-3";
import { defaultCell, parseCells, routingKeys } from "../routes.ts";

const { CELLS = "" } = process.env;
const cells = parseCells(CELLS);
const proxy = createProxyServer({ agent: new Agent({ keepAlive: true, maxSockets: 256 }), xfwd: true });

const server = createServer((request, response) => {
  const target = cells[routingKeys[String(request.headers["x-routing-key"])] ?? defaultCell];
  proxy.web(request, response, { target }, () => response.destroy());
});
server.keepAliveTimeout = 75_000;
server.listen({ host: "127.0.0.1", port: 0, backlog: 2048 }, () => {
  console.log(
    JSON.stringify({ event: "ready", url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }),
  );
});
process.once("SIGTERM", () => process.exit(0));
