// Bodies at the speed of the slower side, in memory that does not grow with them.

import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import { peakResidentDuring, residentBytes } from "../../testkit/resident-memory.ts";
import { chunk, patternedBytes, requestBytes, responseBytes } from "../messages.ts";
import type { Contract } from "./contract.ts";

const mebibyte = 1_048_576;
const smallBytes = 16 * mebibyte;
/** By how much the large body is larger than all that the router has ever needed, and how much of that it may need. */
const excessBytes = 256 * mebibyte;
const maxGrowthBytes = excessBytes / 2;
/** What may be under way between two sides when one stops reading: the buffers of three processes and four sockets. */
const maxUnderWayBytes = 32 * mebibyte;

export function describeBackpressure(contract: Contract): void {
  describe("backpressure", () => {
    /** Waits until `count` has stood still for so many looks: a sender that is held back. */
    const standsStill = (count: () => number, what: string, forLooks = 1) => {
      let last = -1;
      let looks = 0;
      return eventually(
        () => {
          const before = last;
          last = count();
          looks = before === last ? looks + 1 : 0;
          return looks === forLooks;
        },
        { what, everyMs: 300, deadlineMs: 20_000 },
      );
    };

    test("makes a cell wait for a client that reads slowly, and loses nothing", async () => {
      const total = 96 * mebibyte;
      const block = patternedBytes(mebibyte);
      let taken = 0;
      using scene = contract.scene(async (exchange) => {
        await exchange.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
        while (taken < total && (await exchange.write(block))) taken += block.length;
      });
      await using client = await contract.connect();
      await client.write(scene.request());
      const head = await client.readHead();
      await standsStill(() => taken, "the cell is held back");
      expect(taken).toBeLessThan(maxUnderWayBytes);
      const { hash, onBody } = digest();
      const response = await client.readBody(head, { onBody });
      expect([response.bodyBytes, response.ending]).toEqual([total, "complete"]);
      expect(hash.digest("hex")).toBe(digestOf(block, total / block.length));
    });

    test("makes a client wait for a cell that reads slowly, and loses nothing", async () => {
      const total = 96 * mebibyte;
      const block = patternedBytes(mebibyte);
      const gate = Promise.withResolvers<void>();
      const { hash, onBody } = digest();
      using scene = contract.scene(async (exchange) => {
        await gate.promise;
        await exchange.readBody({ onBody });
        await exchange.write(responseBytes("200 OK", [], "ok"));
      });
      await using client = await contract.connect();
      await client.write(scene.request({ method: "POST", fields: [`Content-Length: ${total}`] }));
      let sent = 0;
      const sending = (async () => {
        for (; sent < total; sent += block.length) await client.write(block);
      })();
      // A router that cuts the upload fails this case: nobody may be waiting for `sending` when it does.
      const cut = sending.then(() => new Promise<never>(() => {}));
      await Promise.race([cut, standsStill(() => sent - client.unsentBytes, "the client is held back")]);
      expect(sent).toBeLessThan(maxUnderWayBytes);
      gate.resolve();
      await sending;
      expect((await client.readResponse({ method: "POST" })).text()).toBe("ok");
      expect(scene.onlySeen.message?.bodyBytes).toBe(total);
      expect(hash.digest("hex")).toBe(digestOf(block, total / block.length));
    });

    test("makes a client wait that reads no responses, although the router needs no cell for them", async () => {
      // Each is refused at once, with a response ten times its size.
      const block = requestBytes({ key: null }).repeat(10_000);
      await using client = await contract.connect();
      let sent = 0;
      const sending = (async () => {
        for (; sent < 2 * maxUnderWayBytes; sent += block.length) await client.write(block);
      })();
      const taken = () => sent - client.unsentBytes;
      // One that takes everything is busy enough to stand still for a moment. A router may rather close the connection.
      await Promise.race([sending.catch(() => {}), standsStill(taken, "the client is held back", 5)]);
      expect(taken()).toBeLessThan(maxUnderWayBytes);
      for (let n = 0; n < 3; n++) expect((await client.readResponse()).status).toBe(400);
      sending.catch(() => {});
    });
  });

  describe("memory", () => {
    const block = patternedBytes(mebibyte);

    /**
     * Carries eight bodies of 16 MiB, and then one that is 256 MiB larger than the router's resident memory has become. A router that
     * keeps bodies must grow by at least those 256 MiB, also where it still holds the eight. The heap of one that keeps
     * none goes up and down by some tens of MiB with any traffic: less than half of that. Skips by name where
     * memory cannot be read.
     */
    const expectFlatMemory = async (skip: (why: string) => void, carry: (bytes: number) => Promise<void>) => {
      const pids = contract.router.pids();
      if (pids.length === 0 || pids.some((pid) => residentBytes(pid) === null)) {
        return skip(
          "the router's resident memory cannot be read here: no process found at its port, or no /proc",
        );
      }
      const eight = await peakResidentDuring(pids, async () => {
        for (let n = 0; n < 8; n++) await carry(smallBytes);
      });
      const residentMebibytes = Math.ceil((eight?.peakBytes ?? 0) / mebibyte);
      const one = await peakResidentDuring(pids, () => carry(residentMebibytes * mebibyte + excessBytes));
      const growthBytes = (one?.peakBytes ?? 0) - (eight?.peakBytes ?? 0);
      const inMebibytes = (bytes = 0) => `${Math.round(bytes / mebibyte)} MiB`;
      const peaks = `peaks: ${inMebibytes(eight?.peakBytes)} with eight bodies, ${inMebibytes(one?.peakBytes)} with one`;
      console.info(`resident memory ${peaks}`);
      expect(growthBytes, peaks).toBeLessThan(maxGrowthBytes);
    };

    test("stays flat while clients send thousands of requests ahead of their responses", async ({ skip }) => {
      const pids = contract.router.pids();
      const measured = Promise.withResolvers<void>();
      using scene = contract.scene(async (exchange) => {
        await measured.promise;
        await exchange.write(responseBytes("200 OK", [], "ok"));
      });
      // What a parser makes of each is a hundred times as large.
      const ahead = "GET / HTTP/1.1\r\n\r\n".repeat(3500);
      await using stack = new AsyncDisposableStack();
      const clients = await Promise.all(Array.from({ length: 60 }, () => contract.connect()));
      for (const client of clients) stack.use(client);
      await contract.settle();
      const before = pids.map((pid) => residentBytes(pid));
      if (before.length === 0 || before.includes(null))
        return skip("the router's resident memory cannot be read here");
      await Promise.all(clients.map((client) => client.write(scene.request({ key: "globex" }))));
      await eventually(() => scene.seen.length === clients.length, { what: "every request is at the cell" });
      await Promise.all(clients.map((client) => client.write(ahead)));
      await contract.settle();
      const grownBytes = pids.map((pid, at) => (residentBytes(pid) ?? 0) - (before[at] ?? 0));
      // A router that does not read cannot see a client leave: unanswered, its requests would outlive this case.
      measured.resolve();
      for (const client of clients) expect((await client.readResponse()).text()).toBe("ok");
      expect(Math.max(...grownBytes)).toBeLessThan(maxGrowthBytes);
    });

    test("stays flat while a body larger than the router goes down", async ({ skip }) => {
      await expectFlatMemory(skip, async (bytes) => {
        using scene = contract.scene(async (exchange) => {
          await exchange.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
          for (let sent = 0; sent < bytes; sent += block.length) if (!(await exchange.write(block))) return;
        });
        await using client = await contract.connect({ deadlineMs: 30_000 });
        await client.write(scene.request());
        const response = await client.readBody(await client.readHead(), { onBody: () => {} });
        expect([response.bodyBytes, response.ending]).toEqual([bytes, "complete"]);
      });
    });

    test("stays flat while a body larger than the router goes up, in chunks", async ({ skip }) => {
      const piece = Buffer.from(chunk(block.toString("latin1")), "latin1");
      await expectFlatMemory(skip, async (bytes) => {
        using scene = contract.scene(async (exchange) => {
          await exchange.readBody({ onBody: () => {} });
          await exchange.write(responseBytes("200 OK", [], "ok"));
        });
        await using client = await contract.connect({ deadlineMs: 30_000 });
        await client.write(scene.request({ method: "POST", fields: ["Transfer-Encoding: chunked"] }));
        for (let sent = 0; sent < bytes; sent += block.length) await client.write(piece);
        await client.write(chunk(""));
        expect((await client.readResponse({ method: "POST" })).text()).toBe("ok");
        expect(scene.onlySeen.message?.bodyBytes).toBe(bytes);
      });
    });
  });
}

function digest() {
  const hash = createHash("sha256");
  return { hash, onBody: (piece: Buffer) => void hash.update(piece) };
}

function digestOf(block: Buffer, times: number): string {
  const hash = createHash("sha256");
  for (let n = 0; n < times; n++) hash.update(block);
  return hash.digest("hex");
}
