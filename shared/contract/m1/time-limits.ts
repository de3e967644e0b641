// The time limits of the contract: 10 s for the head of a response, 30 s without a piece of its body, 5 s to connect. Such
// cases take as long as the limits, so they start when the suite does and run beside all others.

import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, type RunnerTestSuite, test } from "vitest";
import { form } from "../grades.ts";
import { chunk, responseBytes } from "../messages.ts";
import type { Contract } from "./contract.ts";
import { openDeafPort } from "./deaf-port.ts";
import { expectProblem } from "./problem.ts";

/** How late a limit may be felt: a router that counts ticks falls behind on a busy machine, and that is no fault of it. */
const latest = (limitMs: number) => limitMs + Math.max(6000, limitMs / 2);

type Case = (contract: Contract) => Promise<void>;

const cases: Readonly<Record<string, Case>> = {
  "answers 504 when a cell sends no head for 10 seconds": async (contract) => {
    using scene = contract.scene(async ({ connection }) => connection.untilClosed());
    await using client = await contract.connect({ deadlineMs: 30_000 });
    const startedAt = performance.now();
    const response = await client.request(scene.request());
    const tookMs = performance.now() - startedAt;
    expect(response.status).toBe(504);
    expect(response.headers.one("x-routed-to")).toBe("tier1");
    expect(tookMs).toBeGreaterThan(9000);
    expect(tookMs).toBeLessThan(latest(10_000));
    expect(scene.seen).toHaveLength(1);
  },

  "cuts a response whose body stands still for 30 seconds": async (contract) => {
    using scene = contract.scene(async (exchange) => {
      await exchange.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk("part")}`);
      await exchange.connection.untilClosed();
    });
    await using client = await contract.connect({ deadlineMs: 50_000 });
    const startedAt = performance.now();
    const response = await client.request(scene.request());
    const tookMs = performance.now() - startedAt;
    expect([response.status, response.ending]).toEqual([200, "truncated"]);
    expect(tookMs).toBeGreaterThan(28_000);
    expect(tookMs).toBeLessThan(latest(30_000));
  },

  "lets a body take longer than 30 seconds while pieces of it come": async (contract) => {
    using scene = contract.scene(async (exchange) => {
      await exchange.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (let n = 0; n < 4; n++) {
        await exchange.write(chunk("part"));
        await delay(8500);
      }
      await exchange.write(chunk(""));
    });
    await using client = await contract.connect({ deadlineMs: 50_000 });
    const response = await client.request(scene.request());
    expect([response.bodyBytes, response.ending]).toEqual([16, "complete"]);
  },

  "lets an upload take longer than 10 seconds: the limit is for the cell's response": async (contract) => {
    using scene = contract.scene();
    await using client = await contract.connect({ deadlineMs: 30_000 });
    await client.write(scene.request({ method: "POST", fields: ["Transfer-Encoding: chunked"] }));
    for (let n = 0; n < 6; n++) {
      await client.write(chunk("part"));
      await delay(2200);
    }
    await client.write(chunk(""));
    const response = await client.readResponse({ method: "POST" });
    expect([response.status, response.text()]).toEqual([200, "ok"]);
    expect(scene.onlySeen.message?.bodyBytes).toBe(24);
  },

  "lets a client pause in its upload for 40 seconds": async (contract) => {
    using scene = contract.scene();
    await using client = await contract.connect({ deadlineMs: 60_000 });
    await client.write(scene.request({ method: "POST", fields: ["Content-Length: 8"], body: "half" }));
    await delay(40_000);
    await client.write("full");
    const response = await client.readResponse({ method: "POST" });
    expect([response.status, scene.onlySeen.message?.body.toString()]).toEqual([200, "halffull"]);
  },

  "bears a cell that reads an upload slowly but steadily": async (contract) => {
    // Longer than the limit for a response, which begins when the system has taken all of the request, and not before. The body is
    // larger than what the systems of both ends may keep, and the pace is such that they take more of it every few seconds: they
    // wait until a third of what they keep has gone.
    const total = 64_000_000;
    using scene = contract.scene(async ({ connection }) => {
      for (let taken = 0, n = 0; taken < total; n++) {
        const piece = await connection.reader.upTo(n < 200 ? 64_000 : total);
        if (piece === undefined) return;
        taken += piece.length;
        if (n < 200) await delay(125);
      }
      await connection.write(responseBytes("200 OK", ["Connection: close"], "ok"));
      await connection.close();
    });
    await using client = await contract.connect({ deadlineMs: 60_000 });
    await client.write(scene.request({ method: "POST", fields: [`Content-Length: ${total}`] }));
    const sending = client.write(Buffer.alloc(total, "x"));
    const response = await client.readResponse({ method: "POST" });
    expect([response.status, response.text()]).toEqual([200, "ok"]);
    await sending;
  },

  "closes a connection on which nothing was ever said without a word": async (contract) => {
    await using client = await contract.connect({ deadlineMs: 50_000 });
    expect((await client.reader.toEnd()).toString("latin1")).toBe("");
  },

  "does not wait for ever for the rest of a client's head": async (contract) => {
    await using client = await contract.connect({ deadlineMs: 50_000 });
    await client.write("GET / HTTP/1.1\r\nHost: a\r\nX-Rou");
    const said = (await client.reader.toEnd()).toString("latin1");
    expect(said).toMatch(/^(HTTP\/1\.1 408 [\s\S]*)?$/);
  },

  "keeps a slow client's place: a response that waits for its reader is not cut before 30 seconds": async (
    contract,
  ) => {
    using scene = contract.scene(async (exchange) => {
      await exchange.write(responseBytes("200 OK", ["Content-Length: 16000000"]));
      await exchange.write(Buffer.alloc(16_000_000, "x"));
    });
    await using client = await contract.connect();
    await client.write(scene.request());
    const head = await client.readHead();
    await delay(12_000);
    const response = await client.readBody(head, { onBody: () => {} });
    expect([response.bodyBytes, response.ending]).toEqual([16_000_000, "complete"]);
  },
};

export function describeTimeLimits(contract: Contract): void {
  describe("time limits", () => {
    for (const title of Object.keys(cases)) {
      // Whether a router says something to who says nothing is a matter of form; that it closes is not.
      test(title, title.endsWith("without a word") ? form : {}, async () => {
        const error = await started.get(title);
        if (error !== undefined) throw error;
      });
    }

    test("answers 504 when a connection to the cell takes more than 5 seconds", async ({ skip }) => {
      using scene = contract.scene();
      await contract.endpoints.down("visa");
      try {
        await using port = await openDeafPort(contract.endpoints.port("visa"));
        if (!port.deaf) skip("this system completes every connection to a listener that accepts none");
        await using client = await contract.connect({ deadlineMs: 20_000 });
        const startedAt = performance.now();
        const response = await client.request(scene.request({ key: "visa" }));
        const tookMs = performance.now() - startedAt;
        expectProblem(response, 504);
        expect(response.headers.one("x-routed-to")).toBe("visa");
        expect(tookMs).toBeGreaterThan(4500);
        expect(tookMs).toBeLessThan(latest(5000));
      } finally {
        await contract.endpoints.up("visa");
      }
    });
  });

  const started = new Map<string, Promise<unknown>>();
  // biome-ignore lint/correctness/noEmptyPattern: Vitest reads the first argument as fixtures and wants a pattern
  beforeAll(({}, suite) => {
    for (const [title, run] of Object.entries(cases)) {
      // Not where a filter has left the case out: nobody waits half a minute for what nobody asked.
      if (!isSelected(suite, title)) continue;
      // Settled into a value: a rejection that nobody awaits yet would end the test process.
      started.set(
        title,
        run(contract).then(
          () => undefined,
          (error: unknown) => error,
        ),
      );
    }
  });
  afterAll(async () => {
    if (!contract.isRouterLost()) await Promise.all(started.values());
  });
}

function isSelected(suite: Pick<RunnerTestSuite, "tasks">, title: string): boolean {
  return suite.tasks.some((task) =>
    task.type === "suite" ? isSelected(task, title) : task.name === title && task.mode === "run",
  );
}
