// How exchanges end when they do not end well: a cell that resets, a client that leaves. The two rules behind every case: a
// cut answer never looks whole, and whoever leaves is felt on the other side.

import { describe, expect, test } from "vitest";
import { eventually, within } from "../../testkit/eventually.ts";
import { chunk, responseBytes } from "../messages.ts";
import type { Exchange, Script } from "../scenes.ts";
import type { Contract } from "./contract.ts";
import { expectProblem } from "./problem.ts";

export function describeEndings(contract: Contract): void {
  describe("a cell that fails before its answer", () => {
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
        "resets after an interim answer",
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

  describe("a cell that fails in the middle of its answer", () => {
    const lengthHead = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    const chunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const untilCloseHead = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";

    /** Sends the start of an answer, waits until the client has it, then fails. */
    const cutAnswer = async (start: string, fail: (exchange: Exchange) => unknown, version = "1.1") => {
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
    ])("shows the client that the answer was cut when %s", async (_, start, fail) => {
      const { response, text, scene } = await cutAnswer(start, fail);
      expect([response.status, response.ending]).toEqual([200, "truncated"]);
      expect(text).toBe("part");
      expect(scene.seen).toHaveLength(1);
    });

    test.each<[string, string]>([
      ["chunked", chunkedHead + chunk("part")],
      ["ended by the connection", `${untilCloseHead}part`],
    ])("shows a client of HTTP/1.0 that a body was cut, where it is %s", async (_, start) => {
      // For this client the end of the connection is the end of the body: only a reset can say that more was due.
      const { response } = await cutAnswer(start, ({ connection }) => connection.reset(), "1.0");
      expect(response.ending).toBe("truncated");
    });
  });

  describe("a client that leaves", () => {
    /** A cell that never answers, and says when the request has come and when the router has dropped it. */
    const silentScene = (start?: string) => {
      let came = () => {};
      let dropped = () => {};
      const arrived = new Promise<void>((resolve) => {
        came = resolve;
      });
      const left = new Promise<void>((resolve) => {
        dropped = resolve;
      });
      const scene = contract.scene(async (exchange) => {
        if (start !== undefined) await exchange.write(start);
        came();
        await exchange.readBody();
        await exchange.connection.untilClosed();
        dropped();
      });
      return { scene, arrived, left };
    };
    const leavings = [
      ["resets", "reset"],
      ["closes", "close"],
    ] as const;

    test.each(leavings)(
      "is felt by the cell when it %s before the answer, and nothing is tried again",
      async (_, how) => {
        const { scene, arrived, left } = silentScene();
        using _scene = scene;
        const client = await contract.connect();
        await client.write(scene.request());
        await within(arrived, 5000, "the request reaches the cell");
        await client[how]();
        await within(left, 5000, "the router drops its connection to the cell");
        await contract.settle();
        expect(scene.seen).toHaveLength(1);
      },
    );

    test.each(leavings)("is felt by the cell when it %s in the middle of the answer", async (_, how) => {
      const { scene, left } = silentScene(
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk("part")}`,
      );
      using _scene = scene;
      const client = await contract.connect();
      await client.write(scene.request());
      await client.readHead();
      await client[how]();
      await within(left, 5000, "the router drops its connection to the cell");
      expect(scene.seen).toHaveLength(1);
    });

    test.each([
      ["a length", ["Content-Length: 1000"], "part"],
      ["chunks", ["Transfer-Encoding: chunked"], chunk("part")],
    ])("never leaves the cell with half a body that looks whole, framed by %s", async (_, fields, body) => {
      const { scene, arrived, left } = silentScene();
      using _scene = scene;
      const client = await contract.connect();
      await client.write(scene.request({ method: "POST", fields, body }));
      await within(arrived, 5000, "the head reaches the cell");
      client.reset();
      await within(left, 5000, "the router drops its connection to the cell");
      expect(scene.onlySeen.message?.ending).toBe("truncated");
    });

    test("still gets its answer when it has only ended its sending side, or loses it cleanly", async () => {
      // RFC 9112 §9.6 leaves it to the server. Node's own server takes a half-closed client as one that waits.
      using scene = contract.scene();
      await using client = await contract.connect();
      await client.write(scene.request());
      client.halfClose();
      const bytes = await client.reader.toEnd();
      await contract.settle();
      if (bytes.length > 0) expect(bytes.toString("latin1")).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\nok$/);
    });
  });

  describe("an answer before the request has ended", () => {
    test("reaches a client that still sends, and neither side is left waiting", async () => {
      const answer = responseBytes("413 Content Too Large", ["Connection: close"], "too much");
      using scene = contract.scene(async (exchange) => {
        await exchange.write(answer);
        exchange.connection.halfClose();
        await exchange.connection.untilClosed();
      });
      await using client = await contract.connect();
      await client.write(
        scene.request({ method: "POST", fields: ["Content-Length: 1000000"], body: "start" }),
      );
      const response = await client.readResponse({ method: "POST" });
      expect([response.status, response.text()]).toEqual([413, "too much"]);
      client.halfClose();
      await client.untilClosed();
    });

    test("reaches a client that waits with the rest of its body, on a connection that stays", async () => {
      // The cell answers first and keeps the connection: both bodies are under way at once.
      using scene = contract.scene(async (exchange) => {
        await exchange.write(responseBytes("200 OK", [], "early"));
        await exchange.readBody();
      });
      await using client = await contract.connect();
      await client.write(scene.request({ method: "POST", fields: ["Content-Length: 10"], body: "first" }));
      expect((await client.readResponse({ method: "POST" })).text()).toBe("early");
      client.writeNow("later");
      using next = contract.scene();
      client.writeNow(next.request());
      // Kept, and served, or closed after the answer: what must not come is a wrong answer.
      const rest = await client.readHead().then(
        (head) => head.status,
        () => client.reader.end,
      );
      expect([200, "closed", "reset"]).toContain(rest);
      await contract.settle();
    });
  });
}
