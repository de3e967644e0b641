// Serves the built site on 127.0.0.1 as a plain file host does: /m1 is m1.html, what is missing is a 404, and what has a
// checksum in its name may be kept.

import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};

export interface StaticServer extends AsyncDisposable {
  readonly url: string;
}

/** @param port 0 takes a free one. */
export async function serveFolder(folder: string, port = 0): Promise<StaticServer> {
  const server = createServer((req, res) => {
    const path = decodeURIComponent(new URL(req.url ?? "/", "http://site").pathname);
    const inside = normalize(join("/", path));
    const file = [inside, `${inside}.html`, join(inside, "index.html")]
      .map((each) => join(folder, each))
      .find((each) => existsSync(each) && statSync(each).isFile());
    const body = readFileSync(file ?? join(folder, "404.html"));
    res.writeHead(file === undefined ? 404 : 200, {
      "content-type": types[extname(file ?? ".html")] ?? "application/octet-stream",
      ...(inside.startsWith("/assets/") && { "cache-control": "public, max-age=31536000, immutable" }),
    });
    res.end(body);
  });
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(port, "127.0.0.1", resolve);
  await listening;
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  return {
    url: `http://127.0.0.1:${bound}`,
    [Symbol.asyncDispose]: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}
