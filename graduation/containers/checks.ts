// What a stack in containers must do, as checks with names. Each sends its requests and resolves with a fault in words, or
// with undefined. Routing and refusals are those of contract m1; the admin port and a push are asked where a stage has them.

import { readFile } from "node:fs/promises";
import { type Expected, faultOf, servedBy } from "../../scripts/demo-expect.ts";
import { type Ask, ask } from "../../scripts/http-request.ts";
import { eventually } from "../../shared/testkit/eventually.ts";

export interface Target {
  readonly stage: string;
  readonly routerUrl: string;
  readonly adminUrl: string;
  readonly controlPlaneUrl: string;
  readonly tokenFile: string;
}

export interface Check {
  readonly name: string;
  readonly run: () => Promise<string | undefined>;
}

/** Header values are bytes: UTF-8 goes out as one Latin-1 character a byte. */
const bytesOf = (key: string) => Buffer.from(key, "utf8").toString("latin1");

const routes: readonly (readonly [key: string, cell: string, reason: string])[] = [
  ["visa", "visa", "dedicated"],
  ["acme", "tier1", "tier"],
  ["globex", "tier2", "tier"],
  ["initech", "tier3", "tier"],
  ["someone-new", "tier3", "default"],
  ["VISA", "tier3", "default"],
  ["__proto__", "tier3", "default"],
  ["constructor", "tier3", "default"],
  ["two words", "tier3", "default"],
  [bytesOf("クレジット"), "tier3", "default"],
  ["k".repeat(256), "tier3", "default"],
];

const refused: readonly (readonly [what: string, request: Omit<Ask, "url">, status: number])[] = [
  ["no key", {}, 400],
  ["an empty key", { headers: { "X-Routing-Key": "" } }, 400],
  ["two different keys", { headers: { "X-Routing-Key": ["visa", "acme"] } }, 400],
  ["a key of 257 bytes", { headers: { "X-Routing-Key": "k".repeat(257) } }, 400],
  ["TRACE", { method: "TRACE", headers: { "X-Routing-Key": "visa" } }, 405],
];

export function checksFor(target: Target): Check[] {
  const checks = [...routingChecks(target), ...refusalChecks(target), ...passingChecks(target)];
  if (target.stage >= "m2") checks.push(adminCheck(target));
  if (target.stage >= "m3") checks.push(pushCheck(target));
  return checks;
}

function routingChecks({ routerUrl }: Target): Check[] {
  return routes.map(([key, cell, reason]) => ({
    name: `${shown(key)} is served by ${cell} (${reason})`,
    run: () => expectResponse({ url: routerUrl, headers: { "X-Routing-Key": key } }, servedBy(cell, reason)),
  }));
}

function refusalChecks({ routerUrl }: Target): Check[] {
  return refused.map(([what, request, status]) => ({
    name: `${what} is refused with ${status}, and no cell is named`,
    run: () =>
      expectResponse(
        { url: routerUrl, ...request },
        {
          status,
          headers: {
            "content-type": /^application\/problem\+json/,
            "x-routed-to": undefined,
            "x-request-id": /./,
          },
        },
      ),
  }));
}

function passingChecks({ routerUrl }: Target): Check[] {
  const body = "0123456789abcdef".repeat(65_536);
  const forged = { "X-Routing-Key": "acme", "X-Routed-To": "visa", "X-Route-Reason": "dedicated" };
  return [
    {
      name: "a client cannot forge who served it",
      run: () => expectResponse({ url: routerUrl, headers: forged }, servedBy("tier1", "tier")),
    },
    {
      name: "a body of 1 MiB comes back whole",
      run: async () => {
        const got = await ask({ url: `${routerUrl}/echo`, headers: { "X-Routing-Key": "acme" }, body });
        return got.body === body ? undefined : `sent ${body.length} bytes, got ${got.body.length} back`;
      },
    },
  ];
}

/** The relay's way to the router's loopback. The port refuses other names than loopback's. */
function adminCheck({ adminUrl }: Target): Check {
  return {
    name: "the admin port says that the router is ready",
    run: async () => {
      const request = { url: `${adminUrl}/readyz`, headers: { Host: "127.0.0.1:8082" } };
      // m5 serves with its first worker, and is ready with its last.
      const isReady = async () => (await expectResponse(request, { status: 200 })) === undefined;
      await eventually(isReady, { what: "readyz is 200", deadlineMs: 15_000, everyMs: 50 });
      return undefined;
    },
  };
}

/** Moves a key that nobody uses, and takes it out of the table again. */
function pushCheck({ routerUrl, controlPlaneUrl, tokenFile }: Target): Check {
  const key = "containers-check";
  const url = `${controlPlaneUrl}/v1/routing/keys/${key}`;
  const change = async (placement: string | null) => {
    const token = (await readFile(tokenFile, "utf8")).trim();
    const { headers } = await ask({ url });
    const fields = { Authorization: `Bearer ${token}`, "If-Match": headers.etag ?? "" };
    return await ask({ url, method: "PATCH", headers: fields, body: JSON.stringify({ placement }) });
  };
  const servedAs = (expected: Expected) =>
    eventually(
      async () =>
        (await expectResponse({ url: routerUrl, headers: { "X-Routing-Key": key } }, expected)) === undefined,
      { what: `${key} is served by ${expected.routedTo}`, deadlineMs: 15_000, everyMs: 20 },
    );
  return {
    name: "a key that the control plane moves is served elsewhere, and back",
    run: async () => {
      const moved = await change("tier1");
      if (moved.status !== 200) return `the control plane answers ${moved.status}: ${moved.body}`;
      await servedAs(servedBy("tier1", "tier"));
      await change(null);
      await servedAs(servedBy("tier3", "default"));
      return undefined;
    },
  };
}

async function expectResponse(request: Ask, expected: Expected): Promise<string | undefined> {
  return faultOf(await ask(request), expected);
}

function shown(key: string): string {
  const text = Buffer.from(key, "latin1").toString("utf8");
  return text.length > 40 ? `a key of ${key.length} bytes` : JSON.stringify(text);
}
