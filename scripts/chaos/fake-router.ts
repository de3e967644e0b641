// A small router for the tests of chaos: strict, one request after the other, whole responses in memory. `FAULT` plants one
// fault in it, so that a test can see that chaos finds it.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { ByteReader } from "../../shared/testkit/byte-reader.ts";
import {
  type RawResponse,
  type RequestHead,
  readRequestBody,
  readRequestHead,
  readResponse,
} from "../../shared/testkit/http-message.ts";

/** What can be planted. */
export type PlantedFault =
  | "none"
  | "serves-nobody"
  | "dies-on-reset"
  | "hangs-on-reset"
  | "mixes-responses"
  | "leaks-sockets"
  | "smuggles"
  | "hides-cuts"
  | "never-stops";

const fault = (process.env["FAULT"] ?? "none") as PlantedFault;
const cells = new Map(
  (process.env["CELLS"] ?? "").split(",").map((pair) => pair.split("=") as [string, string]),
);
const placements = new Map([
  ["visa", "visa"],
  ["acme", "tier1"],
  ["globex", "tier2"],
]);
/** Longer than a busy machine keeps a cell that is well from responding. */
const deadlineMs = 10_000;

let previous: RawResponse | undefined;
let served = 0;
let underWay = 0;

const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  if (fault === "serves-nobody") return;
  socket.on("error", () => {
    if (fault === "dies-on-reset") process.exit(7);
    while (fault === "hangs-on-reset");
  });
  void serve(socket).catch(() => socket.destroy());
});

/** One request after the other. Whatever is unclear ends the connection. */
async function serve(socket: Socket): Promise<void> {
  const reader = new ByteReader(socket, { deadlineMs });
  for (;;) {
    const head = await readRequestHead(reader);
    const status = refusal(head);
    if (status !== undefined) {
      socket.end(`HTTP/1.1 ${status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
      break;
    }
    if (head.headers.all("expect").length > 0) socket.write("HTTP/1.1 100 Continue\r\n\r\n");
    if (!(await forward(socket, reader, head))) break;
  }
  // Also where the client never says that it has finished.
  socket.destroySoon();
}

function refusal({ method, target, version, headers }: RequestHead): number | undefined {
  const keys = headers.all("x-routing-key");
  const hosts = headers.all("host");
  if (method === "CONNECT") return 501;
  if (method === "TRACE") return 405;
  if (keys.length !== 1 || keys[0] === "" || (keys[0]?.length ?? 0) > 256) return 400;
  if (hosts.length !== 1 || !/^[\w.:[\]-]+$/.test(hosts[0] ?? "")) return 400;
  if (!/^\/[!"$-~]*$/.test(target) || target.length > 8_000) return 400;
  const [codings, lengths] = [headers.all("transfer-encoding"), headers.all("content-length")];
  if (codings.length > 0 && (version === "HTTP/1.0" || lengths.length > 0 || codings.join() !== "chunked"))
    return 400;
  return lengths.length > 1 || !/^\d{0,15}$/.test(lengths.join()) || lengths[0] === "" ? 400 : undefined;
}

/** Whether the connection stays. */
async function forward(socket: Socket, reader: ByteReader, head: RequestHead): Promise<boolean> {
  const key = head.headers.one("x-routing-key") ?? "";
  const placement = placements.get(key) ?? "tier3";
  underWay += 1;
  const response = await ask(cells.get(placement) ?? "", reader, head).finally(() => (underWay -= 1));
  if (response === "client-left") return false;
  const id = head.headers.all("x-request-id")[0] ?? "none";
  const own = `X-Request-Id: ${id}\r\nX-Routed-To: ${placement}\r\n`;
  const [isHead, isOld] = [head.method === "HEAD", head.version === "HTTP/1.0"];
  if (response === "failed") {
    // What is left of the request's body cannot be told from the next request.
    socket.write(`HTTP/1.1 502 Bad Gateway\r\n${own}Content-Length: 0\r\nConnection: close\r\n\r\n`);
    return false;
  }
  served += 1;
  const told = fault === "mixes-responses" && served % 10 === 0 ? (previous ?? response) : response;
  previous = response;
  const isCut = told.ending === "truncated" && fault !== "hides-cuts";
  const hasBody = !isHead && told.status !== 204 && told.status !== 304;
  const fields = told.headers.pairs.filter(([name]) => /^x-(chaos|cell)$/i.test(name));
  const framing = hasBody ? `Content-Length: ${told.body.length + (isCut ? 1 : 0)}\r\n` : "";
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.write(`HTTP/1.1 ${told.status} OK\r\n${own}${lines}${framing}\r\n`);
  if (hasBody) socket.write(told.body);
  return !isCut && !isOld && !head.headers.all("connection").join().includes("close");
}

async function ask(
  cell: string,
  reader: ByteReader,
  head: RequestHead,
): Promise<RawResponse | "failed" | "client-left"> {
  const upstream = connect({ host: "127.0.0.1", port: Number(new URL(cell).port), allowHalfOpen: true });
  upstream.on("error", () => {});
  try {
    await once(upstream, "connect");
    const isChunked = head.headers.has("transfer-encoding");
    // Planted: a length is not read, and the body is taken for the next request.
    const isIgnored = fault === "smuggles" && head.headers.has("content-length");
    const fields = head.headers.pairs.filter(
      ([name]) =>
        !/^(connection|upgrade|expect|te)$/i.test(name) &&
        !(isIgnored && /^(content-length|transfer-)/i.test(name)),
    );
    const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    upstream.write(`${head.method} ${head.target} HTTP/1.1\r\n${lines}\r\n`, "latin1");
    if (!isIgnored) {
      const onBody = (piece: Buffer) => {
        if (isChunked) upstream.write(`${piece.length.toString(16)}\r\n`);
        upstream.write(piece);
        if (isChunked) upstream.write("\r\n");
      };
      const { ending } = await readRequestBody(reader, head, { onBody });
      if (ending === "truncated") return "client-left";
      if (isChunked) upstream.write("0\r\n\r\n");
    }
    return await readResponse(new ByteReader(upstream, { deadlineMs }), head.method);
  } catch {
    return reader.end === undefined ? "failed" : "client-left";
  } finally {
    if (fault !== "leaks-sockets") upstream.destroy();
  }
}

process.on("SIGTERM", async () => {
  if (fault === "never-stops") return;
  server.close();
  do await delay(500);
  while (underWay > 0);
  process.exit(0);
});
server.listen(Number(process.env["PORT"] ?? 0), "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  console.log(JSON.stringify({ event: "ready", url: `http://127.0.0.1:${port}` }));
});
