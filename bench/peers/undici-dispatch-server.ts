// The least a Node proxy can do with stock parts: node:http in front, undici's `dispatch` behind, headers passed on
// untouched, backpressure kept, no log, no request id, no header rules. A floor for Node, not a proxy to run.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Pool } from "undici";
import { cellNames, defaultCell, parseCells, routingKeys } from "../routes.ts";

const { CELLS = "" } = process.env;
const cells = parseCells(CELLS);
const pools = new Map(
  cellNames.map((name) => [name, new Pool(cells[name], { connections: 256, pipelining: 1 })]),
);

function forward(request: IncomingMessage, response: ServerResponse): void {
  const pool = pools.get(routingKeys[String(request.headers["x-routing-key"])] ?? defaultCell);
  const hasBody = "content-length" in request.headers || "transfer-encoding" in request.headers;
  const headers = withoutHopByHop(request.rawHeaders);
  pool?.dispatch(
    { path: request.url ?? "/", method: request.method ?? "GET", headers, body: hasBody ? request : null },
    {
      onRequestStart(controller) {
        response.on("drain", () => controller.resume());
        response.on("close", () => {
          if (!response.writableFinished) controller.abort(new Error("The client is gone"));
        });
      },
      onResponseStart(controller, status) {
        const raw = (controller.rawHeaders as readonly Buffer[]).map((part) => part.toString("latin1"));
        response.writeHead(status, withoutHopByHop(raw));
      },
      onResponseData(controller, chunk) {
        if (!response.write(chunk)) controller.pause();
      },
      onResponseEnd: () => void response.end(),
      onResponseError: () => void response.destroy(),
    },
  );
}

// Only what breaks framing when passed on; `Connection`-named fields are left to real proxies.
function withoutHopByHop(raw: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const [name, value] = [raw[index] ?? "", raw[index + 1] ?? ""];
    const lower = name.toLowerCase();
    if (lower !== "connection" && lower !== "keep-alive" && lower !== "transfer-encoding")
      kept.push(name, value);
  }
  return kept;
}

const server = createServer(forward);
server.keepAliveTimeout = 75_000;
server.listen({ host: "127.0.0.1", port: 0, backlog: 2048 }, () => {
  console.log(
    JSON.stringify({ event: "ready", url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }),
  );
});
process.once("SIGTERM", () => process.exit(0));
