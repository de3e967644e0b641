// What a learner can type while the stack stays up: stop, start and disturb its cells and its control plane.

import { createInterface } from "node:readline";
import { jsonIn } from "../shared/testkit/json-text.ts";
import type { Stack } from "./stack.ts";
import { CellMember, type Member } from "./stack-members.ts";

/**
 * Obeys what a person types: a program has the cells' control path and the process ids.
 * Returns how to stop listening.
 */
export function listenToTyping(stack: Stack): () => void {
  console.log(promptHelp(stack));
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: "stack> " });
  lines.on("line", async (line) => {
    if (line.trim() !== "") console.log(await obey(stack, line));
    lines.prompt();
  });
  // With a terminal of its own, readline takes Ctrl-C for itself.
  lines.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  lines.prompt();
  return () => lines.close();
}

/** What can be typed, with the names that this stack has. */
export function promptHelp(stack: Stack): string {
  return [
    `Type here to break things (names: ${[...membersByName(stack).keys()].join(", ")}):`,
    "  stop NAME            ends it gently; kill NAME ends it without a word; start NAME brings it back",
    "  status               what runs, and which faults are on",
    "  fault CELL KIND      error, slow, hang, reset, drop-mid-body, flap, or none; as in: fault tier1 slow delayMs=500",
  ].join("\n");
}

/** Does what one line says and tells the result in a line; words for a line that cannot be done. */
export async function obey(stack: Stack, line: string): Promise<string> {
  const [verb = "", name = "", ...rest] = line.trim().split(/\s+/);
  if (verb === "help") return promptHelp(stack);
  if (verb === "status") return await statusOf(stack);
  if (!["stop", "kill", "start", "fault"].includes(verb))
    return `unknown word "${verb}": stop, kill, start, fault, status or help`;
  const members = membersByName(stack);
  const member = members.get(name);
  if (member === undefined) return `unknown name "${name}": one of ${[...members.keys()].join(", ")}`;
  try {
    if (verb === "fault") return await disturb(member, rest);
    return await move(member, verb);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function statusOf(stack: Stack): Promise<string> {
  const rows = [...stack.routers, ...membersByName(stack).values()].map(async (member) => {
    if (!member.isRunning) return `  ${member.name.padEnd(14)} down`;
    const fault = member instanceof CellMember ? await member.currentFault().catch(() => "none") : "none";
    return `  ${member.name.padEnd(14)} up at ${member.url}${fault === "none" ? "" : `, fault: ${fault}`}`;
  });
  return (await Promise.all(rows)).join("\n");
}

function membersByName(stack: Stack): Map<string, Member> {
  const members = new Map<string, Member>(stack.cells);
  if (stack.controlPlane !== undefined) members.set("control-plane", stack.controlPlane);
  return members;
}

async function move(member: Member, verb: string): Promise<string> {
  if (verb === "start") {
    if (member.isRunning) return `${member.name} is running`;
    await member.start();
    return `${member.name} is up again at ${member.url}`;
  }
  if (!member.isRunning) return `${member.name} is down already`;
  await (verb === "kill" ? member.kill() : member.stop());
  return `${member.name} is down; start it again with: start ${member.name.replace("cell ", "").replace(" ", "-")}`;
}

async function disturb(member: Member, [kind, ...parameters]: readonly string[]): Promise<string> {
  if (!(member instanceof CellMember)) return "only a cell has faults";
  if (!member.isRunning) return `${member.name} is down`;
  if (kind === undefined) return "name a fault: error, slow, hang, reset, drop-mid-body, flap or none";
  const fields = parameters.map((parameter) => parameter.split("=", 2));
  await member.fault({
    ...Object.fromEntries(fields.map(([name = "", value = ""]) => [name, parameterValue(value)])),
    fault: kind,
  });
  return kind === "none"
    ? `${member.name} works again`
    : `${member.name}: ${[kind, ...parameters].join(" ")}`;
}

/** Numbers and true or false as such; anything else as the word that it is, for the cell to judge. */
function parameterValue(text: string): unknown {
  return jsonIn(text) ?? text;
}
