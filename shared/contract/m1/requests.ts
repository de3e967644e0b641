// What of a request reaches the cell unchanged: method, path, query, body. And the methods that go nowhere.

import { describe, expect, test } from "vitest";
import { form, policy } from "../grades.ts";
import { chunk, responseBytes } from "../messages.ts";
import type { Contract } from "./contract.ts";
import { expectNothingThrough } from "./nothing-through.ts";
import { expectProblem } from "./problem.ts";

export function describeRequests(contract: Contract): void {
  describe("requests", () => {
    test.each(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "PURGE"])(
      "passes the method %s on",
      async (method) => {
        using scene = contract.scene(async (exchange) => {
          await exchange.readBody();
          await exchange.write(responseBytes("200 OK", ["Content-Length: 0"]));
        });
        const response = await contract.send(scene.request({ method }));
        expect(response.status).toBe(200);
        expect(scene.onlySeen.method).toBe(method);
      },
    );

    test.each(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])(
      "passes a body with its length on with %s, and frames it once",
      async (method) => {
        using scene = contract.scene(async (exchange) => {
          await exchange.readBody();
          await exchange.write(responseBytes("200 OK", ["Content-Length: 0"]));
        });
        const body = "GET /not-a-request HTTP/1.1\r\n\r\n";
        const response = await contract.send(scene.request({ method, body }));
        expect(response.status).toBe(200);
        expect(scene.onlySeen.message?.body.toString()).toBe(body);
        expect(scene.onlySeen.message?.ending).toBe("complete");
      },
    );

    test("passes a chunked body on, framed once", async () => {
      using scene = contract.scene();
      const body = `${chunk("hello ")}${chunk("world")}${chunk("")}`;
      const response = await contract.send(
        scene.request({ method: "POST", fields: ["Transfer-Encoding: chunked"], body }),
      );
      expect(response.status).toBe(200);
      expect(scene.onlySeen.message?.body.toString()).toBe("hello world");
    });

    test("tells a POST without a body from one that has no end", async () => {
      // RFC 9110 §8.6: a user agent should send Content-Length: 0; either way the cell must see an empty body at once.
      using scene = contract.scene();
      const response = await contract.send(scene.request({ method: "POST", body: "" }));
      expect(response.status).toBe(200);
      expect(scene.onlySeen.message?.bodyBytes).toBe(0);
    });

    const passesTarget = async (rest: string) => {
      using scene = contract.scene();
      const response = await contract.send(scene.request({ target: scene.path(rest) }));
      expect(response.status).toBe(200);
      expect(scene.onlySeen.target).toBe(scene.path(rest));
    };

    test.each([
      "/a/b/c",
      "?x=1&x=2&&y=",
      "/",
      "//double//slash",
      "/./dot/../dotdot",
      "/;p=1,2/@:!$&'()*+=~?/?/",
      "/[brackets]|{braces}?^`",
    ])("passes the path and query %s on, byte by byte", passesTarget);

    // `%zz` encodes nothing. What it means is the cell's business.
    test.each(["/%2e%2e%2F%00%zz?q=%20+"])(
      "passes the path and query %s on, byte by byte",
      policy,
      passesTarget,
    );

    test("passes a target of 8000 bytes on", async () => {
      using scene = contract.scene();
      const target = scene.path(`/${"long".repeat(2000)}`);
      expect((await contract.send(scene.request({ target }))).status).toBe(200);
      expect(scene.onlySeen.target).toBe(target);
    });

    test.each([
      ["with a path and a query", "/x?y=1"],
      ["with a query and no path", "?y=1"],
    ])("takes an absolute target %s, whose host wins over the Host field", async (_, rest) => {
      // RFC 9112 §3.2.2: the field is ignored. A cell that trusted it would answer for another site.
      using scene = contract.scene();
      const target = `http://right.test:81${scene.path(rest)}`;
      const response = await contract.send(scene.request({ target, fields: ["Host: wrong.test"] }));
      expect(response.status).toBe(200);
      expect(scene.onlySeen.target).toBe(scene.path(rest));
      expect(scene.onlySeen.headers.one("host")).not.toContain("wrong.test");
      expect(scene.onlySeen.headers.one("x-forwarded-host")).toBe("right.test:81");
    });

    test("gives an absolute target without a path the path /", async () => {
      using scene = contract.scene();
      const fields = [`X-Scene: ${scene.id}`];
      const response = await contract.send(scene.request({ target: "http://right.test?y=1", fields }));
      expect(response.status).toBe(200);
      expect(scene.onlySeen.target).toBe("/?y=1");
    });

    test.each(["user@right.test", "user:secret@right.test:81", "a b", ""])(
      "never takes %j for the host of an absolute target",
      async (authority) => {
        // RFC 9110 §4.2.4: user information in a target is there to deceive.
        using scene = contract.scene();
        const target = `http://${authority}${scene.path()}`;
        const response = await contract.send(scene.request({ target }));
        if (response.status !== 200) return expectProblem(response, 400);
        expect(scene.onlySeen.headers.one("x-forwarded-host")).toMatch(/^right\.test(:81)?$/);
      },
    );

    test("passes OPTIONS * on as it is, or refuses it", async () => {
      // RFC 9112 §3.2.4: with a routing key it may well be meant for the cell. Both are safe; another target is not.
      using scene = contract.scene();
      const fields = [`X-Scene: ${scene.id}`];
      const response = await contract.send(scene.request({ method: "OPTIONS", target: "*", fields }));
      if (response.status === 200) expect(scene.onlySeen.target).toBe("*");
      else expectProblem(response, 400, 404, 405, 501);
    });

    test("passes OPTIONS for an origin without a path on as *, or refuses it", async () => {
      // RFC 9112 §3.2.4: the last proxy sends *. A / would ask about one resource, and not about the server.
      using scene = contract.scene();
      const fields = [`X-Scene: ${scene.id}`];
      const response = await contract.send(
        scene.request({ method: "OPTIONS", target: "http://cells.test", fields }),
      );
      if (response.status === 200) expect(scene.onlySeen.target).toBe("*");
      else expectProblem(response, 400, 404, 405, 501);
    });

    test.each(["FROBNICATE", "get", "M!#$%&'*+.^_`|~-9"])(
      "passes the method %s on as it is, or says that it is not served",
      async (method) => {
        // RFC 9110 §9.1: methods are an open set, and case counts. One that is not known is no malformed request.
        using scene = contract.scene();
        const response = await contract.send(scene.request({ method }));
        if (response.status === 200) expect(scene.onlySeen.method).toBe(method);
        else expectProblem(response, 501);
      },
    );

    test("answers 501 to CONNECT, and asks no cell", async () => {
      using scene = contract.scene();
      const fields = [`X-Scene: ${scene.id}`];
      const request = scene.request({ method: "CONNECT", target: "cells.test:80", fields });
      expectProblem(await contract.send(request, { method: "GET" }), 501);
      expect(scene.seen).toEqual([]);
    });

    test("answers 405 to TRACE with the methods that it allows, and asks no cell", async () => {
      // TRACE would send a client's own fields, cookies among them, back into a page.
      using scene = contract.scene();
      const response = await contract.send(scene.request({ method: "TRACE" }));
      expectProblem(response, 405);
      expect(response.headers.one("allow")).toMatch(/\bGET\b/);
      expect(response.headers.one("allow")).not.toMatch(/\b(TRACE|CONNECT)\b/);
      expect(scene.seen).toEqual([]);
    });

    test.each([
      ["websocket", ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]],
      ["h2c", ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"]],
    ])("does not pass an upgrade to %s on, and serves the request without it", async (_, fields) => {
      // A cell that switched protocols would leave the router relaying bytes that it no longer frames.
      using scene = contract.scene();
      const response = await contract.send(scene.request({ fields }));
      expect(response.status).toBe(200);
      expect(scene.onlySeen.headers.has("upgrade")).toBe(false);
      expect(scene.onlySeen.headers.has("http2-settings")).toBe(false);
      expect(scene.onlySeen.headers.all("connection").join().toLowerCase()).not.toContain("upgrade");
    });

    test("answers 417 to an expectation other than 100-continue", policy, async () => {
      using scene = contract.scene();
      const response = await contract.send(scene.request({ fields: ["Expect: a-miracle"] }));
      expectProblem(response, 417);
      expect(scene.seen).toEqual([]);
    });

    test("lets a client that waits for 100 Continue send its body", async () => {
      // The router may say 100 itself, or pass the expectation on and the cell's 100 back: this cell would say it.
      using scene = contract.scene(async (exchange) => {
        if (exchange.seen.headers.has("expect")) await exchange.write("HTTP/1.1 100 Continue\r\n\r\n");
        await exchange.readBody();
        await exchange.write(responseBytes("200 OK", [], "ok"));
      });
      await using client = await contract.connect();
      const fields = ["Expect: 100-continue", "Content-Length: 5"];
      await client.write(scene.request({ method: "POST", fields }));
      expect((await client.readHead()).status).toBe(100);
      await client.write("hello");
      const response = await client.readResponse({ method: "POST" });
      expect(response.status).toBe(200);
      expect(response.interim).toEqual([]);
      expect(scene.onlySeen.message?.body.toString()).toBe("hello");
    });

    test("refuses a request without a key before its client sends the body it announced", async () => {
      using scene = contract.scene();
      const fields = ["Expect: 100-continue", "Content-Length: 5"];
      const response = await contract.send(scene.request({ method: "POST", key: null, fields }), {
        method: "POST",
      });
      expectProblem(response, 400);
      expect(response.interim).toEqual([]);
    });

    test.each([
      [
        "fields that are too long",
        (scene: string) => ({ fields: [`X-Long: ${"x".repeat(100_000)}`], target: scene }),
      ],
      ["a target that is too long", (scene: string) => ({ target: `${scene}/${"x".repeat(100_000)}` })],
      [
        "the number of its fields",
        (scene: string) => ({ fields: Array(20_000).fill("a: b"), target: scene }),
      ],
    ])("answers 431 to %s", form, async (_, parts) => {
      // 414 says the same of a target (RFC 9110 §15.5.15).
      using scene = contract.scene();
      const response = await contract.send(scene.request(parts(scene.path())));
      expectProblem(response, 431, 414);
      expect(scene.seen).toEqual([]);
    });

    test("answers trailers that are too long, and reads nothing behind them", policy, async () => {
      // More of them arrives after the fault: it must not cut the response off.
      using scene = contract.scene();
      const fields = ["Transfer-Encoding: chunked"];
      const body = `5\r\nhello\r\n0\r\n${"X-Trailer: x\r\n".repeat(10_000)}\r\n`;
      await using client = await contract.connect();
      client.writeNow(scene.request({ method: "POST", fields, body }));
      expectProblem(await client.readResponse({ method: "POST" }), 431, 413, 400);
      await client.untilClosed();
      await expectNothingThrough(contract, scene);
    });
  });
}
