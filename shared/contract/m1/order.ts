// One connection is served in order: pipelined requests never overtake, and an ignored `Upgrade` changes nothing about what
// follows. What one client sends behind its own request must stay what it is: a body must not become a request.

import { describe, expect, test } from "vitest";
import type { UpstreamConnection } from "../../testkit/hostile-upstream.ts";
import type { RawClient } from "../../testkit/raw-client.ts";
import { chunk, responseBytes } from "../messages.ts";
import type { Exchange, Scene } from "../scenes.ts";
import type { Contract } from "./contract.ts";
import { expectProblem } from "./problem.ts";

const upgradeFields = ["Connection: Upgrade", "Upgrade: websocket"];

export function describeOrder(contract: Contract): void {
  describe("order on a connection", () => {
    test.each([
      ["an unsafe request", "POST", "order"],
      ["a safe request", "GET", undefined],
    ])("begins %s only when the one before has its response", async (_, method, body) => {
      // RFC 9112 §9.3.2: a client must not see the second take effect before the first.
      const gate = Promise.withResolvers<void>();
      using scene = contract.scene(async (exchange) => {
        await exchange.readBody();
        if (exchange.seen.target.endsWith("/first")) await gate.promise;
        await exchange.write(responseBytes("200 OK", [], exchange.seen.target));
      });
      await using client = await contract.connect();
      const first = scene.request({ key: "visa", target: scene.path("/first") });
      const second = scene.request({ method, target: scene.path("/second"), ...(body && { body }) });
      await client.write(first + second);
      await contract.settle();
      const begun = scene.pathsSeen;
      gate.resolve();
      expect((await client.readResponse()).text()).toBe(scene.path("/first"));
      expect((await client.readResponse()).text()).toBe(scene.path("/second"));
      expect(begun).toEqual(["/first"]);
    });

    test("serves 300 pipelined requests over a handful of connections to the cell", async () => {
      using scene = contract.scene();
      await using client = await contract.connect();
      const requests = Array.from({ length: 300 }, (_, n) => scene.request({ target: scene.path(`/${n}`) }));
      await client.write(requests.join(""));
      for (const n of requests.keys())
        expect((await client.readResponse()).status, `response ${n}`).toBe(200);
      expect(scene.pathsSeen).toEqual(requests.map((_, n) => `/${n}`));
      const used = new Set<UpstreamConnection>(scene.seen.map((seen) => seen.connection));
      expect(used.size).toBeLessThanOrEqual(5);
    });

    test.each([
      ["that no cell could take", "visa", undefined],
      [
        "that the cell did not wait for",
        "acme",
        async (exchange: Exchange) => {
          await exchange.write(responseBytes("413 Content Too Large", ["Connection: close"]));
          await exchange.connection.close();
        },
      ],
    ] as const)("serves what follows an upload %s", async (_, key, script) => {
      // The rest of the upload is still on its way. It must neither become a request nor keep one from being read.
      using scene = contract.scene(script);
      using next = contract.scene();
      if (key === "visa") await contract.endpoints.down("visa");
      try {
        await using client = await contract.connect();
        const body = next.request({ key: "globex", target: next.path("/forged") }).repeat(5000);
        const sending = client.write(scene.request({ key, method: "POST", body })).catch(() => {});
        const refusal = await client.readResponse({ method: "POST" });
        expect(refusal.status).toBeGreaterThan(400);
        if (refusal.headers.all("connection").join().includes("close")) return;
        await sending;
        expect((await client.request(next.request({ target: next.path("/next") }))).status).toBe(200);
        expect(next.pathsSeen).toEqual(["/next"]);
      } finally {
        if (key === "visa") await contract.endpoints.up("visa");
      }
    });

    test("never begins a request whose client left while it waited for its turn", async () => {
      const gate = Promise.withResolvers<void>();
      using scene = contract.scene(async (exchange) => {
        await exchange.readBody();
        await Promise.race([gate.promise, exchange.connection.untilClosed()]);
        await exchange.write(responseBytes("200 OK", [], "late"));
      });
      const client = await contract.connect();
      await client.write(
        scene.request({ target: scene.path("/first") }) + scene.request({ target: scene.path("/second") }),
      );
      await contract.settle();
      client.reset();
      await contract.settle();
      gate.resolve();
      await contract.settle();
      expect(scene.pathsSeen).toEqual(["/first"]);
    });

    describe.each([
      ["a request for another protocol", (scene: Scene) => scene.request(upgrade(scene))],
      [
        "one with a body",
        (scene: Scene) => scene.request({ ...upgrade(scene), method: "POST", body: "hello" }),
      ],
      [
        "one with a chunked body",
        (scene: Scene) =>
          scene.request({
            ...upgrade(scene, "Transfer-Encoding: chunked"),
            method: "POST",
            body: `${chunk("hello")}${chunk("")}`,
          }),
      ],
      [
        "one for h2c",
        (scene: Scene) =>
          scene.request({
            target: scene.path("/upgrade"),
            fields: [
              "Connection: Upgrade, HTTP2-Settings",
              "Upgrade: h2c",
              "HTTP2-Settings: AAMAAABkAAQAAP__",
            ],
          }),
      ],
    ])("behind %s", (_, upgradeRequest) => {
      // RFC 9110 §7.8: the request is served as if nothing had been asked; the connection goes on as it was.
      test.each([
        ["in one piece", (bytes: string) => [bytes]],
        ["head and body apart", (bytes: string) => cutAt(bytes, bytes.lastIndexOf("GET /"))],
        ["cut in its head", (bytes: string) => cutAt(bytes, bytes.lastIndexOf("Content-Length"))],
        ["byte by byte", (bytes: string) => [...bytes]],
      ])("serves the next request whole, %s", async (_, pieces) => {
        using scene = contract.scene(async (exchange) => {
          await exchange.readBody();
          await exchange.write(responseBytes("200 OK", [], exchange.seen.target));
        });
        const forged = `GET ${scene.path("/forged")} HTTP/1.1\r\nHost: a\r\nX-Routing-Key: visa\r\n\r\n`;
        const next = scene.request({ method: "POST", target: scene.path("/next"), body: forged });
        const last = scene.request({ target: scene.path("/last") });
        await using client = await contract.connect();
        await writeApart(client, pieces(upgradeRequest(scene) + next));
        await expectInOrder(client, scene, ["/upgrade", "/next"]);
        await client.write(last);
        await expectInOrder(client, scene, ["/last"]);
        expect(scene.pathsSeen).toEqual(["/upgrade", "/next", "/last"]);
        expect(scene.seen[1]?.message?.body.toString()).toBe(forged);
      });

      test.each([
        ["in one piece", (bytes: string) => [bytes]],
        ["byte by byte", (bytes: string) => [...bytes]],
      ])("refuses what is no request, %s", async (_, pieces) => {
        using scene = contract.scene(async (exchange) => {
          await exchange.readBody();
          await exchange.write(responseBytes("200 OK", [], exchange.seen.target));
        });
        await using client = await contract.connect();
        await writeApart(client, pieces(`${upgradeRequest(scene)}G(T / HTTP/1.1\r\nHost: a\r\n\r\n`));
        await expectInOrder(client, scene, ["/upgrade"]);
        expectProblem(await client.readResponse(), 400);
        expect(await client.untilClosed()).toBe("closed");
        expect(scene.pathsSeen).toEqual(["/upgrade"]);
      });
    });
  });
}

function upgrade(scene: Scene, ...fields: string[]) {
  return { target: scene.path("/upgrade"), fields: [...upgradeFields, ...fields] };
}

function cutAt(bytes: string, at: number): string[] {
  return [bytes.slice(0, at), bytes.slice(at)];
}

/** Each piece in a packet of its own, as far as a sender can say. */
async function writeApart(client: RawClient, pieces: readonly string[]): Promise<void> {
  for (const piece of pieces) {
    await client.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function expectInOrder(client: RawClient, scene: Scene, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const response = await client.readResponse();
    expect([response.status, response.text()]).toEqual([200, scene.path(path)]);
  }
}
