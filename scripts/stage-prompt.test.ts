// What can be typed while a stack stays up, on a stack of m1.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask } from "./http-request.ts";
import { type Stack, startStack } from "./stack.ts";
import { obey } from "./stage-prompt.ts";
import { stageFolder } from "./stages.ts";

let stack: Stack;
const stateFolder = mkdtempSync(join(tmpdir(), "stage-prompt-"));

beforeAll(async () => {
  stack = await startStack({ stage: "m1", port: 0, routers: 1, stageFolder: stageFolder("m1"), stateFolder });
});

afterAll(async () => {
  await stack.stop();
  rmSync(stateFolder, { recursive: true, force: true });
});

async function statusOfAcme(): Promise<number> {
  const { status } = await ask({ url: `${stack.routers[0]?.url}/`, headers: { "X-Routing-Key": "acme" } });
  return status;
}

test("stops a cell and brings it back", async () => {
  expect(await obey(stack, "stop tier1")).toBe("cell tier1 is down; start it again with: start tier1");
  expect(await statusOfAcme()).toBe(502);
  expect(await obey(stack, "stop tier1")).toBe("cell tier1 is down already");
  expect(await obey(stack, "fault tier1 error")).toBe("cell tier1 is down");
  expect(await obey(stack, "start tier1")).toMatch(/^cell tier1 is up again at http:/);
  expect(await statusOfAcme()).toBe(200);
  expect(await obey(stack, "start tier1")).toBe("cell tier1 is running");
  expect(await obey(stack, "kill tier1")).toContain("is down");
  expect(await obey(stack, "start tier1")).toContain("is up again");
});

test("switches a fault on with its parameters, and off", async () => {
  expect(await obey(stack, "fault tier1 error status=507")).toBe("cell tier1: error status=507");
  expect(await statusOfAcme()).toBe(507);
  expect(await obey(stack, "  fault tier1 none ")).toBe("cell tier1 works again");
  expect(await statusOfAcme()).toBe(200);
});

test("says what runs and which faults are on", async () => {
  await obey(stack, "fault tier2 slow delayMs=5");
  await obey(stack, "stop tier1");
  const status = await obey(stack, "status");
  expect(status).toMatch(/^ {2}router +up at http:/);
  expect(status).toMatch(/cell tier1 +down/);
  expect(status).toMatch(/cell tier2 +up at http:\S+, fault: slow/);
  await obey(stack, "start tier1");
  await obey(stack, "fault tier2 none");
});

test.each([
  ["dance tier1", 'unknown word "dance": stop, kill, start, fault, status or help'],
  ["stop tier9", 'unknown name "tier9": one of visa, tier1, tier2, tier3'],
  ["stop control-plane", 'unknown name "control-plane": one of visa, tier1, tier2, tier3'],
  ["fault tier1", "name a fault: error, slow, hang, reset, drop-mid-body, flap or none"],
  ["fault tier1 melt", 'cell tier1 refuses: "fault" must be one of none, error'],
  ["fault tier1 slow delayMs=soon", 'cell tier1 refuses: "delayMs" '],
  ["fault tier1 slow delayMs", 'cell tier1 refuses: "delayMs" '],
  ["help", "names: visa, tier1, tier2, tier3)"],
])("says why it cannot: %s", async (line, words) => {
  expect(await obey(stack, line)).toContain(words);
});
