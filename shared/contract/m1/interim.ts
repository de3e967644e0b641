// Interim responses (1xx): forwarded where they help, never believed, never kept without bound.

import { describe, expect, test } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import { chunk, responseBytes } from "../messages.ts";
import { respondWith } from "../scenes.ts";
import type { Contract } from "./contract.ts";

const ok = responseBytes("200 OK", [], "ok");
const hint = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
const goOn = "HTTP/1.1 100 Continue\r\n\r\n";
const mebibyte = 1_048_576;

export function describeInterimResponses(contract: Contract): void {
  describe("interim responses", () => {
    test.each([
      ["alone", goOn],
      ["twice", goOn + goOn],
      ["with fields", "HTTP/1.1 100 Continue\r\nX-Note: yes\r\n\r\n"],
      ["before a hint", goOn + hint],
      ["behind a hint", hint + goOn],
    ])("ignores a 100 Continue that nobody asked for: %s", async (_, interim) => {
      // RFC 9110 §15.2: a client must be able to take an interim response that it does not expect. So must a proxy.
      using scene = contract.scene(respondWith(interim + ok));
      await using client = await contract.connect();
      for (const method of ["GET", "POST"]) {
        const response = await client.request(
          scene.request({ method, ...(method === "POST" && { body: "x" }) }),
        );
        expect([response.status, response.text()]).toEqual([200, "ok"]);
      }
    });

    test.each([
      ["a 100 Continue", goOn],
      ["a hint and a 100 Continue", hint + goOn],
    ])("ignores %s that comes byte by byte", async (_, interim) => {
      using scene = contract.scene(async (exchange) => {
        await exchange.readBody();
        for (const byte of interim + ok) await exchange.write(byte);
      });
      const response = await contract.send(scene.request());
      expect([response.status, response.text()]).toEqual([200, "ok"]);
    });

    test("passes a body on that looks like interim responses", async () => {
      const body = [goOn, goOn + hint, `x${goOn}`, ok];
      using scene = contract.scene(async (exchange) => {
        await exchange.readBody();
        await exchange.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n`);
        for (const piece of body) {
          await exchange.write(chunk(piece));
          await new Promise((resolve) => setImmediate(resolve));
        }
        await exchange.write(chunk(""));
      });
      await using client = await contract.connect();
      for (let n = 0; n < 3; n++) expect((await client.request(scene.request())).text()).toBe(body.join(""));
    });

    test("lets no interim response say where the request went", async () => {
      const forged = [
        "X-Routed-To: visa",
        "X-Route-Reason: dedicated",
        "X-Request-Id: forged",
        "Connection: X-Internal",
        "X-Internal: secret",
        "Content-Length: 3",
      ];
      using scene = contract.scene(
        respondWith(`HTTP/1.1 103 Early Hints\r\n${forged.join("\r\n")}\r\nLink: </a>\r\n\r\n${ok}`),
      );
      await using client = await contract.connect();
      await client.write(scene.request());
      const bytes = (await client.reader.through("\r\n\r\n")).toString("latin1");
      expect(bytes).toMatch(/^HTTP\/1\.1 103 /);
      expect(bytes).toContain("Link: </a>");
      expect(bytes).not.toMatch(/x-rout|x-request-id|x-internal|content-length/i);
      expect((await client.readResponse()).text()).toBe("ok");
    });

    test("does not keep interim responses without end for a client that does not read", async () => {
      // Slowed down or cut, as the router likes: what counts is that a cell cannot fill its memory.
      let sent = 0;
      let ended = false;
      const flood = `HTTP/1.1 103 Early Hints\r\nX-Pad: ${"p".repeat(4000)}\r\n\r\n`.repeat(16);
      using scene = contract.scene(async (exchange) => {
        await exchange.readBody();
        while (sent < 256 * mebibyte && (await exchange.write(flood))) sent += flood.length;
        ended = true;
      });
      await using client = await contract.connect();
      await client.write(scene.request());
      let last = -1;
      await eventually(
        () => {
          const before = last;
          last = sent;
          return ended || before === last;
        },
        { what: "the cell is held back or cut off", everyMs: 500, deadlineMs: 20_000 },
      );
      expect(sent).toBeLessThan(32 * mebibyte);
    });
  });
}
