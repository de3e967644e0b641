// CONNECT asks for a tunnel, and no router here opens one. To an HTTP library it is an event apart from all other requests,
// so it is easily answered out of turn, or on a connection that nobody watches any more.

import { describe, expect, test } from "vitest";
import { chunk, responseBytes } from "../messages.ts";
import type { Contract } from "./contract.ts";
import { expectProblem } from "./problem.ts";

const connect = "CONNECT cells.test:443 HTTP/1.1\r\nHost: cells.test:443\r\nX-Routing-Key: acme\r\n";

export function describeTunnels(contract: Contract): void {
  describe("a request for a tunnel", () => {
    test("is refused with 501, and the connection ends: what follows may be anything", async () => {
      await using client = await contract.connect();
      await client.write(`${connect}\r\n`);
      expectProblem(await client.readResponse(), 501);
      expect(await client.untilClosed()).toBe("closed");
    });

    test("is refused in its turn, behind the response to the request in front of it", async () => {
      using scene = contract.scene(async (exchange) => {
        await exchange.readBody();
        // The tunnel has been asked for by the time that this response goes out.
        await contract.settle();
        await exchange.write(responseBytes("200 OK", [], "first"));
      });
      await using client = await contract.connect();
      await client.write(`${scene.request({ key: "globex" })}${connect}\r\n`);
      const first = await client.readResponse();
      expect([first.status, first.text()]).toEqual([200, "first"]);
      expectProblem(await client.readResponse(), 501);
      expect(await client.untilClosed()).toBe("closed");
    });

    test("holds nothing up: a long response in front of it is sent whole, to a client that reads slowly", async () => {
      const body = "x".repeat(16 * 1024 * 1024);
      using scene = contract.scene(async (exchange) => {
        await exchange.write(responseBytes("200 OK", [], body));
      });
      await using client = await contract.connect();
      await client.write(scene.request());
      const head = await client.readHead();
      // By now the response waits for the client, at every place on its way.
      await contract.settle();
      await client.write(`${connect}\r\n`);
      await contract.settle();
      const response = await client.readBody(head);
      expect([response.ending, response.body.length]).toEqual(["complete", body.length]);
      expectProblem(await client.readResponse(), 501);
      expect(await client.untilClosed()).toBe("closed");
    });

    test.each([
      ["bytes of a tunnel", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc"],
      ["a request", "GET PATH HTTP/1.1\r\nHost: a\r\nX-Routing-Key: visa\r\n\r\n"],
      ["many bytes", "x".repeat(100_000)],
    ])("is refused once, and %s behind it reach nobody", async (_, behind) => {
      using scene = contract.scene();
      await using client = await contract.connect();
      client.writeNow(`${connect}\r\n${behind.replace("PATH", scene.path("/smuggled"))}`);
      expectProblem(await client.readResponse(), 501);
      await client.untilClosed();
      await contract.settle();
      expect(scene.seen).toEqual([]);
    });

    test.each([
      ["a length", (inner: string) => `Content-Length: ${inner.length}\r\n\r\n${inner}`],
      ["chunks", (inner: string) => `Transfer-Encoding: chunked\r\n\r\n${chunk(inner)}${chunk("")}`],
    ])("never has a body that becomes a request, framed by %s", async (_, framed) => {
      using scene = contract.scene();
      await using client = await contract.connect();
      client.writeNow(connect + framed(scene.request({ target: scene.path("/smuggled"), key: "visa" })));
      expectProblem(await client.readResponse(), 501);
      await client.untilClosed();
      await contract.settle();
      expect(scene.seen).toEqual([]);
    });

    test.each([
      ["at once", false],
      ["when it has the refusal", true],
    ])("ends nothing but its own connection when its client resets it %s", async (_, waits) => {
      // Forty, because the reset has to come between two steps of the router.
      const clients = await Promise.all(Array.from({ length: 40 }, () => contract.connect()));
      for (const client of clients) client.writeNow(`${connect}\r\nbytes`);
      for (const client of clients) {
        if (waits) await client.reader.more(5_000);
        client.reset();
      }
      using scene = contract.scene();
      const response = await contract.send(scene.request());
      expect([response.status, response.text()]).toEqual([200, "ok"]);
    });
  });
}
