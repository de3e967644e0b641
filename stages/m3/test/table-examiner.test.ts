import { expect, test } from "vitest";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { TimeBudget } from "../src/intake-budget.ts";
import { nackOf } from "../src/protocol.ts";
import { decodeTableAside } from "../src/table-decoder.ts";
import { TableExaminer } from "../src/table-examiner.ts";

failOnLeaks();

const document = {
  version: "1",
  defaultPlacement: "tier1",
  routingTable: Object.fromEntries(Array.from({ length: 20_000 }, (_, key) => [`tenant-${key}`, "tier1"])),
  placements: { tier1: { kind: "tier", url: "http://127.0.0.1:9001" } },
};
const small = Buffer.from(JSON.stringify({ ...document, routingTable: {} }));
const large = Buffer.from(JSON.stringify(document));

test("takes tables of any size", async () => {
  const examiner = new TableExaminer(new FakeClock());
  for (const table of [small, large]) expect(await examiner.examine(table)).toMatchObject({ ok: true });
});

test.each([
  ["dies", () => Promise.reject(new Error("Worker terminated due to reaching memory limit"))],
  [
    "ends without a word",
    async (bytes: Uint8Array, signal?: AbortSignal) => {
      process.once("worker", (worker) => void worker.terminate());
      return await decodeTableAside(bytes, signal);
    },
  ],
])("a table whose thread %s is refused with the reason", async (_, decodeAside) => {
  const examiner = new TableExaminer(new FakeClock(), decodeAside);
  const examined = await examiner.examine(large);
  if (examined.ok) throw new Error("examined");
  expect(examined.faults).toEqual([
    expect.stringMatching(/could not be examined: .*(memory limit|thread ended)/),
  ]);
  expect(nackOf({ epoch: "one", revision: 1 }, examined.faults)).toMatchObject({ type: "nack" });
  // The next one has a thread of its own.
  expect(await new TableExaminer(new FakeClock()).examine(large)).toMatchObject({ ok: true });
});

test("a table that takes too long is refused, its thread ended, and its time counted", async () => {
  const clock = new FakeClock();
  let ended: AbortSignal | undefined;
  const examiner = new TableExaminer(clock, async (_, signal) => {
    ended = signal;
    return await new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  });
  examiner.budget = new TimeBudget({ share: 0.1, burstMs: 1_000 }, clock.now());
  const examined = examiner.examine(large);
  await eventually(() => clock.sleeping === 1, { what: "it is being examined" });
  await clock.advance(29_999);
  expect(ended?.aborted).toBe(false);
  await clock.advance(1);
  expect(await examined).toEqual({ ok: false, faults: [expect.stringMatching(/longer than 30000 ms/)] });
  expect(examiner.budget.waitMs(clock.now())).toBeGreaterThan(0);
  expect(clock.sleeping).toBe(0);
});
