// Cells for large bodies: GET /down/BYTES sends that many, POST /up counts what it gets and says so; anything else gets
// the small response. On node:http, since a proxy may frame a body anew. Prints {"event":"ready","cells":{…}}.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { responseBody } from "./cell-response.ts";
import { sendBytes } from "./load/send-bytes.ts";
import { cellNames } from "./routes.ts";

function countBytes(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  request.once("end", () => {
    const body = JSON.stringify({ bytes });
    response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body);
  });
}

function respond(cell: string, request: IncomingMessage, response: ServerResponse): void {
  const total = /^\/down\/(\d{1,12})$/.exec(request.url ?? "")?.[1];
  if (total !== undefined) {
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": total });
    return sendBytes(response, Number(total));
  }
  if (request.method === "POST") return countBytes(request, response);
  const body = responseBody(cell);
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body);
}

const cells: Record<string, string> = {};
for (const name of cellNames) {
  const server = createServer((request, response) => respond(name, request, response));
  server.keepAliveTimeout = 75_000;
  await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
  cells[name] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
console.log(JSON.stringify({ event: "ready", cells }));
process.once("SIGTERM", () => process.exit(0));
