// Opens many keep-alive connections, sends one request on each, and then holds them open and idle until it is told to stop.
// Prints {"event":"ready","answered":N} when every connection has its response.
import { connect } from "node:net";
import { requestHeaders, requestPath } from "./request.ts";

const { url, connections } = JSON.parse(process.argv[2] ?? "{}") as { url: string; connections: number };
const { host, hostname, port } = new URL(url);
const fields = Object.entries({ Host: host, ...requestHeaders }).map(
  ([name, value]) => `${name}: ${value}\r\n`,
);
const request = `GET ${requestPath} HTTP/1.1\r\n${fields.join("")}\r\n`;

let answered = 0;
for (let index = 0; index < connections; index += 1) {
  const socket = connect({ host: hostname, port: Number(port), noDelay: true }, () => socket.write(request));
  // The responses are small: one that has begun is as good as whole here.
  socket.once("data", () => {
    answered += 1;
    if (answered === connections) console.log(JSON.stringify({ event: "ready", answered }));
  });
  socket.once("close", () => {
    console.error("a connection was closed");
    process.exit(1);
  });
  socket.on("error", (error) => console.error(error.message));
}
process.once("SIGTERM", () => process.exit(0));
