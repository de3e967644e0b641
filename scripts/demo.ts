// The small language in which a milestone's demo is written: steps that ask the router, show the response, hold it
// to what the lesson promises and say why. A step that finds anything else fails the demo with exit code 2.

import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../shared/testkit/eventually.ts";
import { BrokenPromiseError } from "./command-line.ts";
import {
  type Expected,
  type ExpectedFields,
  faultOf,
  fieldFault,
  pick,
  readFields,
  shownOf,
} from "./demo-expect.ts";
import { type Ask, ask, type ReceivedResponse } from "./http-request.ts";
import type { Narrator, StageEvent } from "./narrator.ts";
import type { Stack } from "./stack.ts";
import type { CellMember, ControlPlaneMember, Member, RouterMember } from "./stack-members.ts";

export interface Demo {
  readonly steps: readonly DemoStep[];
  /** Commands worth pasting while the stack stays up. */
  readonly tryThis: (stack: Stack) => readonly string[];
}

export interface DemoStep {
  /** What is about to happen, as a sentence without a full stop. */
  readonly title: string;
  /** Why the response is what it is; told after the step. */
  readonly why: string;
  readonly run: (demo: DemoContext) => Promise<unknown>;
}

export interface DemoAsk extends Omit<Ask, "url"> {
  /** Value of `X-Routing-Key`; left out when undefined. */
  readonly key?: string;
  /** @default "/" */
  readonly path?: string;
  /** Who is asked. @default the first router */
  readonly to?: Member;
  readonly expect: Expected;
}

/** How the request ids of a demo begin, so that its requests can be told from others in a log. */
export const demoRequestId = "demo-";

/** What a step can do: ask the router, disturb the stack, say what it does, and wait for a condition. */
export class DemoContext {
  readonly stack: Stack;
  readonly #tell: Narrator;

  constructor(stack: Stack, tell: Narrator) {
    this.stack = stack;
    this.#tell = tell;
  }

  /** The first router. */
  get router(): RouterMember {
    return present(this.stack.routers[0], "a router");
  }
  get controlPlane(): ControlPlaneMember {
    return present(this.stack.controlPlane, "a control plane");
  }
  get routingFile(): string {
    return present(this.stack.routingFile, "a routing file");
  }
  cell(name: string): CellMember {
    return present(this.stack.cells.get(name), `a cell ${name}`);
  }

  /** Says what the step does to the stack. */
  act(text: string): void {
    this.#tell({ event: "action", text });
  }

  /** Shows a response that a step got by its own means. */
  showResponse(status: number, fields: Readonly<Record<string, string>>): void {
    this.#tell({ event: "response", status, fields });
  }

  /** Sends one request through the router, shows both sides, and holds the response to `expect`. */
  async ask(options: DemoAsk): Promise<ReceivedResponse> {
    this.#tell(this.#requestOf(options));
    const response = await this.#send(options);
    this.#tell({ event: "response", status: response.status, fields: shownOf(response) });
    this.check(faultOf(response, options.expect));
    return response;
  }

  /** Asks again until the response is as expected; shows only the last one. Fails after `withinMs`. */
  async askUntil(options: DemoAsk, withinMs = 5_000): Promise<ReceivedResponse> {
    const deadlineMs = performance.now() + withinMs;
    this.#tell(this.#requestOf(options));
    for (;;) {
      const response = await this.#send(options);
      const fault = faultOf(response, options.expect);
      if (fault === undefined || performance.now() > deadlineMs) {
        this.#tell({ event: "response", status: response.status, fields: shownOf(response) });
        this.check(fault && `${fault} (waited ${withinMs} ms)`);
        return response;
      }
      await delay(20);
    }
  }

  /**
   * Shows fields of what a router's admin port answers, by path (`lastError.faults`), and holds them to `expected`.
   * Undefined means that the field must be absent.
   */
  async fact(
    path: string,
    shown: readonly string[],
    expected: ExpectedFields,
    router = this.router,
  ): Promise<void> {
    const fields = await readFields(`${router.adminUrl}${path}`, [...shown, ...Object.keys(expected)]);
    this.#tell({ event: "fact", of: this.#nameOf(router), path, fields: pick(fields, shown) });
    this.check(fieldFault(fields, expected));
  }

  /** As `fact`, once the fields are as expected. Fails after `withinMs`. */
  async factBecomes(
    path: string,
    shown: readonly string[],
    expected: ExpectedFields,
    router = this.router,
    withinMs = 10_000,
  ): Promise<void> {
    const names = Object.keys(expected);
    const isThere = async () =>
      fieldFault(await readFields(`${router.adminUrl}${path}`, names), expected) === undefined;
    // Whether it is or not, the look below shows what there is, and fails with it.
    await eventually(isThere, { what: path, deadlineMs: withinMs, everyMs: 20 }).catch(() => {});
    await this.fact(path, shown, expected, router);
  }

  /** Waits until `condition` holds. Fails after `withinMs` with `what` in words. */
  async until(what: string, condition: () => boolean | Promise<boolean>, withinMs = 5_000): Promise<void> {
    await eventually(condition, { what, deadlineMs: withinMs, everyMs: 20 });
  }

  /** Fails the step with `fault`, unless it is undefined. */
  check(fault: string | undefined): void {
    if (fault !== undefined) throw new BrokenPromiseError(fault);
  }

  #send(options: DemoAsk): Promise<ReceivedResponse> {
    const { path = "/", to = this.router, expect: _, headers, ...rest } = options;
    const id = { "X-Request-Id": `${demoRequestId}${randomUUID()}` };
    return ask({ ...rest, url: `${to.url}${path}`, headers: { ...id, ...headers, ...keyField(options) } });
  }

  #requestOf(options: DemoAsk): StageEvent {
    const method = options.method ?? (options.body === undefined ? "GET" : "POST");
    const { path = "/", to = this.router } = options;
    return { event: "request", to: this.#nameOf(to), method, path, fields: keyField(options) };
  }

  /** With one router there is no question who is asked. */
  #nameOf(member: Member): string | undefined {
    return member === this.router && this.stack.routers.length === 1 ? undefined : member.name;
  }
}

function keyField({ key }: DemoAsk): Record<string, string> {
  return key === undefined ? {} : { "X-Routing-Key": key };
}

/**
 * Runs every step.
 * @param isStopped Whether somebody ended the demo: a step that fails then has broken no promise.
 * @throws BrokenPromiseError naming the step whose promise did not hold
 */
export async function runDemo(
  stage: string,
  demo: Demo,
  stack: Stack,
  tell: Narrator,
  isStopped: () => Promise<boolean>,
): Promise<void> {
  const context = new DemoContext(stack, tell);
  for (const [index, { title, why, run }] of demo.steps.entries()) {
    tell({ event: "step", step: index + 1, of: demo.steps.length, title });
    try {
      await run(context);
    } catch (error) {
      if (await isStopped()) return;
      tell({ event: "demo", stage, steps: index, ok: false });
      const reason = error instanceof Error ? error.message : String(error);
      throw new BrokenPromiseError(`demo ${stage}, step ${index + 1} "${title}": ${reason}`, {
        cause: error,
      });
    }
    tell({ event: "why", text: why });
  }
  tell({ event: "demo", stage, steps: demo.steps.length, ok: true });
}

function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new BrokenPromiseError(`this stage has not got ${what}`);
  return value;
}
