import { expect, test } from "vitest";
import { eventually } from "../../../shared/testkit/eventually.ts";
import { FakeClock } from "../../../shared/testkit/fake-clock.ts";
import { failOnLeaks } from "../../../shared/testkit/leak-check.ts";
import { TimeBudget } from "../src/intake-budget.ts";
import { nackOf } from "../src/protocol.ts";
import { decodeTableOffloaded } from "../src/table-decoder.ts";
import { TableValidator } from "../src/table-validator.ts";

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
  const validator = new TableValidator(new FakeClock());
  for (const table of [small, large]) expect(await validator.validate(table)).toMatchObject({ ok: true });
});

test.each([
  ["dies", () => Promise.reject(new Error("Worker terminated due to reaching memory limit"))],
  [
    "ends without a word",
    async (bytes: Uint8Array, signal?: AbortSignal) => {
      process.once("worker", (worker) => void worker.terminate());
      return await decodeTableOffloaded(bytes, signal);
    },
  ],
])("a table whose thread %s is refused with the reason", async (_, decodeOffloaded) => {
  const validator = new TableValidator(new FakeClock(), decodeOffloaded);
  const validated = await validator.validate(large);
  if (validated.ok) throw new Error("validated");
  expect(validated.faults).toEqual([
    expect.stringMatching(/could not be validated: .*(memory limit|thread ended)/),
  ]);
  expect(nackOf({ epoch: "one", revision: 1 }, validated.faults)).toMatchObject({ type: "nack" });
  // The next one has a thread of its own.
  expect(await new TableValidator(new FakeClock()).validate(large)).toMatchObject({ ok: true });
});

test("a table that takes too long is refused, its thread ended, and its time counted", async () => {
  const clock = new FakeClock();
  let ended: AbortSignal | undefined;
  const validator = new TableValidator(clock, async (_, signal) => {
    ended = signal;
    return await new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  });
  validator.budget = new TimeBudget({ share: 0.1, burstMs: 1_000 }, clock.now());
  const validated = validator.validate(large);
  await eventually(() => clock.sleeping === 1, { what: "it is being validated" });
  await clock.advance(29_999);
  expect(ended?.aborted).toBe(false);
  await clock.advance(1);
  expect(await validated).toEqual({ ok: false, faults: [expect.stringMatching(/longer than 30000 ms/)] });
  expect(validator.budget.waitMs(clock.now())).toBeGreaterThan(0);
  expect(clock.sleeping).toBe(0);
});
