// How a stack and its demo speak: one event, told as words to a person or as one JSON line to a program.

import { relative } from "node:path";
import type { colours } from "./command-line.ts";

/** The fields of a message that are worth showing, by name. */
export type Fields = Readonly<Record<string, string>>;

export type StageEvent =
  | ({ readonly event: "ready"; readonly stage: string } & Addresses)
  | { readonly event: "step"; readonly step: number; readonly of: number; readonly title: string }
  | { readonly event: "action"; readonly text: string }
  | {
      readonly event: "request";
      readonly to: string | undefined;
      readonly method: string;
      readonly path: string;
      readonly fields: Fields;
    }
  | { readonly event: "response"; readonly status: number; readonly fields: Fields }
  | {
      readonly event: "fact";
      readonly of: string | undefined;
      readonly path: string;
      readonly fields: Fields;
    }
  | { readonly event: "why"; readonly text: string }
  /** A step that went otherwise than promised. */
  | { readonly event: "fault"; readonly text: string }
  | { readonly event: "demo"; readonly stage: string; readonly steps: number; readonly ok: boolean }
  | ({ readonly event: "staying"; readonly tryThis: readonly string[] } & Addresses)
  | { readonly event: "log"; readonly source: string; readonly line: string }
  | { readonly event: "stopped"; readonly reason: string };

/** Where the parts of a stack listen. */
export interface Addresses {
  readonly routers: readonly string[];
  readonly admin: readonly string[];
  readonly controlPlane: string | undefined;
  readonly cells: Readonly<Record<string, string>>;
  readonly routingFile: string | undefined;
  /** Process ids by name, to kill a part by hand. */
  readonly pids: Readonly<Record<string, number>>;
}

export type Narrator = (event: StageEvent) => void;

export function jsonNarrator(write: (text: string) => void): Narrator {
  return (event) => write(`${JSON.stringify(event)}\n`);
}

export function textNarrator(write: (text: string) => void, c: ReturnType<typeof colours>): Narrator {
  return (event) => {
    const lines = linesOf(event, c);
    if (lines.length > 0) write(`${lines.join("\n")}\n`);
  };
}

function linesOf(event: StageEvent, c: ReturnType<typeof colours>): string[] {
  switch (event.event) {
    case "ready":
      return [c.green(`READY ${event.stage}: router ${event.routers.join(", ")}; cells ${cellList(event)}`)];
    case "step":
      return ["", c.bold(`${event.step}/${event.of} ${event.title}`)];
    case "action":
      return [c.yellow(`  * ${event.text}`)];
    case "request":
      return [
        c.cyan(
          `  > ${event.to === undefined ? "" : `${event.to}: `}${event.method} ${event.path}${fieldList(event.fields)}`,
        ),
      ];
    case "response":
      return [(event.status < 400 ? c.green : c.red)(`  < ${event.status}${fieldList(event.fields)}`)];
    case "fact":
      return [
        c.cyan(`  = ${event.of === undefined ? "" : `${event.of}: `}${event.path}`),
        ...Object.entries(event.fields).map(([name, value]) => factLine(name, value)),
      ];
    case "why":
      return event.text.split("\n").map((line) => c.dim(`    ${line}`));
    case "fault":
      return [c.red(`  ✗ ${event.text}`)];
    case "demo":
      return [
        "",
        event.ok
          ? c.green(`Demo ${event.stage}: all ${event.steps} steps as promised.`)
          : c.red("Demo failed."),
      ];
    case "staying":
      return stayingLines(event, c);
    case "log":
      return [`${c.dim(`[${event.source}]`)} ${event.line}`];
    case "stopped":
      return [`Stopped: ${event.reason}.`];
    default:
      return event satisfies never;
  }
}

function stayingLines(
  event: Addresses & { tryThis: readonly string[] },
  c: ReturnType<typeof colours>,
): string[] {
  const rows = [
    ...event.routers.map((url, index) => [nameOf("router", index, event.routers.length), url]),
    ...event.admin.map((url, index) => [nameOf("admin", index, event.admin.length), url]),
    ...(event.controlPlane ? [["control plane", event.controlPlane]] : []),
    ...Object.entries(event.cells).map(([name, url]) => [`cell ${name}`, url]),
    ...(event.routingFile ? [["routing file", relative(process.cwd(), event.routingFile)]] : []),
  ];
  return [
    "",
    "The stack stays up; Ctrl-C stops it.",
    // The process behind each name: what `kill` is given below.
    ...rows.map(([name = "", place = ""]) => {
      const pid = event.pids[name];
      return `  ${name.padEnd(14)} ${pid === undefined ? place : `${place.padEnd(23)} pid ${pid}`}`;
    }),
    ...(event.tryThis.length === 0 ? [] : ["Try, in another terminal:"]),
    ...event.tryThis.map((line) => c.bold(`  ${line}`)),
    "",
  ];
}

function nameOf(name: string, index: number, count: number): string {
  return count === 1 ? name : `${name} ${index + 1}`;
}

function cellList(addresses: Addresses): string {
  return Object.entries(addresses.cells)
    .map(([name, url]) => `${name} ${url}`)
    .join(", ");
}

function fieldList(fields: Fields): string {
  return Object.entries(fields)
    .map(([name, value]) => `   ${name}: ${value}`)
    .join("");
}

/** A value of several lines, such as a list of faults, stands below its name. */
function factLine(name: string, value: string): string {
  const lines = value.split("\n");
  return `      ${name}:${lines.length === 1 ? ` ${value}` : lines.map((line) => `\n        ${line}`).join("")}`;
}
