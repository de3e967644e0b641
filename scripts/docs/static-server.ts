// Serves the built site on 127.0.0.1 as a plain file host does: /m1 is m1.html, what is missing is a 404, and what has a
// checksum in its name may be kept.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import sirv from "sirv";

export interface StaticServer extends AsyncDisposable {
  readonly url: string;
}

export async function serveFolder(folder: string): Promise<StaticServer> {
  const files = sirv(folder, {
    setHeaders: (response, path) => {
      if (path.startsWith("/assets/"))
        response.setHeader("cache-control", "public, max-age=31536000, immutable");
    },
    onNoMatch: (_, response) => {
      response.writeHead(404, { "content-type": "text/html" }).end(readFileSync(join(folder, "404.html")));
    },
  });
  const server = createServer((request, response) => files(request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
