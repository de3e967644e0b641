// Many clients at once: every response must belong to its own request, whoever else comes, goes or fails meanwhile.

import { randomInt } from "node:crypto";
import { describe, expect, test } from "vitest";
import { chunk, responseBytes } from "../messages.ts";
import type { Script } from "../scenes.ts";
import type { Contract } from "./contract.ts";

const clients = 200;
const requestsEach = 10;
const placementOf = {
  visa: "visa",
  acme: "tier1",
  globex: "tier2",
  initech: "tier3",
  "nobody-knows": "tier3",
} as const;
const keys = Object.keys(placementOf) as (keyof typeof placementOf)[];

export function describeConcurrency(contract: Contract): void {
  /** Answers with the path and the body of the request, in one of two framings, after a few turns of the event loop. */
  const mirror: Script = async (exchange) => {
    const { body } = await exchange.readBody();
    for (let turns = randomInt(4); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
    const text = `${exchange.placement} ${exchange.seen.target} ${body.toString()}`;
    if (text.length % 2 === 0) await exchange.write(responseBytes("200 OK", [], text));
    else
      await exchange.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk(text)}${chunk("")}`);
  };

  describe("concurrency", () => {
    test(`gives ${clients} keep-alive clients the response to their own request, every time`, async () => {
      using scene = contract.scene(mirror);
      const wrong: string[] = [];
      const oneClient = async (n: number) => {
        await using client = await contract.connect({ deadlineMs: 30_000 });
        for (let m = 0; m < requestsEach; m++) {
          const key = keys[(n + m) % keys.length] as keyof typeof placementOf;
          const nonce = `${n}-${m}-${randomInt(1e9)}`;
          const target = scene.path(`/${nonce}`);
          const body = m % 3 === 0 ? nonce.repeat(1 + (n % 50)) : undefined;
          const parts = { key, target, ...(body === undefined ? {} : { method: "POST", body }) };
          const response = await client.request(scene.request(parts));
          const expected = `${placementOf[key]} ${target} ${body ?? ""}`;
          if (response.status !== 200 || response.text() !== expected) {
            wrong.push(
              `${response.status} ${response.text().slice(0, 80)} instead of ${expected.slice(0, 80)}`,
            );
          }
        }
      };
      await Promise.all(Array.from({ length: clients }, (_, n) => oneClient(n)));
      expect(wrong).toEqual([]);
      expect(scene.seen).toHaveLength(clients * requestsEach);
    });

    test("mixes up nothing while other clients leave and other cells fail", async () => {
      using scene = contract.scene(async (exchange) => {
        if (exchange.seen.target.endsWith("/reset")) return exchange.connection.reset();
        if (exchange.seen.target.endsWith("/cut")) {
          await exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\ncut");
          return exchange.connection.close();
        }
        return mirror(exchange);
      });
      const wrong: string[] = [];
      const troublemaker = async (n: number) => {
        await using client = await contract.connect();
        const end = n % 2 === 0 ? "/reset" : "/cut";
        await client.write(
          scene.request({ key: keys[n % keys.length] ?? null, target: scene.path(`/${n}${end}`) }),
        );
        if (n % 3 === 0) client.reset();
        else await client.readResponse();
      };
      const careful = async (n: number) => {
        await using client = await contract.connect();
        for (let m = 0; m < requestsEach; m++) {
          const key = keys[(n + m) % keys.length] as keyof typeof placementOf;
          const target = scene.path(`/c${n}-${m}`);
          const response = await client.request(scene.request({ key, target }));
          const expected = `${placementOf[key]} ${target} `;
          if (response.text() !== expected)
            wrong.push(`${response.status} ${response.text()} instead of ${expected}`);
        }
      };
      await Promise.all(Array.from({ length: 60 }, (_, n) => Promise.all([troublemaker(n), careful(n)])));
      expect(wrong).toEqual([]);
    });
  });
}
