// How exchanges end when the cell fails: before its response, and in the middle of it. The rule behind every case: a cut
// response never looks whole. Clients that leave are in `leaving.ts`.

import { describe, expect, test } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import { chunk } from "../messages.ts";
import type { Exchange, Script } from "../scenes.ts";
import type { Contract } from "./contract.ts";
import { expectProblem } from "./problem.ts";

export function describeEndings(contract: Contract): void {
  describe("a cell that fails before its response", () => {
    test.each<[string, Script]>([
      ["resets the connection", async ({ connection }) => connection.reset()],
      ["closes the connection", async ({ connection }) => connection.close()],
      [
        "closes after half a head",
        async (exchange) => {
          await exchange.write("HTTP/1.1 200 OK\r\nContent-Le");
          await exchange.connection.close();
        },
      ],
      [
        "resets after an interim response",
        async (exchange) => {
          await exchange.write("HTTP/1.1 102 Processing\r\n\r\n");
          exchange.connection.reset();
        },
      ],
    ])("gives 502 when it %s, after at most two more attempts", async (_, script) => {
      using scene = contract.scene(script);
      const response = await contract.send(scene.request());
      expectProblem(response, 502);
      expect(response.headers.one("x-routed-to")).toBe("tier1");
      expect(response.headers.one("x-route-reason")).toBe("tier");
      expect(scene.seen.length).toBeLessThanOrEqual(3);
    });

    test.each(["POST", "PATCH"])("never sends a %s a second time", async (method) => {
      // The cell may have done what it was asked before the connection broke: an order must not be placed twice.
      using ready = contract.scene();
      await contract.send(ready.request());
      using scene = contract.scene(async ({ connection }) => connection.reset());
      expectProblem(await contract.send(scene.request({ method, body: "order" })), 502);
      expect(scene.seen).toHaveLength(1);
    });

    test("gives 502 when nothing listens, and serves again once something does", async () => {
      using scene = contract.scene();
      await contract.endpoints.down("visa");
      try {
        const response = await contract.send(scene.request({ key: "visa" }));
        expectProblem(response, 502);
        expect(response.headers.one("x-routed-to")).toBe("visa");
        expect(response.headers.one("x-route-reason")).toBe("dedicated");
        // Isolation: a dedicated cell that is down is not replaced by another one.
        expect(scene.seen).toEqual([]);
        expect((await contract.send(scene.request({ key: "acme" }))).status).toBe(200);
      } finally {
        await contract.endpoints.up("visa");
      }
      await eventually(async () => (await contract.send(scene.request({ key: "visa" }))).status === 200, {
        what: "the router serves visa again",
        everyMs: 50,
      });
    });
  });

  describe("a cell that fails in the middle of its response", () => {
    const lengthHead = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    const chunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const untilCloseHead = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";

    /** Sends the start of a response, waits until the client has it, then fails. */
    const cutResponse = async (start: string, fail: (exchange: Exchange) => unknown, version = "1.1") => {
      let clientHasIt = () => {};
      const seenByClient = new Promise<void>((resolve) => {
        clientHasIt = resolve;
      });
      using scene = contract.scene(async (exchange) => {
        await exchange.write(start);
        await seenByClient;
        await fail(exchange);
      });
      await using client = await contract.connect();
      await client.write(scene.request({ version }));
      const head = await client.readHead();
      let text = "";
      const response = await client.readBody(head, {
        onBody: (piece) => {
          text += piece.toString("latin1");
          clientHasIt();
        },
      });
      return { response, text, scene };
    };

    test.each<[string, string, (exchange: Exchange) => unknown]>([
      ["a body with a length is reset", `${lengthHead}part`, ({ connection }) => connection.reset()],
      ["a body with a length is closed", `${lengthHead}part`, ({ connection }) => connection.close()],
      ["a chunked body is reset", chunkedHead + chunk("part"), ({ connection }) => connection.reset()],
      ["a chunked body is closed", chunkedHead + chunk("part"), ({ connection }) => connection.close()],
      ["a chunk is cut", `${chunkedHead}100\r\npart`, ({ connection }) => connection.close()],
      [
        "the last chunk is cut",
        chunkedHead + chunk("part"),
        async (exchange) => {
          await exchange.write("0\r\n");
          await exchange.connection.close();
        },
      ],
      ["a chunk has no size", chunkedHead + chunk("part"), (exchange) => exchange.write("no size\r\n")],
      [
        "a body that ends with the connection is reset",
        `${untilCloseHead}part`,
        ({ connection }) => connection.reset(),
      ],
    ])("shows the client that the response was cut when %s", async (_, start, fail) => {
      const { response, text, scene } = await cutResponse(start, fail);
      expect([response.status, response.ending]).toEqual([200, "truncated"]);
      expect(text).toBe("part");
      expect(scene.seen).toHaveLength(1);
    });

    test.each<[string, string]>([
      ["chunked", chunkedHead + chunk("part")],
      ["ended by the connection", `${untilCloseHead}part`],
    ])("shows a client of HTTP/1.0 that a body was cut, where it is %s", async (_, start) => {
      // For this client the end of the connection is the end of the body: only a reset can say that more was due.
      const { response } = await cutResponse(start, ({ connection }) => connection.reset(), "1.0");
      expect(response.ending).toBe("truncated");
    });
  });
}
