import { describe, expect, test } from "vitest";
import { type AccessEntry, AccessLog, decisionText } from "../src/access-log.ts";

const entry: AccessEntry = {
  requestId: "id-1",
  method: "GET",
  path: "/a?b=1",
  status: 200,
  durationMs: 1.5,
  bytesIn: 3,
  bytesOut: 51,
  outcome: "complete",
};
const routed: AccessEntry = {
  ...entry,
  routingKey: "acme",
  placement: "tier1",
  reason: "tier",
  upstream: "http://127.0.0.1:9001",
};

const unexpected = (error: unknown): never => {
  throw error;
};

function logOf(entries: readonly AccessEntry[], times: readonly number[] = []): string[] {
  let text = "";
  let at = 0;
  const log = new AccessLog({
    write: (lines) => {
      text += lines;
    },
    enabled: true,
    wallClock: () => new Date(times[at++] ?? 0),
    listeners: [],
    report: unexpected,
  });
  for (const each of entries) log.record(each);
  log.flush();
  return text.split("\n").slice(0, -1);
}

const read = (line = ""): Record<string, unknown> => JSON.parse(line);

describe("the access log", () => {
  test("writes the fields of a request in one order", () => {
    expect(logOf([routed])).toEqual([
      '{"level":"info","time":"1970-01-01T00:00:00.000Z","event":"request","requestId":"id-1","method":"GET",' +
        '"path":"/a?b=1","routingKey":"acme","placement":"tier1","reason":"tier",' +
        '"upstream":"http://127.0.0.1:9001","status":200,"durationMs":1.500,"bytesIn":3,"bytesOut":51,' +
        '"outcome":"complete"}',
    ]);
  });

  test("writes the same line when the decision comes ready for it", () => {
    const ready = decisionText("tier1", "tier", "http://127.0.0.1:9001");
    expect(logOf([{ ...routed, decisionText: ready }])).toEqual(logOf([routed]));
  });

  test.each(['"', "\\", "\n", "\u0000", "\u007f", "é", "鍵", "\ud800", "\u2028", "a b", "", "[]^_`{|}~!#"])(
    "carries %j unchanged in what clients and cells may write",
    (text) => {
      const [line] = logOf([{ ...routed, path: text, routingKey: text, cause: text }]);
      expect(read(line)).toMatchObject({ path: text, routingKey: text, cause: text });
    },
  );

  test("tells each millisecond by its own time", () => {
    const times = [1_000, 1_000, 1_001, 1_000].map((ms) => 1_700_000_000_000 + ms);
    const lines = logOf([entry, entry, entry, entry], times);
    expect(lines.map((line) => Date.parse(String(read(line)["time"])))).toEqual(times);
  });

  test.each([
    [0, 0],
    [0.0004, 0],
    [0.0006, 0.001],
    [0.9996, 1],
    [1.007, 1.007],
    [12, 12],
    [12.05, 12.05],
    [99_999.1234, 99_999.123],
  ])("tells %d ms to the microsecond", (durationMs, expected) => {
    expect(read(logOf([{ ...entry, durationMs }])[0])["durationMs"]).toBe(expected);
  });

  test("leaves out what does not apply, and tells who stood in", () => {
    expect(Object.keys(read(logOf([entry])[0]))).not.toContain("placement");
    const [line] = logOf([{ ...routed, servedBy: "tier2", failoverReason: "unhealthy", retries: 1 }]);
    expect(read(line)).toMatchObject({ servedBy: "tier2", failoverReason: "unhealthy", retries: 1 });
    expect(read(line)).not.toHaveProperty("code");
  });

  test("gathers lines, tells listeners at once, and writes nothing when the level leaves it out", () => {
    const written: string[] = [];
    const heard: AccessEntry[] = [];
    const options = {
      write: (lines: string) => written.push(lines),
      wallClock: () => new Date(0),
      listeners: [(each: AccessEntry) => heard.push(each)],
      report: unexpected,
    };
    const log = new AccessLog({ ...options, enabled: true });
    log.record(entry);
    expect([written.length, heard.length]).toEqual([0, 1]);
    log.flush();
    log.flush();
    expect(written.length).toBe(1);
    const silent = new AccessLog({ ...options, enabled: false });
    silent.record(entry);
    silent.flush();
    expect([written.length, heard.length]).toEqual([1, 2]);
  });

  test("hurts nobody when it cannot tell: the fault is reported, and whoever else listens hears of the request", () => {
    const faults: string[] = [];
    const heard: AccessEntry[] = [];
    const planted = (what: string) => (): never => {
      throw new Error(what);
    };
    const log = new AccessLog({
      write: planted("write"),
      enabled: true,
      wallClock: () => (heard.length === 0 ? new Date(0) : planted("time")()),
      listeners: [planted("first"), (each) => heard.push(each), planted("last")],
      report: (error) => faults.push((error as Error).message),
    });
    log.record(entry);
    log.flush();
    log.record(entry);
    expect(heard).toEqual([entry, entry]);
    expect(faults).toEqual(["first", "last", "write", "time", "first", "last"]);
  });
});
