// A client invents a routing key for each request, a million times. Whatever the router keeps for a key would show in
// its memory.

import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { peakResidentDuring, residentBytes } from "../../testkit/resident-memory.ts";
import { expectRefused, type ResilienceContract } from "./contract.ts";

const connections = 16;
/** Requests that a connection sends before it reads their responses. */
const pipelined = 64;
const mebibyte = 1_048_576;
const keys = 1_000_000;
const isQuick = process.env["QUICK_CONTRACT"] === "1";
/**
 * A bucket and its key would take more than 100 bytes: a million of them more than 100 MiB. The young generation of a heap
 * grows by a step of some 55 MiB, once, and at a moment of its own choice.
 */
const maxGrowthBytes = 80 * mebibyte;

const statusLine = Buffer.from("HTTP/1.1 ");
const refusedLine = Buffer.from("HTTP/1.1 429 ");

export function describeInventedKeys(contract: ResilienceContract): void {
  /** Sends `count` requests, and returns how many responses came and how many of them were refusals. */
  const flood = async (count: number, keyOf: (n: number) => string) => {
    let next = 0;
    const total = { responses: 0, refused: 0 };
    const { hostname, port } = new URL(contract.router.url);
    using sockets = new DisposableStack();
    const one = () =>
      new Promise<void>((resolve, reject) => {
        const socket = connect(Number(port), hostname);
        sockets.defer(() => void socket.destroy());
        let awaited = 0;
        let rest: Buffer = Buffer.alloc(0);
        const sendMore = () => {
          if (next >= count) return void socket.end(resolve);
          let batch = "";
          for (; awaited < pipelined && next < count; next++, awaited++)
            batch += `GET / HTTP/1.1\r\nHost: a\r\nX-Routing-Key: ${keyOf(next)}\r\n\r\n`;
          socket.write(batch);
        };
        socket.once("connect", sendMore);
        socket.once("error", reject);
        socket.once("close", () =>
          reject(new Error(`The router closed a connection; ${awaited} responses are due`)),
        );
        socket.on("data", (bytes: Buffer) => {
          const text = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
          const read = readStatuses(text);
          total.refused += read.refused;
          total.responses += read.responses;
          awaited -= read.responses;
          rest = Buffer.from(read.rest);
          if (awaited === 0) sendMore();
        });
      });
    await Promise.all(Array.from({ length: connections }, one));
    return total;
  };

  describe("a million invented keys", () => {
    // Half a minute of two cores: `npm test` leaves it to `npm run verify`.
    test.skipIf(isQuick)(
      "share one bucket, and the router's memory stays flat",
      async ({ skip }) => {
        const pids = contract.router.pids();
        if (pids.length === 0 || pids.some((pid) => residentBytes(pid) === null))
          return skip(
            "the router's resident memory cannot be read here: no process found at its port, or no /proc",
          );
        await contract.apply({}, { unlistedKeysLimit: { ratePerSecond: 1, burst: 1 } });
        // Requests of one key first: what traffic as such takes is not what is looked for. A fast router's heap grows to
        // its working size over the first few hundred thousand.
        const calm = await peakResidentDuring(
          pids,
          async () => void (await flood((keys * 2) / 5, () => "always-the-same")),
        );
        const startedAt = performance.now();
        let total = { responses: 0, refused: 0 };
        const wild = await peakResidentDuring(pids, async () => {
          total = await flood(keys, (n) => `invented-${n}`);
        });
        const seconds = (performance.now() - startedAt) / 1000;
        const growthBytes = (wild?.peakBytes ?? 0) - (calm?.peakBytes ?? 0);
        const said = `${keys} keys in ${seconds.toFixed(1)} s, resident memory grew by ${Math.round(growthBytes / mebibyte)} MiB`;
        console.info(said);
        expect(total.responses).toBe(keys);
        expect(total.refused).toBeGreaterThanOrEqual(keys - 2 - Math.ceil(seconds));
        expect(growthBytes, said).toBeLessThan(maxGrowthBytes);
        expectRefused(await contract.ask("yet-another"), 429, "rate-limited");
      },
      // It takes as long as the machine takes for 1.4 million requests.
      900_000,
    );
  });
}

/** Counts status lines, and those of refusals; `rest` may be the beginning of one. */
function readStatuses(text: Buffer): { responses: number; refused: number; rest: Buffer } {
  let [responses, refused, end] = [0, 0, 0];
  for (;;) {
    const at = text.indexOf(statusLine, end);
    if (at < 0)
      return { responses, refused, rest: text.subarray(Math.max(end, text.length - statusLine.length)) };
    if (text.length < at + refusedLine.length) return { responses, refused, rest: text.subarray(at) };
    end = at + refusedLine.length;
    responses += 1;
    if (text.subarray(at, end).equals(refusedLine)) refused += 1;
  }
}
