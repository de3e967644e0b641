// Exchanges in which one side is done before the other: a client that leaves, a cell that answers early. The other side
// notices that one has left, and half a body never looks whole to the cell.

import { describe, expect, test } from "vitest";
import { within } from "../../testkit/eventually.ts";
import type { RawClient } from "../../testkit/raw-client.ts";
import { chunk, responseBytes } from "../messages.ts";
import { respondOk } from "../scenes.ts";
import type { Contract } from "./contract.ts";

export function describeLeaving(contract: Contract): void {
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
      "has its request aborted when it %s before the response, and nothing is tried again",
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

    test.each(leavings)("has its request aborted when it %s in the middle of a response", async (_, how) => {
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

    test("still gets its response when it has only ended its sending side, or loses it cleanly", async () => {
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

  describe("a response before the request has ended", () => {
    test("reaches a client that still sends, and neither side is left waiting", async () => {
      const tooLarge = responseBytes("413 Content Too Large", ["Connection: close"], "too much");
      using scene = contract.scene(async (exchange) => {
        await exchange.write(tooLarge);
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
      // Kept, and served, or closed after the response: what must not come is a wrong response.
      const rest = await client.readHead().then(
        (head) => head.status,
        () => client.reader.end,
      );
      expect([200, "closed", "reset"]).toContain(rest);
      await contract.settle();
    });

    test.each<[string, (client: RawClient) => unknown]>([
      ["the client ends its side", (client) => client.halfClose()],
      ["the framing of its body breaks", (client) => client.write("zzz\r\n")],
    ])("is the only one for its request when %s after it", async (_, end) => {
      // One more could become the response to somebody else's request, where a proxy in front shares the connection.
      using scene = contract.scene(async (exchange) => {
        await exchange.write(responseBytes("413 Content Too Large", [], "too much"));
      });
      await using client = await contract.connect();
      const fields = ["Transfer-Encoding: chunked"];
      await client.write(scene.request({ method: "POST", fields, body: chunk("start") }));
      expect((await client.readResponse({ method: "POST" })).status).toBe(413);
      await end(client);
      expect((await client.reader.toEnd()).toString("latin1")).toBe("");
    });

    describe.each([
      ["keeps its connection", false],
      ["closes its connection", true],
    ])("from a cell that %s", (_, closes) => {
      test.each([
        ["a length", (inner: string) => [`Content-Length: ${inner.length + 10}`, "first part", inner]],
        [
          "chunks",
          (inner: string) => [
            "Transfer-Encoding: chunked",
            `${chunkHead(inner)}first part`,
            `${inner}\r\n0\r\n\r\n`,
          ],
        ],
      ] as const)("never makes a request of the rest of the upload, framed by %s", async (_, framed) => {
        // The response has gone out, and the connection looks idle: the next bytes on it are still the upload's.
        using scene = contract.scene(async (exchange) => {
          if (!exchange.seen.target.endsWith("/upload")) return respondOk(exchange);
          await exchange.write(responseBytes("200 OK", [], "early"));
          if (closes) await exchange.connection.close();
          return undefined;
        });
        const smuggled = scene.request({ target: scene.path("/smuggled"), key: "visa" });
        const [field = "", start = "", rest = ""] = framed(smuggled);
        await using client = await contract.connect();
        const upload = { method: "POST", target: scene.path("/upload"), fields: [field], body: start };
        await client.write(scene.request(upload));
        expect((await client.readResponse({ method: "POST" })).text()).toBe("early");
        // The router may have closed by now.
        await client.write(rest).catch(() => {});
        await contract.settle();
        expect(scene.pathsSeen.filter((path) => path !== "/upload")).toEqual([]);
        // A router may pass the rest on: then the cell has got all of it, as a body.
        for (const { message } of scene.seen)
          if (message?.ending === "complete") expect(message.bodyBytes).toBe(10 + smuggled.length);
      });
    });
  });
}

/** The size of a chunk that begins with ten other bytes. */
function chunkHead(rest: string): string {
  return `${(rest.length + 10).toString(16)}\r\n`;
}
