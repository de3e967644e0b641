// Responses in every framing that HTTP/1.1 knows, what the client must make of them, and those whose framing is unclear.

import { describe, expect, test } from "vitest";
import { form, policy } from "../grades.ts";
import { chunk, responseBytes } from "../messages.ts";
import type { Contract } from "./contract.ts";
import { unclearResponses } from "./unclear-responses.ts";

export function describeResponseFraming(contract: Contract): void {
  /** One exchange in which the cell answers with these bytes, and closes where they do not say their end. */
  const exchange = async (
    bytes: string,
    parts: { method?: string; version?: string; fields?: string[] } = {},
  ) => {
    using scene = contract.scene(async ({ connection }) => {
      await connection.write(bytes);
      if (!/content-length|chunked/i.test(bytes)) await connection.close();
    });
    return await contract.send(scene.request(parts));
  };

  describe("response bodies", () => {
    test("keeps a length", async () => {
      const response = await exchange(responseBytes("200 OK", [], "hello"));
      expect([response.text(), response.headers.one("content-length")]).toEqual(["hello", "5"]);
    });

    test("keeps a length of zero: an empty body is not a missing one", async () => {
      const response = await exchange(responseBytes("200 OK", []));
      expect([response.ending, response.bodyBytes]).toEqual(["complete", 0]);
    });

    test.each([
      ["with data", chunk("hello ") + chunk("world") + chunk(""), "hello world"],
      ["without data", chunk(""), ""],
      ["with extensions", "5;a=b\r\nhello\r\n0;c\r\n\r\n", "hello"],
    ])("carries a chunked body %s", async (_, body, text) => {
      const response = await exchange(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`);
      expect([response.text(), response.ending]).toEqual([text, "complete"]);
    });

    test.each(["1.1", "1.0"])("carries a body that ends when a cell of HTTP/%s closes", async (version) => {
      const response = await exchange(
        `HTTP/${version} 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end`,
      );
      expect(response.text()).toBe("until the end");
      expect(response.ending).not.toBe("truncated");
    });

    test("never sends chunks to a client of HTTP/1.0", async () => {
      // RFC 9112 §6.1. Such a client would show the chunk sizes as text.
      const bytes = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk("hello")}${chunk("")}`;
      const response = await exchange(bytes, { version: "1.0" });
      expect(response.headers.has("transfer-encoding")).toBe(false);
      expect([response.text(), response.ending]).toEqual(["hello", "until-close"]);
    });

    test("passes trailers on after the body, and never into the head", policy, async () => {
      // A client that says it takes trailers gets them; one that does not may lose them.
      const bytes =
        "HTTP/1.1 200 OK\r\nTrailer: X-Check\r\nTransfer-Encoding: chunked\r\n\r\n" +
        "5\r\nhello\r\n0\r\nX-Check: passed\r\n\r\n";
      const response = await exchange(bytes, { fields: ["TE: trailers", "Connection: TE"] });
      expect([response.text(), response.ending]).toEqual(["hello", "complete"]);
      expect(response.trailers.one("x-check")).toBe("passed");
      expect(response.headers.has("x-check")).toBe(false);
    });

    test("announces no trailers to an HTTP/1.0 client, which cannot have any", form, async () => {
      const bytes =
        "HTTP/1.1 200 OK\r\nTrailer: X-Check\r\nTransfer-Encoding: chunked\r\n\r\n" +
        "5\r\nhello\r\n0\r\nX-Check: passed\r\n\r\n";
      const response = await exchange(bytes, { version: "1.0" });
      expect([response.text(), response.ending]).toEqual(["hello", "until-close"]);
      expect(response.headers.has("trailer")).toBe(false);
    });

    test("never lets a trailer say where the request went, or how the body is framed", async () => {
      const forged =
        "X-Routed-To: visa\r\nX-Route-Reason: dedicated\r\nX-Request-Id: f\r\nContent-Length: 3\r\n";
      const bytes = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n${forged}X-Own: 1\r\n\r\n`;
      const response = await exchange(bytes, { fields: ["TE: trailers", "Connection: TE"] });
      expect(response.text()).toBe("hello");
      for (const name of ["x-routed-to", "x-route-reason", "x-request-id", "content-length"]) {
        expect(response.trailers.has(name), name).toBe(false);
      }
    });
  });

  describe("responses without a body", () => {
    const next = async (first: string, method: string) => {
      using scene = contract.scene(async (each) => {
        await each.readBody();
        await each.write(each.seen.target.endsWith("/next") ? responseBytes("200 OK", [], "next") : first);
      });
      await using client = await contract.connect();
      const response = await client.request(scene.request({ method }));
      const after = await client.request(scene.request({ target: scene.path("/next") }));
      expect(after.text(), "the response to the next request on the same connection").toBe("next");
      return response;
    };

    test.each([
      ["with its length", responseBytes("200 OK", ["Content-Length: 1234"])],
      ["that would be chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ])("passes the response to HEAD on, %s", async (_, bytes) => {
      const response = await next(bytes, "HEAD");
      expect([response.status, response.bodyBytes]).toEqual([200, 0]);
      // The length is what GET would have had (RFC 9110 §8.6): it must stay or go, and not become 0.
      if (bytes.includes("1234")) expect(response.headers.one("content-length") ?? "1234").toBe("1234");
      else expect(response.headers.has("content-length")).toBe(false);
    });

    test.each([
      ["without a length", "HTTP/1.1 204 No Content\r\n\r\n"],
      ["with a length of zero, which may not stay", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"],
    ])("passes 204 on %s", async (_, bytes) => {
      // RFC 9110 §8.6: no Content-Length in a 204. The strict reader of this suite refuses one.
      const response = await next(bytes, "GET");
      expect([response.status, response.bodyBytes]).toEqual([204, 0]);
    });

    test.each([
      ["without a length", 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n'],
      [
        "with the length that a 200 would have",
        'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 1234\r\n\r\n',
      ],
    ])("passes 304 on %s", async (_, bytes) => {
      const response = await next(bytes, "GET");
      expect([response.status, response.bodyBytes]).toEqual([304, 0]);
      expect(response.headers.one("etag")).toBe('"x"');
      expect(response.headers.one("content-length") ?? "1234").toBe("1234");
    });
  });

  describe("interim responses", () => {
    const ok = responseBytes("200 OK", ["X-Final: yes"], "final");

    test("passes 103 Early Hints on or drops it, and gives the final response", async () => {
      const response = await exchange(`HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n${ok}`);
      expect([response.status, response.text()]).toEqual([200, "final"]);
      expect(response.headers.has("link")).toBe(false);
      const statuses = response.interim.map((each) => each.status);
      expect([[], [103]]).toContainEqual(statuses);
      for (const each of response.interim) expect(each.headers.one("link")).toBe("</a.css>; rel=preload");
    });

    test("survives several interim responses", async () => {
      const hints = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(3);
      const response = await exchange(hints + ok);
      expect([response.status, response.text()]).toEqual([200, "final"]);
    });

    test("drops interim responses for a client of HTTP/1.0", async () => {
      // RFC 9110 §15.2: it would take the first one for the final response.
      const response = await exchange(`HTTP/1.1 103 Early Hints\r\n\r\n${ok}`, { version: "1.0" });
      expect([response.status, response.interim]).toEqual([200, []]);
    });

    test("gives the final response after a 100 that nobody asked for, or 502", async () => {
      const response = await exchange(`HTTP/1.1 100 Continue\r\n\r\n${ok}`);
      expect([200, 502]).toContain(response.status);
      if (response.status === 200) expect(response.text()).toBe("final");
    });
  });

  describe("unclear responses", () => {
    for (const { title, why, bytes, orElse } of unclearResponses) {
      test(`answers 502 to ${title}`, async () => {
        using scene = contract.scene(async ({ connection }) => {
          await connection.write(bytes);
          await connection.close();
        });
        using after = contract.scene();
        const response = await contract.send(scene.request());
        if (response.status === 502) expect(response.json()["status"]).toBe(502);
        // Where the cell's head may have gone out before the fault was met, the cut is what tells the truth.
        else if (response.ending !== "truncated")
          expect(orElse?.(response), `${why}: ${response.text()}`).toBe(true);
        expect((await contract.send(after.request())).text()).toBe("ok");
      });
    }
  });
}
