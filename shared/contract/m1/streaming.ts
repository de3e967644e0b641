// Bodies that pass while they are still being made. Speed and memory are in `backpressure.ts`.

import { describe, expect, test } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import { chunk, responseBytes } from "../messages.ts";
import type { Contract } from "./contract.ts";

const chunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

export function describeStreaming(contract: Contract): void {
  describe("streaming", () => {
    test("passes the head of a response on before there is any body", async () => {
      const gate = Promise.withResolvers<void>();
      using scene = contract.scene(async (exchange) => {
        await exchange.write(chunkedHead);
        await gate.promise;
        await exchange.write(chunk("body") + chunk(""));
      });
      await using client = await contract.connect();
      await client.write(scene.request());
      const head = await client.readHead();
      gate.resolve();
      expect((await client.readBody(head)).text()).toBe("body");
    });

    test.each([
      ["chunked", chunkedHead, (data: string) => chunk(data)],
      ["with a length", "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n", (data: string) => data],
    ])("passes each piece of a response on, %s, before the next one is made", async (_, head, frame) => {
      let next = Promise.withResolvers<void>();
      using scene = contract.scene(async (exchange) => {
        await exchange.write(head);
        for (const piece of ["one..", "two..", "three"]) {
          await exchange.write(frame(piece));
          await next.promise;
        }
        if (head === chunkedHead) await exchange.write(chunk(""));
      });
      await using client = await contract.connect();
      await client.write(scene.request());
      let text = "";
      const response = await client.readBody(await client.readHead(), {
        onBody: (piece) => {
          text += piece.toString();
          const { resolve } = next;
          next = Promise.withResolvers();
          if (text.length % 5 === 0) resolve();
        },
      });
      expect([text, response.ending]).toEqual(["one..two..three", "complete"]);
    });

    test("passes each piece of a request on before the next one is made", async () => {
      const pieces: string[] = [];
      using scene = contract.scene(async (exchange) => {
        await exchange.readBody({ onBody: (piece) => void pieces.push(piece.toString()) });
        await exchange.write(responseBytes("200 OK", [], "ok"));
      });
      await using client = await contract.connect();
      await client.write(scene.request({ method: "POST", fields: ["Transfer-Encoding: chunked"] }));
      for (const piece of ["one", "two", "three"]) {
        await client.write(chunk(piece));
        await eventually(() => pieces.join("").endsWith(piece), { what: `the cell has "${piece}"` });
      }
      await client.write(chunk(""));
      expect((await client.readResponse({ method: "POST" })).text()).toBe("ok");
    });

    test("carries both bodies of one exchange at once", async () => {
      using scene = contract.scene(async (exchange) => {
        await exchange.write(chunkedHead);
        await exchange.readBody({
          onBody: async (piece) => void (await exchange.write(chunk(piece.toString()))),
        });
        await exchange.write(chunk(""));
      });
      await using client = await contract.connect();
      await client.write(
        scene.request({ method: "POST", fields: ["Transfer-Encoding: chunked"], body: chunk("a1") }),
      );
      const head = await client.readHead();
      let text = "";
      const body = client.readBody(head, {
        method: "POST",
        onBody: (piece) => {
          text += piece.toString();
        },
      });
      for (const piece of ["b2", "c3"]) {
        await eventually(() => text.length > 0 && !text.includes(piece), { what: "an echo" });
        await client.write(chunk(piece));
        await eventually(() => text.endsWith(piece), { what: `the echo of "${piece}"` });
      }
      await client.write(chunk(""));
      expect((await body).ending).toBe("complete");
      expect(text).toBe("a1b2c3");
    });
  });
}
