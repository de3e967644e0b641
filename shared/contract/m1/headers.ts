// Which fields pass, which stop here, and which the router writes itself, towards the cell.

import { describe, expect, test } from "vitest";
import type { Contract } from "./contract.ts";
import { expectProblem } from "./problem.ts";

export function describeRequestHeaders(contract: Contract): void {
  /** Sends one request with these fields and returns what the cell saw. */
  const seenWith = async (fields: readonly string[], parts: { version?: string } = {}) => {
    using scene = contract.scene();
    const response = await contract.send(scene.request({ fields, ...parts }));
    expect(response.status).toBe(200);
    return { headers: scene.onlySeen.headers, response };
  };

  describe("fields added for the cell", () => {
    test("says who asked, how, and for which host", async () => {
      const { headers } = await seenWith(["Host: shop.test:8443"]);
      expect(headers.one("x-forwarded-for")).toBe("127.0.0.1");
      expect(headers.one("x-forwarded-proto")).toBe("http");
      expect(headers.one("x-forwarded-host")).toBe("shop.test:8443");
      expect(headers.all("host")).toHaveLength(1);
    });

    test("appends to X-Forwarded-For, also where it came in several fields", async () => {
      const { headers } = await seenWith([
        "X-Forwarded-For: 192.0.2.1, 192.0.2.2",
        "x-forwarded-for: 192.0.2.3",
      ]);
      const hops = headers.all("x-forwarded-for").join(", ").split(/,\s*/);
      expect(hops).toEqual(["192.0.2.1", "192.0.2.2", "192.0.2.3", "127.0.0.1"]);
    });

    test("writes X-Forwarded-Proto and -Host anew: a client must not choose them", async () => {
      const { headers } = await seenWith(["X-Forwarded-Proto: https", "X-Forwarded-Host: forged.test"]);
      expect(headers.all("x-forwarded-proto")).toEqual(["http"]);
      expect(headers.all("x-forwarded-host")).toEqual(["cells.test"]);
    });

    test("appends itself to Via, with the version that the client spoke", async () => {
      const { headers } = await seenWith(["Via: 1.1 first-proxy"]);
      expect(headers.all("via").join(", ")).toMatch(/^1\.1 first-proxy, 1\.1 \S+/);
      const old = await seenWith([], { version: "1.0" });
      expect(old.headers.one("via")).toMatch(/^1\.0 \S+/);
    });

    test.each([
      ["of one letter", "a"],
      ["with every sign that is allowed", "A-Z.a_z-09"],
      ["of 128 letters", "x".repeat(128)],
    ])("keeps a request id %s and answers with it", async (_, id) => {
      const { headers, response } = await seenWith([`X-Request-Id: ${id}`]);
      expect(headers.one("x-request-id")).toBe(id);
      expect(response.headers.one("x-request-id")).toBe(id);
    });

    test.each([
      ["none", []],
      ["an empty one", ["X-Request-Id:"]],
      ["one that would forge a log line", ['X-Request-Id: x" status="200']],
      ["one that is too long", [`X-Request-Id: ${"x".repeat(129)}`]],
      ["two different ones", ["X-Request-Id: first", "X-Request-Id: second"]],
      ["one that is not ASCII", ["X-Request-Id: \xe9"]],
    ])("makes a request id when the client sends %s", async (_, fields) => {
      const { headers, response } = await seenWith(fields);
      const id = headers.one("x-request-id");
      expect(id).toMatch(/^[A-Za-z0-9._-]{8,128}$/);
      expect(response.headers.one("x-request-id")).toBe(id);
    });

    test("makes a different request id each time", async () => {
      const ids = new Set<string | undefined>();
      for (let n = 0; n < 20; n++) ids.add((await seenWith([])).headers.one("x-request-id"));
      expect(ids.size).toBe(20);
    });
  });

  describe("fields that stop at the router", () => {
    test("strips the fields of this one connection", async () => {
      const { headers } = await seenWith([
        "Connection: keep-alive",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "TE: trailers",
        "Upgrade: something",
      ]);
      for (const name of ["keep-alive", "proxy-connection", "upgrade"])
        expect(headers.has(name), name).toBe(false);
      // RFC 9110 §10.1.4: a proxy may say of itself that it takes trailers.
      expect(headers.all("te").filter((value) => value.toLowerCase() !== "trailers")).toEqual([]);
    });

    test("strips every field that Connection names, in any case, spacing and number of fields", async () => {
      const { headers } = await seenWith([
        "X-One: 1",
        "Connection: X-One ,, x-TWO\t",
        "X-Two: 2",
        "X-Stays: yes",
        "connection: close, X-Three",
        "X-Three: 3",
      ]);
      for (const name of ["x-one", "x-two", "x-three"]) expect(headers.has(name), name).toBe(false);
      expect(headers.one("x-stays")).toBe("yes");
    });

    test("keeps the routing key's effect although Connection names it", async () => {
      // Otherwise any client could leave its tenant for the default placement, or hide its tenant from the cell.
      using scene = contract.scene();
      const response = await contract.send(
        scene.request({ key: "visa", fields: ["Connection: X-Routing-Key, keep-alive"] }),
      );
      expect(response.headers.one("x-routed-to")).toBe("visa");
      expect(scene.onlySeen.placement).toBe("visa");
    });

    test("keeps what it adds although Connection names it", async () => {
      const names = "X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, X-Request-Id, Via, Host";
      const { headers, response } = await seenWith([`Connection: ${names}`]);
      for (const name of names.split(", ")) expect(headers.all(name), name).toHaveLength(1);
      expect(response.headers.one("x-request-id")).toBe(headers.one("x-request-id"));
    });

    test.each(["Content-Length", "Transfer-Encoding"])(
      "never loses the framing of a body because Connection names %s",
      async (name) => {
        // A body without framing would be read by the cell as the next request. A refusal is as good.
        using scene = contract.scene();
        const chunked = name === "Transfer-Encoding";
        const inner = `GET ${scene.path("/smuggled")} HTTP/1.1\r\nHost: a\r\n\r\n`;
        const fields = [
          `Connection: ${name}`,
          chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${inner.length}`,
        ];
        const body = chunked ? `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n` : inner;
        const response = await contract.send(scene.request({ method: "POST", fields, body }));
        if (response.status !== 200) return expectProblem(response, 400);
        expect(scene.onlySeen.message?.body.toString()).toBe(inner);
      },
    );

    test("does not let a client say where it was routed", async () => {
      const { headers, response } = await seenWith(["X-Routed-To: forged", "X-Route-Reason: forged"]);
      expect(response.headers.all("x-routed-to")).toEqual(["tier1"]);
      expect(response.headers.all("x-route-reason")).toEqual(["tier"]);
      expect(headers.all("x-routed-to").concat(headers.all("x-route-reason"))).not.toContain("forged");
    });
  });

  describe("fields that pass to the cell", () => {
    test.each([
      ["__proto__ and constructor as names", ["__proto__: p", "constructor: c", "toString: t"]],
      ["Latin-1 bytes", ["X-Latin: caf\xe9 \xff\x80"]],
      ["UTF-8 bytes", [`X-Utf: ${Buffer.from("東京").toString("latin1")}`]],
      ["an empty value", ["X-Empty:"]],
      ["space and tab inside a value", ["X-Space: a  b\tc"]],
      ["a long value", [`X-Long: ${"v".repeat(4000)}`]],
      ["credentials", ["Authorization: Basic eDp5", "Cookie: a=1; b=2"]],
      ["every character that a name may have", ["!#$%&'*+-.^_`|~09Az: odd"]],
    ])("%s", async (_, fields) => {
      const { headers } = await seenWith(fields);
      for (const field of fields) {
        const colon = field.indexOf(":");
        expect(headers.all(field.slice(0, colon))).toEqual([field.slice(colon + 1).trim()]);
      }
    });

    test("repeated fields, apart or joined, in their order", async () => {
      const { headers } = await seenWith(["X-Many: 1", "Accept: */*", "x-many: 2", "X-Many: 3"]);
      expect(headers.all("x-many").join(", ")).toBe("1, 2, 3");
    });
  });

  describe("the Host field", () => {
    test.each([
      ["missing in HTTP/1.1", (path: string) => `GET ${path} HTTP/1.1\r\nX-Routing-Key: visa\r\n\r\n`],
      [
        "there twice",
        (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\nHost: b\r\nX-Routing-Key: visa\r\n\r\n`,
      ],
      [
        "there twice with one value",
        (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Routing-Key: visa\r\nhost: a\r\n\r\n`,
      ],
      [
        "two hosts in one",
        (path: string) => `GET ${path} HTTP/1.1\r\nHost: a, b\r\nX-Routing-Key: visa\r\n\r\n`,
      ],
      ["not a host", (path: string) => `GET ${path} HTTP/1.1\r\nHost: a/b\r\nX-Routing-Key: visa\r\n\r\n`],
      [
        "with user information",
        (path: string) => `GET ${path} HTTP/1.1\r\nHost: u@a\r\nX-Routing-Key: visa\r\n\r\n`,
      ],
    ])("answers 400 when it is %s, and asks no cell", async (_, bytes) => {
      // RFC 9112 §3.2. Two hosts let a cache and a cell disagree on whose page it is.
      using scene = contract.scene();
      expectProblem(await contract.send(bytes(scene.path())), 400);
      expect(scene.seen).toEqual([]);
    });

    test("may be missing in HTTP/1.0, and the cell still sees exactly one", async () => {
      using scene = contract.scene();
      const response = await contract.send(`GET ${scene.path()} HTTP/1.0\r\nX-Routing-Key: visa\r\n\r\n`);
      expect(response.status).toBe(200);
      expect(scene.onlySeen.headers.all("host")).toHaveLength(1);
    });
  });
}
