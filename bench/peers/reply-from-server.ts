// The best-known Node gateway library, set up as its readme says and given the work the stages do: routing by key,
// forwarding headers, a request id and (unless ACCESS_LOG=off) one pino line a request in place of Fastify's two.
import { randomUUID } from "node:crypto";
import replyFrom from "@fastify/reply-from";
import fastify from "fastify";
import pino from "pino";
import { defaultCell, parseCells, routingKeys } from "../routes.ts";

const { CELLS = "", ACCESS_LOG = "on" } = process.env;
const cells = parseCells(CELLS);
const log = ACCESS_LOG !== "off";

const app = fastify({
  // Written in batches by another thread, as the stages do.
  logger: log ? { stream: pino.destination({ fd: 1, sync: false }) } : false,
  disableRequestLogging: true,
  genReqId: () => randomUUID(),
  keepAliveTimeout: 75_000,
});
// A gateway streams: without this, Fastify would parse JSON bodies and refuse other kinds.
app.removeAllContentTypeParsers();
app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
await app.register(replyFrom, { disableRequestLogging: true, undici: { connections: 256, pipelining: 1 } });

app.all("/*", (request, reply) => {
  const key = String(request.headers["x-routing-key"]);
  const cell = routingKeys[key] ?? defaultCell;
  return reply.from(`${cells[cell]}${request.url}`, {
    rewriteRequestHeaders: (_original, headers) => ({
      ...headers,
      "x-forwarded-for": request.ip,
      "x-forwarded-proto": "http",
      "x-forwarded-host": request.host,
      "x-request-id": request.id,
    }),
    rewriteHeaders: (headers) => ({ ...headers, "x-request-id": request.id, "x-routed-to": cell }),
  });
});

if (log) {
  app.addHook("onResponse", (request, reply, done) => {
    const { method, url: path, id: requestId } = request;
    const key = request.headers["x-routing-key"];
    request.log.info({
      requestId,
      method,
      path,
      key,
      status: reply.statusCode,
      durationMs: reply.elapsedTime,
    });
    done();
  });
}

const url = await app.listen({ host: "127.0.0.1", port: 0 });
console.log(JSON.stringify({ event: "ready", url }));
process.once("SIGTERM", () => process.exit(0));
