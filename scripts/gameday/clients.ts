// Steady clients, each on one connection to one router: they ask for keys, bodies and streams by the seed, and hand what
// came to the judge.

import { createHash } from "node:crypto";
import { Agent, type IncomingMessage, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../../shared/fuzz/random.ts";
import { type Asked, type Echo, type Ending, type Got, judge } from "./judge.ts";
import type { GamedayRecord } from "./record.ts";
import { keys } from "./tables.ts";

const pauseMs = 10;
const timeoutMs = 20_000;

interface Plan extends Asked {
  readonly body: string;
  /** The answer is a cell's account of the request. */
  readonly isEcho: boolean;
}

/** Asks until `signal` aborts; the request under way is finished first. */
export async function runClient(
  router: string,
  seed: number,
  number: number,
  record: GamedayRecord,
  signal: AbortSignal,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let n = 0; !signal.aborted; n++) {
    const plan = planRequest(new Random(seed, 1000 * (number + 1) + n), `${number}-${n}`);
    const fromMs = performance.now();
    const before = record.tablesOf(router);
    const got = await send(router, plan, agent);
    const toMs = performance.now();
    const tables = [...new Set([...before, ...record.tablesOf(router)])];
    const verdict = judge(plan, got, {
      tables,
      isDisturbed: (cell) => record.isDisturbed(cell, fromMs, toMs),
    });
    record.ended(
      verdict,
      `${plan.method} ${plan.path} for ${plan.key}, ${got.status} ${got.ending}`,
      fromMs,
      toMs,
    );
    await delay(pauseMs);
  }
  agent.destroy();
}

function planRequest(random: Random, nonce: string): Plan {
  const key = random.pick(keys);
  const id = { key, nonce: `gameday-${nonce}` };
  const kind = random.below(10);
  if (kind < 6) {
    const method = random.pick(["GET", "GET", "POST", "PUT", "DELETE"]);
    const body = method === "POST" || method === "PUT" ? `pay ${nonce} `.repeat(1 + random.below(200)) : "";
    return { ...id, method, path: `/pay?n=${nonce}`, body, bodySha256: sha256(body), isEcho: true };
  }
  if (kind < 8) {
    const bytes = random.chance(3) ? 4_000_000 : random.below(100_000);
    const chunked = random.chance(50) ? "?chunked" : "";
    const expectedSha256 = sha256(pattern.repeat(Math.ceil(bytes / pattern.length)).slice(0, bytes));
    return {
      ...id,
      method: "GET",
      path: `/bytes/${bytes}${chunked}`,
      body: "",
      bodySha256: sha256(""),
      expectedSha256,
      isEcho: false,
    };
  }
  if (kind < 9) {
    const body = `back ${nonce} `.repeat(1 + random.below(5000));
    return {
      ...id,
      method: "POST",
      path: "/echo",
      body,
      bodySha256: sha256(body),
      expectedSha256: sha256(body),
      isEcho: false,
    };
  }
  const pieces = [1, 2, 3].map((n) => `${`chunk ${n} `.padEnd(15, ".")}\n`).join("");
  return {
    ...id,
    method: "GET",
    path: "/drip?chunks=3&intervalMs=20",
    body: "",
    bodySha256: sha256(""),
    expectedSha256: sha256(pieces),
    isEcho: false,
  };
}

/** What the cells send on `/bytes/N`. */
const pattern = "0123456789abcdef";

async function send(router: string, plan: Plan, agent: Agent): Promise<Got> {
  const { promise, resolve } = Promise.withResolvers<IncomingMessage | "failed">();
  const { method, body } = plan;
  const signal = AbortSignal.timeout(timeoutMs);
  const outgoing = request(`${router}${plan.path}`, {
    method,
    agent,
    signal,
    headers: {
      "X-Routing-Key": plan.key,
      "X-Request-Id": plan.nonce,
      ...(body === "" ? {} : { "Content-Length": Buffer.byteLength(body) }),
    },
  });
  outgoing.once("response", resolve);
  outgoing.on("error", () => resolve("failed"));
  outgoing.end(body);
  const answer = await promise;
  if (answer === "failed") {
    return { ending: signal.aborted ? "timeout" : "no-answer", status: 0, headers: {}, bodySha256: "" };
  }
  const pieces: Buffer[] = [];
  let ending: Ending = "complete";
  try {
    for await (const piece of answer as AsyncIterable<Buffer>) pieces.push(piece);
  } catch {
    // A body that was cut: the iterator tells it from one that has ended.
    ending = signal.aborted ? "timeout" : "cut";
  }
  const whole = Buffer.concat(pieces);
  const headers = Object.fromEntries(
    Object.entries(answer.headers).map(([name, value]) => [name, value?.toString()]),
  );
  const status = answer.statusCode ?? 0;
  const echo =
    plan.isEcho && status === 200 && ending === "complete"
      ? (JSON.parse(whole.toString()) as Echo)
      : undefined;
  return { ending, status, headers, bodySha256: createHash("sha256").update(whole).digest("hex"), echo };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
