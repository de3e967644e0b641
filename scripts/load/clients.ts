// Steady clients, each on one connection to one router: they ask for keys, bodies and streams by the seed, and hand what
// came to the judge. Gameday and chaos share them.

import { hash } from "node:crypto";
import { Agent, type IncomingMessage, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../../shared/fuzz/random.ts";
import { objectIn } from "../../shared/testkit/json-text.ts";
import {
  type Asked,
  type Circumstances,
  type Echo,
  type Ending,
  type Got,
  judge,
  type Verdict,
} from "./judge.ts";

const pauseMs = 10;

export interface SteadyClient {
  readonly router: string;
  readonly seed: number;
  /** Number among the clients of this run. */
  readonly number: number;
  readonly keys: readonly string[];
  /** The id of its nth request: it comes back in the response and in what the cell saw. */
  readonly idOf: (n: number) => string;
  /** Longer than everything that a router may wait for. @default 20000 */
  readonly timeoutMs?: number;
  /** Called before a request; the result is called after it, and says what it was held to. */
  readonly look: () => (fromMs: number, toMs: number) => Circumstances;
  readonly onEnd: (
    verdict: Verdict,
    what: string,
    fromMs: number,
    toMs: number,
    got: { readonly id: string; readonly status: number },
  ) => void;
}

interface Plan extends Asked {
  readonly body: string;
  /** The response is a cell's account of the request. */
  readonly isEcho: boolean;
}

/** Asks until `signal` aborts; the request under way is finished first. */
export async function runClient(client: SteadyClient, signal: AbortSignal): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const { router, seed, number, keys, idOf, timeoutMs = 20_000, look, onEnd } = client;
  for (let n = 0; !signal.aborted; n++) {
    const plan = planRequest(new Random(seed, 1000 * (number + 1) + n), keys, idOf(n));
    const circumstances = look();
    const fromMs = performance.now();
    const got = await send(router, plan, agent, timeoutMs);
    const toMs = performance.now();
    const verdict = judge(plan, got, circumstances(fromMs, toMs));
    const how = `${got.status} ${got.ending}${got.cause === undefined ? "" : ` (${got.cause})`}`;
    onEnd(
      verdict,
      `${plan.method} ${plan.path} for ${plan.key}, ${how}, ${got.bodyBytes ?? 0} bytes`,
      fromMs,
      toMs,
      { id: plan.nonce, status: got.status },
    );
    await delay(pauseMs);
  }
  agent.destroy();
}

function planRequest(random: Random, keys: readonly string[], nonce: string): Plan {
  const id = { key: random.pick(keys), nonce };
  const kind = random.below(10);
  if (kind < 6) {
    const method = random.pick(["GET", "GET", "POST", "PUT", "DELETE"]);
    const body = method === "POST" || method === "PUT" ? `pay ${nonce} `.repeat(1 + random.below(200)) : "";
    return { ...id, method, path: `/pay?n=${nonce}`, body, bodySha256: sha256(body), isEcho: true };
  }
  const plain = { ...id, method: "GET", body: "", bodySha256: sha256(""), isEcho: false };
  if (kind < 8) {
    const bytes = random.chance(3) ? 4_000_000 : random.below(100_000);
    const chunked = random.chance(50) ? "?chunked" : "";
    const expectedSha256 = sha256(pattern.repeat(Math.ceil(bytes / pattern.length)).slice(0, bytes));
    return { ...plain, path: `/bytes/${bytes}${chunked}`, expectedSha256 };
  }
  if (kind < 9) {
    const body = `back ${nonce} `.repeat(1 + random.below(5000));
    return {
      ...plain,
      method: "POST",
      path: "/echo",
      body,
      bodySha256: sha256(body),
      expectedSha256: sha256(body),
    };
  }
  const pieces = [1, 2, 3].map((n) => `${`chunk ${n} `.padEnd(15, ".")}\n`).join("");
  return { ...plain, path: "/drip?chunks=3&intervalMs=20", expectedSha256: sha256(pieces) };
}

/** What the cells send on `/bytes/N`. */
const pattern = "0123456789abcdef";

async function send(router: string, plan: Plan, agent: Agent, timeoutMs: number): Promise<Got> {
  const { promise, resolve } = Promise.withResolvers<IncomingMessage | Error>();
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
  outgoing.on("error", resolve);
  // Node closes without a word after a 101 that nobody has asked for.
  outgoing.once("close", () => resolve(new Error("closed without a response")));
  outgoing.end(body);
  const response = await promise;
  if (response instanceof Error) {
    const ending = signal.aborted ? "timeout" : "no-response";
    return { ending, status: 0, headers: {}, bodySha256: "", cause: causeOf(response) };
  }
  const pieces: Buffer[] = [];
  let ending: Ending = "complete";
  try {
    for await (const piece of response as AsyncIterable<Buffer>) pieces.push(piece);
  } catch {
    // A body that was cut: the iterator tells it from one that has ended.
    ending = signal.aborted ? "timeout" : "cut";
  }
  const whole = Buffer.concat(pieces);
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name, value?.toString()]),
  );
  const status = response.statusCode ?? 0;
  const echo = plan.isEcho && status === 200 && ending === "complete" ? echoIn(whole) : undefined;
  const bodySha256 = hash("sha256", whole);
  return { ending, status, headers, bodySha256, bodyBytes: whole.length, echo };
}

/** What a response that is no cell's account says is another request's. */
function echoIn(body: Buffer): Echo {
  const nobody = { cell: "nobody", method: "", path: "", bodySha256: "", headers: {} };
  return (objectIn(body.toString()) as Echo | undefined) ?? nobody;
}

function causeOf(error: Error): string {
  return "code" in error ? String(error.code) : error.message;
}

function sha256(text: string): string {
  return hash("sha256", text);
}
