import { describe, expect, test } from "vitest";
import { startHostileUpstream } from "../hostile-upstream.ts";
import { pidsListeningOn, portsListenedOnBy, withDescendants } from "../process-by-port.ts";
import { Program } from "../program.ts";
import { peakResidentDuring, residentBytes } from "../resident-memory.ts";

const hasProc = residentBytes(process.pid) !== null;

describe.runIf(hasProc)("processes, read from /proc", () => {
  test("finds who listens on a port", async () => {
    const upstream = await startHostileUpstream(async () => {});
    const { port } = upstream;
    expect(pidsListeningOn(port)).toEqual([process.pid]);
    expect(portsListenedOnBy(process.pid)).toContain(port);
    await upstream.close();
    expect(pidsListeningOn(port)).toEqual([]);
  });

  test("finds grandchildren, and leaves strangers out", async () => {
    // The shell starts a second one, which starts the sleeper.
    const script = `sh -c 'sleep 60 & echo "{\\"event\\":\\"ready\\",\\"pid\\":$!}"; wait'; :`;
    await using shell = new Program({ name: "a shell", command: "sh", args: ["-c", script], ownGroup: true });
    const { pid } = await shell.ready();
    const tree = withDescendants(shell.pid);
    expect(tree[0]).toBe(shell.pid);
    expect(tree).toContain(pid);
    expect(tree).toHaveLength(3);
    expect(withDescendants(process.pid)).toEqual(expect.arrayContaining(tree));
    expect(withDescendants(process.ppid)).toContain(process.pid);
  });

  test("sees memory grow while work is done", async () => {
    let kept: Buffer | undefined;
    const memory = await peakResidentDuring([process.pid], async () => {
      kept = Buffer.alloc(80_000_000, 1);
    });
    expect(kept?.length).toBe(80_000_000);
    expect(memory?.growthBytes).toBeGreaterThan(60_000_000);
  });
});

test("says null for a process that is not there, and still does the work", async () => {
  const nobody = 2 ** 22 + 1;
  expect(residentBytes(nobody)).toBeNull();
  let done = false;
  expect(
    await peakResidentDuring([nobody], async () => {
      done = true;
    }),
  ).toBeNull();
  expect(done).toBe(true);
});
