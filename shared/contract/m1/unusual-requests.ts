// Requests that are unusual and clear: there is one right reading, and a router may have it or refuse the request. Unclear ones
// are in `framing-requests.ts`.

import { describe, expect, test } from "vitest";
import type { Contract } from "./contract.ts";
import { expectNothingThrough } from "./nothing-through.ts";

export function describeUnusualRequests(contract: Contract): void {
  describe("requests that are unusual and clear", () => {
    test.each([
      ["two spaces after the method", (path: string) => `GET  ${path} HTTP/1.1`],
      ["a space at the end of the request line", (path: string) => `GET ${path} HTTP/1.1 `],
      ["an empty line in front", (path: string) => `\r\nGET ${path} HTTP/1.1`],
    ])("takes a request line with %s as one with single spaces, or refuses it", async (_, line) => {
      // RFC 9112 §3 lets a reader split the line at any run of space, as long as the next hop gets it clean.
      using scene = contract.scene();
      const response = await contract.send(`${line(scene.path())}\r\nHost: a\r\nX-Routing-Key: acme\r\n\r\n`);
      if (response.status !== 200) return await expectNothingThrough(contract, scene);
      expect(scene.onlySeen.target).toBe(scene.path());
    });

    test("joins a folded field with spaces, or refuses it", async () => {
      // RFC 9112 §5.2: obs-fold. The cell must see one line, never the fold.
      using scene = contract.scene();
      const response = await contract.send(
        scene.request({ fields: ["X-Folded: one\r\n two", "X-After: 1"] }),
      );
      if (response.status !== 200) return await expectNothingThrough(contract, scene);
      expect(scene.onlySeen.headers.one("x-folded")).toMatch(/^one +two$/);
    });

    test("never loses a coding that is folded", async () => {
      // One reader sees a body in chunks, another an empty coding and a second request.
      using scene = contract.scene();
      const inner = scene.request({ target: scene.path("/smuggled"), key: "visa" });
      const fields = ["Transfer-Encoding:\r\n chunked"];
      const body = `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`;
      const response = await contract.send(scene.request({ method: "POST", fields, body }));
      if (response.status !== 200) return await expectNothingThrough(contract, scene);
      expect(scene.onlySeen.message?.body.toString()).toBe(inner);
    });

    test.each([
      ["Transfer-Encoding: Chunked", "in other letters"],
      ["Transfer-Encoding:\tchunked", "after a tab"],
      ["Transfer-Encoding: chunked\t", "before a tab"],
      ["Transfer-Encoding:  chunked \t", "with space around it"],
    ])("frames a body by %j, or refuses it", async (field) => {
      // RFC 9110 §5.5: space around a value is not part of it. Reading it as no coding at all would smuggle the body.
      using scene = contract.scene();
      const smuggled = `GET ${scene.path("/smuggled")} HTTP/1.1\r\nHost: a\r\nX-Routing-Key: visa\r\n\r\n`;
      const body = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
      const response = await contract.send(scene.request({ method: "POST", fields: [field], body }));
      if (response.status === 200) expect(scene.onlySeen.message?.body.toString()).toBe(smuggled);
      else await expectNothingThrough(contract, scene);
    });

    test.each([
      ["one length twice", ["Content-Length: 5", "Content-Length: 5"]],
      ["one length as a list", ["Content-Length: 5, 5"]],
      ["a length with zeros in front", ["Content-Length: 005"]],
    ])("frames a body by %s, or refuses it", async (_, fields) => {
      // RFC 9112 §6.3: equal values may be taken as one. The cell must then see one.
      using scene = contract.scene();
      const response = await contract.send(scene.request({ method: "POST", fields, body: "hello" }));
      if (response.status !== 200) return await expectNothingThrough(contract, scene);
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
      if (response.status !== 200) return await expectNothingThrough(contract, scene);
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
      if (response.status !== 200) return await expectNothingThrough(contract, scene);
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
}
