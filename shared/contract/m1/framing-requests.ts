// Requests that two parsers could frame differently. Behind every case is the same attack: the router and the cell disagree on
// where a request ends, and what follows becomes a request that the router never checked, often in another tenant's
// name. So each case asserts on what the cell saw.

import { describe, expect, test } from "vitest";
import type { RawResponse } from "../../testkit/http-message.ts";
import type { Scene } from "../scenes.ts";
import type { Contract } from "./contract.ts";
import { type Attack, bodyAttacks, headAttacks } from "./smuggling-attacks.ts";

export function describeRequestFraming(contract: Contract): void {
  /** Sends bytes and reads every answer until the router closes the connection, or says nothing more for 2 s. */
  const answersTo = async (bytes: string): Promise<RawResponse[]> => {
    await using client = await contract.connect();
    await client.write(bytes);
    const answers: RawResponse[] = [];
    for (;;) {
      // Waits only where nothing has arrived yet, so an answer under way is never given up.
      if (client.reader.buffered === 0 && !(await client.reader.more(2000))) return answers;
      answers.push(await client.readResponse());
    }
  };

  /** Nothing behind the attack was taken for a request, and no cell took the attack for a whole one. */
  const expectNothingThrough = async (scene: Scene) => {
    await contract.settle();
    expect(scene.pathsSeen.filter((path) => path.includes("smuggled"))).toEqual([]);
    const whole = scene.seen.filter((seen) => seen.message?.ending === "complete");
    expect(
      whole.map((seen) => `${seen.method} ${seen.target} with ${seen.message?.bodyBytes} bytes`),
    ).toEqual([]);
  };

  const refuses = ({ title, why, bytes }: Attack) =>
    test(`refuses ${title}`, async () => {
      using scene = contract.scene();
      const answers = await answersTo(bytes(scene));
      await expectNothingThrough(scene);
      // One refusal: whatever follows an unclear request is unclear too. A cut without a word is safe.
      expect(
        answers.map((answer) => answer.status).filter((status) => status < 400 || status > 505),
        why,
      ).toEqual([]);
      expect(answers.length, why).toBeLessThanOrEqual(1);
    });

  describe("requests with an unclear head", () => {
    for (const attack of headAttacks) refuses(attack);
  });

  describe("requests with an unclear body", () => {
    for (const attack of bodyAttacks) refuses(attack);
  });

  describe("requests that are unusual and clear", () => {
    test.each([
      ["two spaces after the method", (path: string) => `GET  ${path} HTTP/1.1`],
      ["a space at the end of the request line", (path: string) => `GET ${path} HTTP/1.1 `],
      ["an empty line in front", (path: string) => `\r\nGET ${path} HTTP/1.1`],
    ])("takes a request line with %s as one with single spaces, or refuses it", async (_, line) => {
      // RFC 9112 §3 lets a reader split the line at any run of space, as long as the next hop gets it clean.
      using scene = contract.scene();
      const response = await contract.send(`${line(scene.path())}\r\nHost: a\r\nX-Routing-Key: acme\r\n\r\n`);
      if (response.status !== 200) return await expectNothingThrough(scene);
      expect(scene.onlySeen.target).toBe(scene.path());
    });

    test("joins a folded field with spaces, or refuses it", async () => {
      // RFC 9112 §5.2: obs-fold. The cell must see one line, never the fold.
      using scene = contract.scene();
      const response = await contract.send(
        scene.request({ fields: ["X-Folded: one\r\n two", "X-After: 1"] }),
      );
      if (response.status !== 200) return await expectNothingThrough(scene);
      expect(scene.onlySeen.headers.one("x-folded")).toMatch(/^one +two$/);
    });

    test("never loses a coding that is folded", async () => {
      // One reader sees a body in chunks, another an empty coding and a second request.
      using scene = contract.scene();
      const inner = scene.request({ target: scene.path("/smuggled"), key: "visa" });
      const fields = ["Transfer-Encoding:\r\n chunked"];
      const body = `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`;
      const response = await contract.send(scene.request({ method: "POST", fields, body }));
      if (response.status !== 200) return await expectNothingThrough(scene);
      expect(scene.onlySeen.message?.body.toString()).toBe(inner);
    });

    test.each([
      ["Transfer-Encoding: Chunked", "in other letters"],
      ["Transfer-Encoding:\tchunked", "after a tab"],
      ["Transfer-Encoding:  chunked \t", "with space around it"],
    ])("frames a body by %j, or refuses it", async (field) => {
      // RFC 9110 §5.5: space around a value is not part of it. Reading it as no coding at all would smuggle the body.
      using scene = contract.scene();
      const smuggled = `GET ${scene.path("/smuggled")} HTTP/1.1\r\nHost: a\r\nX-Routing-Key: visa\r\n\r\n`;
      const body = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
      const response = await contract.send(scene.request({ method: "POST", fields: [field], body }));
      if (response.status === 200) expect(scene.onlySeen.message?.body.toString()).toBe(smuggled);
      else await expectNothingThrough(scene);
    });

    test.each([
      ["one length twice", ["Content-Length: 5", "Content-Length: 5"]],
      ["one length as a list", ["Content-Length: 5, 5"]],
      ["a length with zeros in front", ["Content-Length: 005"]],
    ])("frames a body by %s, or refuses it", async (_, fields) => {
      // RFC 9112 §6.3: equal values may be taken as one. The cell must then see one.
      using scene = contract.scene();
      const response = await contract.send(scene.request({ method: "POST", fields, body: "hello" }));
      if (response.status !== 200) return await expectNothingThrough(scene);
      expect(scene.onlySeen.message?.body.toString()).toBe("hello");
    });

    test("treats a field that only looks like Transfer-Encoding as an ordinary one", async () => {
      using scene = contract.scene();
      const fields = ["Transfer_Encoding: chunked", "Content-Length: 5"];
      const response = await contract.send(scene.request({ method: "POST", fields, body: "0\r\n\r\n" }));
      expect(response.status).toBe(200);
      expect(scene.onlySeen.message?.body.toString()).toBe("0\r\n\r\n");
    });

    test.each([
      ["extensions", "5;name=value\r\nhello\r\n0;last\r\n\r\n"],
      ["an extension in quotes", '5;a="x;y"\r\nhello\r\n0\r\n\r\n'],
      ["zeros before its size", "0005\r\nhello\r\n000\r\n\r\n"],
      ["capital digits", "A\r\nhellohello\r\n0\r\n\r\n"],
    ])("takes a chunk with %s, or refuses it, and never passes the extension on", async (_, body) => {
      using scene = contract.scene();
      const fields = ["Transfer-Encoding: chunked"];
      const response = await contract.send(scene.request({ method: "POST", fields, body }));
      if (response.status !== 200) return await expectNothingThrough(scene);
      expect(scene.onlySeen.message?.body.toString()).toMatch(/^(hello){1,2}$/);
    });

    test("never takes a field from the trailers of a request for one of its head", async () => {
      // RFC 9110 §6.5.1: a trailer that is merged into the head would choose the key after the decision.
      using scene = contract.scene();
      const trailers =
        "X-Routing-Key: visa\r\nContent-Length: 3\r\nHost: forged\r\nX-Forwarded-For: 192.0.2.1\r\n";
      const request = scene.request({
        method: "POST",
        fields: ["Transfer-Encoding: chunked"],
        body: `5\r\nhello\r\n0\r\n${trailers}\r\n`,
      });
      const response = await contract.send(request);
      if (response.status !== 200) return await expectNothingThrough(scene);
      const { headers, message, placement } = scene.onlySeen;
      expect([placement, message?.body.toString()]).toEqual(["tier1", "hello"]);
      expect(headers.all("x-routing-key")).toEqual(["acme"]);
      expect(headers.all("host")).not.toContain("forged");
      expect(headers.one("x-forwarded-for")).toBe("127.0.0.1");
    });

    test.each([
      ["Content-Length: 0 and a body that looks like a request", "0"],
      ["no length and a body that looks like a request", undefined],
    ])("takes what follows %s for the next request, as it is", async (_, length) => {
      // Not an attack but pipelining: both sides agree that the first request has ended.
      using scene = contract.scene();
      await using client = await contract.connect();
      const fields = length === undefined ? [] : [`Content-Length: ${length}`];
      const next = scene.request({ target: scene.path("/next"), key: "visa" });
      await client.write(scene.request({ target: scene.path("/first"), fields }) + next);
      expect((await client.readResponse()).headers.one("x-routed-to")).toBe("tier1");
      expect((await client.readResponse()).headers.one("x-routed-to")).toBe("visa");
      expect(scene.pathsSeen.sort()).toEqual(["/first", "/next"]);
    });
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
      const answers = await answersTo(refused + after);
      await contract.settle();
      expect(scene.pathsSeen.filter((path) => path !== "/after")).toEqual([]);
      expect(answers[0]?.status).toBe(400);
      expect(answers.slice(1).map((answer) => answer.status)).toEqual(answers.length > 1 ? [200] : []);
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
