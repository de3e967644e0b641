// A cell whose status is none that the router asked for: the fault is the cell's. The same text in every stage: the folder's
// name says which one it is.

import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { respondToAll, startHostileUpstream } from "../../../shared/testkit/hostile-upstream.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { RawClient } from "../../../shared/testkit/raw-client.ts";
import { type Stage, startRouter } from "../../../shared/testkit/router-process.ts";

failOnLeaks();

const stage = basename(dirname(dirname(fileURLToPath(import.meta.url)))) as Stage;

test.each(["000", "099", "101"])("a cell's %s is a broken response", async (status) => {
  const response = `HTTP/1.1 ${status} X\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`;
  await using cell = await startHostileUpstream(respondToAll(response));
  await using router = await startRouter({ stage, endpoints: { tier1: cell.url } });
  await using client = await RawClient.connect(router.url);
  const got = await client.request("GET / HTTP/1.1\r\nHost: a\r\nX-Routing-Key: acme\r\n\r\n");
  expect([got.status, got.json()["code"]]).toEqual([502, "upstream-broken"]);
  expect(await router.waitForLog(({ event }) => event === "request")).toMatchObject({
    outcome: "upstream-failed",
  });
});
