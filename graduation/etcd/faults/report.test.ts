import { expect, test } from "vitest";
import { type RoundResult, rowOf, textOf } from "./report.ts";

const counts = { operations: 10, stored: 3, conflict: 2, refused: 1, unknown: 1, requests: 50 };
const held: RoundResult = {
  fault: "leader-killed",
  round: 1,
  seed: 7,
  broken: undefined,
  writesMs: 1_200.4,
  routersMs: 1_300,
  tookMs: 2_000,
  counts,
};

test("a row adds up its own rounds, and takes the median of their recoveries", () => {
  const other = { ...held, fault: "node-killed", writesMs: 9_999 };
  const rounds = [held, { ...held, writesMs: 1_000 }, { ...held, writesMs: 1_500 }, other];
  expect(rowOf("leader-killed", "the kill", rounds)).toMatchObject({
    rounds: 3,
    held: 3,
    operations: 30,
    requests: 150,
    writesMs: { median: 1_200, max: 1_500 },
  });
});

test("a round that broke a promise counts as not held, and its words are told with its seed", () => {
  const broken = { ...held, broken: "Two writers won", writesMs: undefined, routersMs: undefined };
  const rows = [rowOf("leader-killed", "the kill", [held, broken])];
  expect(rows[0]).toMatchObject({ rounds: 2, held: 1, writesMs: { median: 1_200 } });
  const text = textOf({ takenAt: "", etcd: "3.4.23", rows, broken: [broken] });
  expect(text).toContain("BROKEN: leader-killed, round 1, seed 7: Two writers won");
});
