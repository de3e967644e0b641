// Connections that carry more than one exchange: kept alive, pooled, pipelined, closed while idle, and poisoned.

import { describe, expect, test } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import type { UpstreamConnection } from "../../testkit/hostile-upstream.ts";
import { form } from "../grades.ts";
import { responseBytes } from "../messages.ts";
import type { Script } from "../scenes.ts";
import type { Contract } from "./contract.ts";
import { expectProblem } from "./problem.ts";

export function describeConnections(contract: Contract): void {
  /** Answers with the last part of the path, so that a wrong response shows. */
  const respondWithName: Script = async (exchange) => {
    await exchange.readBody();
    await exchange.write(responseBytes("200 OK", [], exchange.seen.target.split("/").at(-1) ?? ""));
  };

  describe("connections of a client", () => {
    test("stay open from one exchange to the next, over different cells", async () => {
      using scene = contract.scene(respondWithName);
      await using client = await contract.connect();
      for (const key of ["visa", "acme", "globex", "initech"]) {
        const response = await client.request(scene.request({ key, target: scene.path(`/${key}`) }));
        expect([response.status, response.text()]).toEqual([200, key]);
      }
    });

    test("stay open although the cell closes its own", async () => {
      using scene = contract.scene(async (exchange) => {
        await exchange.write(responseBytes("200 OK", ["Connection: close"], "ok"));
        await exchange.connection.close();
      });
      await using client = await contract.connect();
      for (let n = 0; n < 3; n++) {
        const response = await client.request(scene.request());
        expect(response.text()).toBe("ok");
        expect(response.headers.all("connection").join().toLowerCase()).not.toContain("close");
      }
    });

    test("stay open after a refusal, or say that they close", async () => {
      using scene = contract.scene();
      await using client = await contract.connect();
      const refusal = await client.request(scene.request({ key: null }));
      expectProblem(refusal, 400);
      if (refusal.headers.all("connection").join().toLowerCase().includes("close")) {
        expect(await client.untilClosed()).toBe("closed");
      } else {
        expect((await client.request(scene.request())).status).toBe(200);
      }
    });

    test.each([
      ["that asks for it", "1.1", ["Connection: close"]],
      ["of HTTP/1.0", "1.0", []],
    ])("close after the response to a client %s", async (_, version, fields) => {
      using scene = contract.scene();
      await using client = await contract.connect();
      expect((await client.request(scene.request({ version, fields }))).text()).toBe("ok");
      expect(await client.untilClosed()).toBe("closed");
    });

    test("carry pipelined requests, answered in their order although a later cell is faster", async () => {
      using scene = contract.scene(async (exchange) => {
        // The first response waits until another request has come, where the router asks for them side by side.
        if (exchange.seen.target.endsWith("/0")) {
          await eventually(() => scene.seen.length > 1, { what: "another request", deadlineMs: 200 }).catch(
            () => {},
          );
        }
        await respondWithName(exchange);
      });
      await using client = await contract.connect();
      const keys = ["acme", "visa", "globex", "initech", "acme", "visa"];
      await client.write(keys.map((key, n) => scene.request({ key, target: scene.path(`/${n}`) })).join(""));
      for (const n of keys.keys()) expect((await client.readResponse()).text()).toBe(String(n));
    });

    test("refuse what follows a request and is none as malformed, if they say anything", form, async () => {
      // Whoever sends more of a body than its length says must not be told that a method is not served.
      using scene = contract.scene();
      await using client = await contract.connect();
      await client.write(`${scene.request()}more of it\r\n\r\n`);
      expect((await client.readResponse()).status).toBe(200);
      if (await client.reader.more(2000)) expectProblem(await client.readResponse(), 400);
    });

    test("carry pipelined requests with a refusal in the middle, in their order", async () => {
      using scene = contract.scene(respondWithName);
      await using client = await contract.connect();
      const first = scene.request({ target: scene.path("/first") });
      const refused = scene.request({ target: scene.path("/refused"), key: null });
      const last = scene.request({ target: scene.path("/last") });
      await client.write(first + refused + last);
      expect((await client.readResponse()).text()).toBe("first");
      const refusal = await client.readResponse();
      expectProblem(refusal, 400);
      // A router may close after a refusal (it then says so); it must not answer out of turn.
      if (!refusal.headers.all("connection").join().toLowerCase().includes("close")) {
        expect((await client.readResponse()).text()).toBe("last");
      }
    });
  });

  describe("connections to a cell", () => {
    test("are used again", async () => {
      using scene = contract.scene();
      const used = new Set<UpstreamConnection>();
      for (let n = 0; n < 10; n++) await contract.send(scene.request());
      for (const seen of scene.seen) used.add(seen.connection);
      expect(used.size).toBeLessThanOrEqual(3);
    });

    test("cause no error when the cell closes them while they are idle", async () => {
      // The FIN may arrive before, during or after the router takes the connection for the next request.
      using scene = contract.scene(async (exchange) => {
        await exchange.readBody();
        await exchange.write(responseBytes("200 OK", [], "ok"));
        exchange.connection.halfClose();
      });
      await using client = await contract.connect();
      for (let n = 0; n < 50; n++) {
        expect((await client.request(scene.request({ key: "globex" }))).status, `request ${n}`).toBe(200);
      }
    });

    test("cause no error when they break under an idempotent request, which is sent once more", async () => {
      using scene = contract.scene(resetsOnReuse());
      await contract.endpoints.closeConnections("tier2");
      for (const method of ["GET", "GET", "HEAD"]) {
        expect((await contract.send(scene.request({ key: "globex", method }))).status).toBe(200);
      }
    });

    test.each([
      ["a POST with a body", { method: "POST", body: "one" }],
      ["a POST without a body", { method: "POST", fields: ["Content-Length: 0"] }],
      ["a PATCH", { method: "PATCH" }],
    ])("cause an error, and no second order, when they break under %s", async (_, parts) => {
      using scene = contract.scene(resetsOnReuse());
      await contract.endpoints.closeConnections("tier2");
      expect((await contract.send(scene.request({ key: "globex" }))).status).toBe(200);
      const target = scene.path("/order");
      const response = await contract.send(scene.request({ key: "globex", target, ...parts }));
      // 200 where the router chose a new connection: what counts is that the cell saw the order once.
      expect([200, 502]).toContain(response.status);
      expect(scene.pathsSeen.filter((path) => path === "/order")).toHaveLength(1);
    });

    test.each([
      ["along with its response", true],
      ["while the connection is idle", false],
    ])("never take bytes that the cell sends %s for the next response", async (_, atOnce) => {
      // Response desynchronisation: every client after this one would get somebody else's response.
      const forged = responseBytes("200 OK", ["X-Forged: yes"], "forged");
      using scene = contract.scene(async (exchange) => {
        await exchange.readBody();
        const response = responseBytes("200 OK", [], exchange.seen.target.split("/").at(-1));
        if (atOnce) return exchange.write(response + forged);
        await exchange.write(response);
        return exchange.write(forged);
      });
      for (let n = 0; n < 10; n++) {
        const target = scene.path(`/${n}`);
        const response = await contract.send(scene.request({ key: "globex", target }));
        expect([response.status, response.text()]).toEqual([200, String(n)]);
        // A router may use the connection again at once, before the bytes are there: nobody could tell them from a response.
        if (!atOnce) await contract.settle();
      }
    });

    test.each([
      ["a body after the response to HEAD", "HEAD", responseBytes("200 OK", [], "body that may not be")],
      ["a body after 304", "GET", `HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\nforged`],
      ["a body after 204", "GET", `HTTP/1.1 204 No Content\r\n\r\n${responseBytes("200 OK", [], "forged")}`],
      [
        "more body than its length",
        "GET",
        `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${responseBytes("200 OK", [], "forged")}`,
      ],
    ])("never take %s for the next response", async (_, method, bytes) => {
      using scene = contract.scene(async (exchange) => {
        if (exchange.seen.target.endsWith("/next")) return respondWithName(exchange);
        await exchange.readBody();
        return exchange.write(bytes);
      });
      for (let n = 0; n < 5; n++) {
        const first = await contract.send(scene.request({ key: "globex", method }));
        expect(first.status).toBeLessThan(400);
        if (method === "GET" && first.status === 200) expect(first.text()).toBe("ok");
        const next = await contract.send(scene.request({ key: "globex", target: scene.path("/next") }));
        expect([next.status, next.text()]).toEqual([200, "next"]);
      }
    });
  });
}

/** Answers the first request on each connection, and resets the connection under the second. */
function resetsOnReuse(): Script {
  const used = new WeakSet<UpstreamConnection>();
  return async (exchange) => {
    await exchange.readBody();
    if (used.has(exchange.connection)) return exchange.connection.reset();
    used.add(exchange.connection);
    await exchange.write(responseBytes("200 OK", ["Content-Length: 0"]));
  };
}
