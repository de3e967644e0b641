// The bench's upstream: four cells in one process that answer every bodiless request with the same bytes, so that the
// proxy is what is measured. Not an HTTP server: it counts blank lines. Prints {"event":"ready","cells":{…}}.
import { type AddressInfo, createServer, type Socket } from "node:net";
import { responseBody, responseBytes } from "./cell-response.ts";
import { cellNames } from "./routes.ts";

const headEnd = Buffer.from("\r\n\r\n");

function responseOf(cell: string): Buffer {
  const head = [
    "HTTP/1.1 200 OK",
    "content-type: application/json",
    "cache-control: no-store",
    "date: Thu, 01 Jan 2026 00:00:00 GMT",
    `content-length: ${responseBytes}`,
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${responseBody(cell)}`, "latin1");
}

function serve(socket: Socket, response: Buffer): void {
  let unfinished: Buffer | undefined;
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    const bytes = unfinished === undefined ? chunk : Buffer.concat([unfinished, chunk]);
    let from = 0;
    for (let end = bytes.indexOf(headEnd); end >= 0; end = bytes.indexOf(headEnd, from)) {
      from = end + headEnd.length;
      socket.write(response);
    }
    unfinished = from === bytes.length ? undefined : bytes.subarray(from);
  });
}

const cells: Record<string, string> = {};
for (const name of cellNames) {
  const response = responseOf(name);
  const server = createServer((socket) => serve(socket, response));
  await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0, backlog: 2048 }, resolve));
  cells[name] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
console.log(JSON.stringify({ event: "ready", cells }));
process.once("SIGTERM", () => process.exit(0));
