// Requests that two parsers could frame differently. Behind every case is the same attack: the router and the cell disagree on
// where a request ends, and what follows becomes a request that the router never checked, often in another tenant's
// name. So each case asserts on what the cell saw.

import { describe, expect, test } from "vitest";
import type { RawResponse } from "../../testkit/http-message.ts";
import type { Contract } from "./contract.ts";
import { expectNothingThrough } from "./nothing-through.ts";
import { type Attack, bodyAttacks, headAttacks } from "./smuggling-attacks.ts";

export function describeRequestFraming(contract: Contract): void {
  /** Sends bytes and reads every response until the router closes the connection, or says nothing more for 2 s. */
  const responsesTo = async (bytes: string): Promise<RawResponse[]> => {
    await using client = await contract.connect();
    // A router that refuses need not read all of it.
    await client.write(bytes).catch(() => {});
    const responses: RawResponse[] = [];
    for (;;) {
      // Waits only where nothing has arrived yet, so a response under way is never given up.
      if (client.reader.buffered === 0 && !(await client.reader.more(2000))) return responses;
      responses.push(await client.readResponse());
    }
  };

  const refuses = ({ title, why, bytes, grade = "core" }: Attack) =>
    test(`refuses ${title}`, { meta: { grade } }, async () => {
      using scene = contract.scene();
      const responses = await responsesTo(bytes(scene));
      await expectNothingThrough(contract, scene);
      // One refusal: whatever follows an unclear request is unclear too. A cut without a word is safe.
      expect(
        responses.map((response) => response.status).filter((status) => status < 400 || status > 505),
        why,
      ).toEqual([]);
      expect(responses.length, why).toBeLessThanOrEqual(1);
    });

  describe("requests with an unclear head", () => {
    for (const attack of headAttacks) refuses(attack);
  });

  describe("requests with an unclear body", () => {
    for (const attack of bodyAttacks) refuses(attack);
  });

  describe("bodies that nobody wants", () => {
    test.each([
      ["a length", (inner: string) => ({ fields: [], body: inner })],
      [
        "chunks",
        (inner: string) => ({
          fields: ["Transfer-Encoding: chunked"],
          body: `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`,
        }),
      ],
    ])("never reads a request out of the body, framed by %s, of one that it refused", async (_, framed) => {
      // The router answers 400 early. If it then kept the connection without reading past the body, the body would be
      // the next request.
      using scene = contract.scene();
      const inner = scene.request({ target: scene.path("/smuggled"), key: "visa" });
      const refused = scene.request({ method: "POST", key: null, ...framed(inner) });
      const after = scene.request({ target: scene.path("/after"), fields: ["Connection: close"] });
      const responses = await responsesTo(refused + after);
      await contract.settle();
      expect(scene.pathsSeen.filter((path) => path !== "/after")).toEqual([]);
      expect(responses[0]?.status).toBe(400);
      expect(responses.slice(1).map((response) => response.status)).toEqual(
        responses.length > 1 ? [200] : [],
      );
    });

    test("never lets the cell read a request out of a body that the cell did not wait for", async () => {
      // The cell answers before it has read the body. Were the connection pooled then, the rest of the body would be
      // the start of somebody else's request.
      using early = contract.scene(async (exchange) => {
        await exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly");
      });
      using later = contract.scene();
      await using client = await contract.connect();
      const fields = ["Content-Length: 100"];
      await client.write(early.request({ method: "POST", fields, body: "first part" }));
      expect((await client.readResponse({ method: "POST" })).text()).toBe("early");
      const other = await contract.send(later.request());
      expect(other.text()).toBe("ok");
      client.writeNow(
        early
          .request({ target: early.path("/smuggled") })
          .padEnd(90, "x")
          .slice(0, 90),
      );
      expect((await contract.send(later.request())).text()).toBe("ok");
      expect(later.seen).toHaveLength(2);
      expect(early.pathsSeen).toEqual([""]);
    });
  });
}
