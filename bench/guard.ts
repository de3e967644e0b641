// Before a proxy is timed it must be right: a fast proxy that routes nothing is not fast.
import { ask } from "../scripts/http-request.ts";
import { responseBody } from "./cell-response.ts";
import { requestHeaders, requestKey, requestPath } from "./load/request.ts";
import { type CellName, defaultCell, routingKeys } from "./routes.ts";

/** Sends a request for each routing key and one unknown; returns what was wrong, or undefined when all was right. */
export async function findFault(url: string, routes: boolean): Promise<string | undefined> {
  const all: [string, CellName][] = [...Object.entries(routingKeys), ["nobody-knows-me", defaultCell]];
  // Without a proxy there is nothing that routes: only the cell's own response is checked.
  for (const [key, cell] of routes ? all : all.filter(([key]) => key === requestKey)) {
    const headers = { ...requestHeaders, "X-Routing-Key": key };
    const { status, body } = await ask({ url: `${url}${requestPath}`, headers, timeoutMs: 5_000 });
    if (status !== 200)
      return `routing key "${key}": expected status 200, got ${status} ${body.slice(0, 120)}`;
    if (body !== responseBody(cell)) {
      return `routing key "${key}": expected the response of cell "${cell}", got ${body.length} bytes: ${body.slice(0, 60)}`;
    }
  }
  return undefined;
}
