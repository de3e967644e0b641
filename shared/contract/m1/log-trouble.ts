// A log that cannot be written: the router loses lines, counts them, and stops neither the traffic nor its own stop. Each
// case starts a router of its own, because it needs that router's standard output; elsewhere it is skipped by name.

import { describe, expect, test } from "vitest";
import { eventually } from "../../testkit/eventually.ts";
import { LogFile, LogPipe, type LogPlace } from "../../testkit/log-places.ts";
import { hasTerminals, LogTerminal } from "../../testkit/log-terminal.ts";
import { RawClient } from "../../testkit/raw-client.ts";
import { form } from "../grades.ts";
import type { ContractTarget, LoggingRouter, LogOutput } from "../target.ts";
import type { Contract } from "./contract.ts";

/** After SIGTERM with nothing under way: what the contract promises for a stop, 10 s and 1 s, and a busy machine's share. */
const stopDeadlineMs = 11_000 + 4_000;
/** The size of a disk that is full, in KiB. */
const maxFileKib = 64;
const stopped = { code: 0, signal: null };
const patient = { timeout: 120_000, ...form };

export function describeLogTrouble(contract: Contract, target: ContractTarget): void {
  describe.skipIf(target.startLoggingTo === undefined)("a log that cannot be written", () => {
    const start = async (place: LogPlace, output: Partial<LogOutput> = {}): Promise<Started> => {
      const both = { stdout: place.fd, ...output };
      const router = await target.startLoggingTo?.(both, contract.endpoints.urls());
      if (router === undefined) throw new Error("The suite cannot start a router");
      place.handOver();
      return new Started(router, String((await place.waitFor("ready"))["url"]), contract);
    };

    test("answers every request and stops in time while the reader of its pipe has stalled", async () => {
      using pipe = LogPipe.open();
      await using router = await start(pipe);
      pipe.stall();
      await router.expectServed(300, 4_000);
      await router.expectStop();
    });

    test("answers every request and stops in time when the reader of its pipe has left", async () => {
      using pipe = LogPipe.open();
      await using router = await start(pipe);
      pipe.leave();
      await router.expectServed(100, 1_000);
      await router.expectStop();
    });

    test.skipIf(!hasTerminals)(
      "answers every request and stops in time while its terminal is stopped",
      async () => {
        using terminal = await LogTerminal.open();
        await using router = await start(terminal);
        await terminal.stop();
        await router.expectServed(100, 1_000);
        await router.expectStop();
      },
    );

    test.skipIf(!hasTerminals)(
      "answers every request and stops in time when its terminal has been closed",
      async () => {
        using terminal = await LogTerminal.open();
        await using router = await start(terminal);
        await terminal.close();
        await router.expectServed(100, 1_000);
        await router.expectStop();
      },
    );

    test("answers every request and stops in time while its disk is full", async () => {
      using file = LogFile.open();
      await using router = await start(file, { maxFileKib });
      await router.expectServed(300, 4_000);
      await file.untilSize(maxFileKib * 1024);
      await router.expectStop();
    });

    test("goes on with whole lines when its disk has room again", async () => {
      using file = LogFile.open();
      await using router = await start(file, { maxFileKib });
      // More than fits, and less than twice as much.
      await router.expectServed(20, 4_000);
      await file.untilSize(maxFileKib * 1024);
      file.empty();
      await router.expectServed(1, 10, "/after");
      const last = () => file.lines().find(({ path }) => String(path).includes("/after"));
      await eventually(last, { what: "the log goes on", deadlineMs: 10_000 });
      await router.expectStop();
      // None is half a line, and none is missing.
      const story = storyOf(file);
      const first = Number(story[0]);
      expect(story).toEqual([...[...Array(20).keys()].slice(first), 0]);
    });

    test("writes every line, whole and in order, when a slow reader reads on", form, async () => {
      using pipe = LogPipe.open();
      await using router = await start(pipe);
      pipe.stall();
      await router.expectServed(300, 4_000);
      pipe.resume();
      await untilRequests(pipe, 300);
      await router.expectStop();
      expect(storyOf(pipe)).toEqual([...Array(300).keys()]);
    });

    test("says once how many lines are missing, and where, when the log works again", patient, async () => {
      using pipe = LogPipe.open();
      await using router = await start(pipe);
      pipe.stall();
      // More than the 16 MiB for lines that wait.
      await router.expectServed(1_300, 14_000);
      pipe.resume();
      const { lines: dropped } = await pipe.waitFor("log-lines-dropped");
      expect(dropped).toBeGreaterThan(0);
      const kept = 1_300 - Number(dropped);
      await router.expectServed(1, 10);
      await untilRequests(pipe, kept + 1);
      await router.expectStop();
      expect(storyOf(pipe)).toEqual([...Array(kept).keys(), `${dropped} dropped`, 0]);
    });
  });
}

/** A router that a case has started, and what it is held to. */
class Started implements AsyncDisposable {
  readonly #router: LoggingRouter;
  readonly #url: string;
  readonly #contract: Contract;

  constructor(router: LoggingRouter, url: string, contract: Contract) {
    this.#router = router;
    this.#url = url;
    this.#contract = contract;
  }

  /** Requests one after the other, numbered, with a path of about `length` bytes: so much goes into each log line. */
  async expectServed(count: number, length: number, word = ""): Promise<void> {
    using scene = this.#contract.scene();
    await using client = await RawClient.connect(this.#url);
    for (let n = 0; n < count; n++) {
      const target = scene.path(`${word}/${n}/${"x".repeat(length)}`);
      const response = await client.request(scene.request({ target }));
      expect(response.status).toBe(200);
    }
    expect(scene.seen).toHaveLength(count);
  }

  async expectStop(): Promise<void> {
    this.#router.signal("SIGTERM");
    expect(await this.#router.exited(stopDeadlineMs)).toEqual(stopped);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#router[Symbol.asyncDispose]();
  }
}

async function untilRequests(log: LogPlace, count: number): Promise<void> {
  const read = () => log.lines().filter(({ event }) => event === "request").length >= count;
  await eventually(read, { what: `${count} requests are in the log`, deadlineMs: 20_000, everyMs: 20 });
}

/** The numbers of the requests in a log, in its order, and what it says of those that are missing. */
function storyOf(log: LogPlace): (number | string)[] {
  return log.lines().flatMap(({ event, path, lines }) => {
    if (event === "log-lines-dropped") return `${lines} dropped`;
    const number = /^\/[^/]+(?:\/after)?\/(\d+)\//.exec(String(path))?.[1];
    return number === undefined ? [] : Number(number);
  });
}
