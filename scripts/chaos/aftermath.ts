// What has to hold once the hostile clients have gone and the cells are well again: every tenant is served by its own
// placement, descriptors, sockets and memory are back where they were, and a signal ends the router in time.

import { eventually } from "../../shared/testkit/eventually.ts";
import { accepts, RawClient, sendRaw } from "../../shared/testkit/raw-client.ts";
import { originOf, type Table } from "../load/tables.ts";
import type { ChaosCell } from "./cells.ts";
import type { Fault } from "./faults.ts";
import { type Resources, type ResourceWatch, resourcesOf } from "./resources.ts";
import type { RouterUnderTest } from "./router.ts";
import { cleanKeys } from "./table.ts";
import { cleanIdOf } from "./tags.ts";

/** Descriptors that a router may open for reasons of its own: a health check, a file that it looks at. */
const spareDescriptors = 6;
/** A garbage-collected heap keeps what it has once grown to. */
const maxGrowthMiB = 256;
/** From the second quarter of a run to its end: by then a heap has grown to what the load needs. */
const maxLateGrowthMiB = 64;
/** Shorter runs are over before a heap has settled. */
const secondsToSettle = 60;
/** The drain of 10 s, and room for a busy machine. */
const stopMs = 13_000;

const mebibyte = 1_048_576;

export type AfterFault = Pick<Fault, "rule" | "detail">;

/** A router that says nothing for so long has not come back. */
const servedWithinMs = 10_000;

/** Asks for the key of each clean client until its own placement has served three times in a row. Returns what does not come right. */
export async function recoveryFaults(
  url: string,
  table: Table,
  seed: number,
  recoveryMs: number,
): Promise<AfterFault[]> {
  const faults: AfterFault[] = [];
  let count = 0;
  const served = async (key: string): Promise<string | undefined> => {
    const id = cleanIdOf(seed, 999, count++);
    const response = await sendRaw(
      url,
      `GET /pay HTTP/1.1\r\nHost: a\r\nX-Routing-Key: ${key}\r\nX-Request-Id: ${id}\r\nConnection: close\r\n\r\n`,
      { deadlineMs: servedWithinMs },
    );
    const by = response.headers.one("x-routed-to");
    if (response.status === 200 && by === originOf(table, key) && response.text().includes(id))
      return undefined;
    return `${response.status}, X-Routed-To ${by}, X-Failover-Reason ${response.headers.one("x-failover-reason")}`;
  };
  const comesBack = async (key: string) => {
    let last: string | undefined;
    const isBack = async () => {
      for (let n = 0; n < 3; n++) {
        last = await served(key).catch(String);
        if (last !== undefined) return false;
      }
      return true;
    };
    await eventually(isBack, { what: "", deadlineMs: recoveryMs, everyMs: 50 }).catch(() => {
      const rule = "8 survival: a tenant is not served again after its cell has come back";
      faults.push({ rule, detail: `"${key}", ${recoveryMs / 1000} s later: ${last}` });
    });
  };
  // All at once: a router that serves nobody would otherwise be waited for once per key.
  await Promise.all([...new Set(cleanKeys)].map(comesBack));
  return faults;
}

/** Cells let go of their connections, and what the router still holds is waited for. */
export async function settledResources(
  pid: number,
  cells: readonly ChaosCell[],
  isBack: (resources: Resources) => boolean,
  deadlineMs: number,
): Promise<Resources | undefined> {
  let last = resourcesOf(pid);
  const look = () => {
    for (const cell of cells) cell.closeConnections();
    last = resourcesOf(pid);
    return last === undefined || isBack(last);
  };
  await eventually(look, { what: "", deadlineMs, everyMs: 100 }).catch(() => {});
  return last;
}

/** Waits until the router holds no more than before, and says what it still holds if it does not come to that. */
export async function resourceFaults(
  pid: number,
  cells: readonly ChaosCell[],
  before: Resources,
  watch: ResourceWatch,
  { seconds, recoveryMs }: { readonly seconds: number; readonly recoveryMs: number },
): Promise<{ readonly after: Resources | undefined; readonly faults: AfterFault[] }> {
  const fewDescriptors = (now: Resources) => now.descriptors <= before.descriptors + spareDescriptors;
  const littleMemory = (now: Resources) =>
    now.residentBytes <= before.residentBytes + maxGrowthMiB * mebibyte;
  const isBack = (now: Resources) => fewDescriptors(now) && littleMemory(now);
  const after = await settledResources(pid, cells, isBack, recoveryMs);
  if (after === undefined) return { after, faults: [] };
  const faults: AfterFault[] = [];
  if (!fewDescriptors(after))
    faults.push({
      rule: "8 survival: descriptors stay open after everybody has gone",
      detail:
        `${after.descriptors} (${after.sockets} sockets) ${recoveryMs / 1000} s later; ` +
        `there were ${before.descriptors} (${before.sockets})`,
    });
  if (!littleMemory(after)) {
    const inMiB = (bytes: number) => Math.round(bytes / mebibyte);
    faults.push({
      rule: "6 streaming: memory does not come back",
      detail:
        `${inMiB(after.residentBytes)} MiB ${recoveryMs / 1000} s later; ` +
        `there were ${inMiB(before.residentBytes)}, and ${maxGrowthMiB} more are allowed`,
    });
  }
  const [, second, third, fourth] = watch.quarters;
  const lateGrowth = Math.max(third, fourth) - second;
  if (seconds >= secondsToSettle && lateGrowth > maxLateGrowthMiB * mebibyte)
    faults.push({
      rule: "6 streaming: memory grows as long as the run goes on",
      detail: `${Math.round(lateGrowth / mebibyte)} MiB more at the highest in the second half than in the second quarter`,
    });
  return { after, faults };
}

/**
 * Sends SIGTERM while clients hold connections in every state: silent, half a head, a request behind which nothing comes, and
 * an upload that goes on. Returns how long the end took, and what was wrong.
 */
export async function stopFaults(
  router: RouterUnderTest,
  seed: number,
  hasArrived: (id: string) => boolean,
  withHalfHead: boolean,
): Promise<{ readonly stopMs: number | undefined; readonly faults: AfterFault[] }> {
  const faults: AfterFault[] = [];
  const id = cleanIdOf(seed, 998, 0);
  const fields = `X-Routing-Key: visa\r\nX-Request-Id: ${id}\r\n`;
  // A router may wait for the rest of a head as long as for a response: 10 s that a short run does not have.
  const begun = [
    "",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ...(withHalfHead ? ["GET / HTTP/1.1\r\nHost: a\r\nX-Rou"] : []),
  ];
  const held = await Promise.all(begun.map(() => RawClient.connect(router.url)));
  for (const [at, client] of held.entries()) await client.write(begun[at] ?? "");
  await using upload = await RawClient.connect(router.url);
  await upload.write(`POST /pay HTTP/1.1\r\nHost: a\r\n${fields}Content-Length: 8\r\n\r\nhalf`);
  // Otherwise it could still be in the socket when the signal comes: then it is not under way.
  await eventually(() => hasArrived(id), { what: "the upload reaches its cell" }).catch(() => {});
  const startedAtMs = performance.now();
  const ended = router.terminate(stopMs);
  // A request under way may finish.
  const response = refuses(router.url)
    .then(() => upload.write("half"))
    .then(() => upload.readResponse({ method: "POST" }))
    .catch(String);
  const exit = await ended;
  const tookMs = Math.round(performance.now() - startedAtMs);
  for (const client of held) await client.close();
  if (exit === undefined) return { stopMs: undefined, faults: [] };
  const got = await response;
  if (typeof got === "string" || got.status !== 200 || got.ending !== "complete") {
    const rule = "8 survival: an upload under way was lost in the stop";
    faults.push({ rule, detail: typeof got === "string" ? got : `${got.status}, ${got.ending}` });
  }
  if (exit.signal === "SIGKILL") {
    faults.push({
      rule: "8 survival: SIGTERM does not end it in time",
      detail: `not within ${stopMs / 1000} s`,
    });
  } else if (exit.code !== 0) {
    const how = exit.signal === null ? `exit code ${exit.code}` : `it does not handle ${exit.signal}`;
    faults.push({ rule: "8 survival: SIGTERM ends it with an error", detail: how });
  }
  return { stopMs: tookMs, faults };
}

/** Resolves when nothing accepts at the URL any more, or after a while: the stop has begun. */
async function refuses(url: string): Promise<void> {
  const isRefused = async () => !(await accepts(url));
  await eventually(isRefused, { what: "", deadlineMs: 2_000 }).catch(() => {});
}
