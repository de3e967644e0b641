// The parts of `npm run stage` that outlive the demo: why it should stop, where things listen, what a log line says.

import { objectIn } from "../shared/testkit/json-text.ts";
import { demoRequestId } from "./demo.ts";
import { launcherGone } from "./launchers.ts";
import type { Addresses } from "./narrator.ts";
import type { Stack } from "./stack.ts";
import type { Member } from "./stack-members.ts";
import { isAtLeast } from "./stages.ts";

/** Raised once by Ctrl-C, SIGTERM, a closed terminal, a closed pipe, or the end of the process that started us. */
export class StopSignal {
  /** Resolves with the reason, in words. */
  readonly raised: Promise<string>;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.raised = promise;
    process.once("SIGINT", () => resolve("Ctrl-C"));
    process.once("SIGTERM", () => resolve("SIGTERM"));
    process.once("SIGHUP", () => resolve("the terminal was closed"));
    void launcherGone().then(() => resolve("the command that started this is gone"));
    for (const stream of [process.stdout, process.stderr]) {
      // Without a listener, a reader that leaves (`| head`) would be an uncaught error.
      stream.on("error", () => resolve("nobody reads the output any more"));
    }
  }

  /** Whether it is raised now or within `ms`. */
  async raisedWithin(ms: number): Promise<boolean> {
    const late = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => late.resolve(false), ms);
    return await Promise.race([this.raised.then(() => true), late.promise]).finally(() =>
      clearTimeout(timer),
    );
  }
}

export function addressesOf(stack: Stack): Addresses {
  return {
    routers: stack.routers.map((router) => router.url),
    admin: isAtLeast(stack.options.stage, "m2") ? stack.routers.map((router) => router.adminUrl) : [],
    controlPlane: stack.controlPlane?.url,
    cells: Object.fromEntries([...stack.cells].map(([name, cell]) => [name, cell.url])),
    routingFile: stack.routingFile,
    pids: Object.fromEntries(membersOf(stack).map(({ name, pid }) => [name, pid])),
  };
}

function membersOf(stack: Stack): Member[] {
  const controlPlane = stack.controlPlane === undefined ? [] : [stack.controlPlane];
  return [...stack.routers, ...controlPlane, ...stack.cells.values()];
}

/** Whether a line tells of a request of the demo, which has been shown already. */
export function isOfDemo(line: string): boolean {
  return String(objectIn(line)?.["requestId"] ?? "").startsWith(demoRequestId);
}

/** A log line in words: who was served by whom, or what happened; a line that is no log entry as it is. */
export function describeLogLine(line: string): string {
  const entry = objectIn(line);
  if (entry === undefined || typeof entry["event"] !== "string") return line;
  if (entry["event"] === "request") return describeRequest(entry);
  const { level: _, time: __, event, ...rest } = entry;
  const facts = Object.entries(rest).map(([name, value]) => {
    return `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`;
  });
  return [event, ...facts].join(" ");
}

function describeRequest(entry: Entry): string {
  const text = (name: string) => (entry[name] === undefined ? "" : String(entry[name]));
  const key =
    entry["routingKey"] === undefined ? "no routing key" : `key ${JSON.stringify(entry["routingKey"])}`;
  const placement =
    entry["placement"] === undefined ? "not routed" : `${text("placement")} (${text("reason")})`;
  const fallback = entry["servedBy"] === undefined ? "" : `, served by ${text("servedBy")}`;
  const why = entry["failoverReason"] === undefined ? "" : ` (${text("failoverReason")})`;
  const ending = ["outcome", "code", "cause"].map(text).filter((word) => word !== "");
  const result = `${text("status")} in ${text("durationMs")} ms, ${ending.join(", ")}`;
  return `${text("method")} ${text("path")}  ${key} -> ${placement}${fallback}${why}  ${result}`;
}

type Entry = Readonly<Record<string, unknown>>;
