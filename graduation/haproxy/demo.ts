// `npm run graduate haproxy`: four cells and HAProxy with the generated configuration, and what it makes of requests, of faults
// and of changes to the table.

import { isDeepStrictEqual } from "node:util";
import { BrokenPromiseError } from "../../scripts/command-line.ts";
import { shownOf } from "../../scripts/demo-expect.ts";
import type { ReceivedResponse } from "../../scripts/http-request.ts";
import { eventually } from "../../shared/testkit/eventually.ts";
import { engineVersion, type Stage, type Topic } from "../topic.ts";
import { agentDemo } from "./agent/demo-steps.ts";
import { keyInMap } from "./names.ts";
import { planChange } from "./plan-change.ts";
import { Running, type TableSettings } from "./running.ts";

export const topic: Topic = {
  title: "HAProxy as the data plane of the same routing table",
  engines: ["haproxy"],
  run,
};

const health = { intervalMs: 200, timeoutMs: 500, rise: 2, fall: 2 };
const settings: TableSettings = {
  placements: {
    visa: { health },
    tier1: { health, fallback: ["tier2"] },
    tier2: { concurrencyLimit: 64 },
    tier3: { retries: {} },
  },
  top: { keyLimits: { globex: { ratePerSecond: 1, burst: 3 } } },
};

const stepCount = 12;

/** A stage that numbers its steps. */
class Demo {
  readonly #stage: Stage;
  #steps = 0;
  readonly running: Running;
  readonly facts: Record<string, unknown> = {};

  constructor(stage: Stage, running: Running) {
    this.#stage = stage;
    this.running = running;
  }

  say(line: string): void {
    this.#stage.tell(line);
  }

  /** Begins a step, unless somebody has asked to end. */
  readonly heading = (title: string): void => {
    this.#stage.signal.throwIfAborted();
    this.#steps += 1;
    this.say(`\n${this.#steps}/${stepCount} ${title}`);
  };

  /** Asks once, shows what came back, and holds it to what was promised. `id` names it in `--json`. */
  async ask(
    id: string,
    title: string,
    key: string,
    promised: Readonly<Record<string, string>>,
  ): Promise<void> {
    this.heading(title);
    this.show(id, key, await this.running.ask(key), promised);
  }

  show(
    id: string,
    key: string,
    response: ReceivedResponse,
    promised: Readonly<Record<string, string>>,
  ): void {
    const shown = { status: String(response.status), ...shownOf(response) };
    this.say(`  > X-Routing-Key: ${key || "(none)"}`);
    this.say(
      `  < ${Object.entries(shown)
        .map((pair) => pair.join(": "))
        .join("  ")}`,
    );
    if (!isDeepStrictEqual(shown, promised))
      throw new BrokenPromiseError(
        `${id}: promised ${JSON.stringify(promised)}, got ${JSON.stringify(shown)}`,
      );
    this.facts[id] = shown;
  }

  /** Waits until checks have found out, without showing each try. */
  async until(key: string, fits: (response: ReceivedResponse) => boolean): Promise<void> {
    const { signal } = this.#stage;
    const fitting = async () => signal.aborted || fits(await this.running.ask(key));
    await eventually(fitting, { what: `HAProxy finds out about "${key}"`, deadlineMs: 10_000, everyMs: 50 });
  }
}

const served = (to: string, reason: string) => ({
  status: "200",
  "X-Routed-To": to,
  "X-Route-Reason": reason,
});

async function run(stage: Stage): Promise<Readonly<Record<string, unknown>>> {
  const demo = await withoutControlPlane(stage);
  const agent = await agentDemo(stage, demo.heading);
  return { haproxy: engineVersion("haproxy"), ...demo.facts, agent };
}

async function withoutControlPlane(stage: Stage): Promise<Demo> {
  await using running = await Running.start(settings);
  const demo = new Demo(stage, running);
  stage.tell(`HAProxy ${engineVersion("haproxy")} at ${running.url}`);
  for (const step of [routing, failing, limiting, changing]) {
    stage.signal.throwIfAborted();
    await step(demo);
  }
  return demo;
}

async function routing(demo: Demo): Promise<void> {
  // HAProxy believes the first check, and a cell may have been slow to start.
  await demo.until("visa", ({ status }) => status === 200);
  await demo.ask("dedicated", "visa has a cell of its own.", "visa", served("visa", "dedicated"));
  await demo.ask(
    "default",
    "Nobody listed this key, so it goes to the default placement.",
    "hooli",
    served("tier3", "default"),
  );
  await demo.ask("missingKey", "Without a key there is nothing to route by, and no cell is asked.", "", {
    status: "400",
    code: "missing-routing-key",
  });
}

async function failing(demo: Demo): Promise<void> {
  const { running } = demo;
  running.cell("tier3").setFault({ fault: "error", status: 503, ratio: 0.5 });
  await running.ask("initech", "/", { method: "POST", body: "pay" });
  demo.heading("tier3 fails every second request; HAProxy repeats a GET, and would not repeat a POST.");
  const retried = await running.ask("initech");
  const second = retried.headers["x-retry-count"] === undefined ? await running.ask("initech") : retried;
  const promised = { ...served("tier3", "tier"), "X-Retry-Count": "1" };
  demo.show("retried", "initech", second, promised);
  running.cell("tier3").setFault({ fault: "none" });

  running.cell("tier1").setFault({ fault: "error", status: 500, healthToo: true });
  await demo.until("acme", ({ headers }) => headers["x-failover-reason"] === "unhealthy");
  await demo.ask(
    "unhealthy",
    "tier1 fails its health checks. The table names tier2 as its fallback.",
    "acme",
    {
      ...served("tier2", "tier"),
      "X-Failover-From": "tier1",
      "X-Failover-Reason": "unhealthy",
    },
  );

  await running.cell("visa").close();
  await demo.until("visa", ({ status }) => status === 503);
  const before = running.seen();
  await demo.ask(
    "isolated",
    "visa's cell is gone, and the table names nobody else: no other cell serves.",
    "visa",
    {
      status: "503",
      "X-Routed-To": "visa",
      "X-Route-Reason": "dedicated",
      "Retry-After": "1",
      code: "unhealthy",
    },
  );
  if (!isDeepStrictEqual(running.seen(), before))
    throw new BrokenPromiseError("another cell saw visa's request");
}

async function limiting(demo: Demo): Promise<void> {
  for (let n = 0; n < 3; n++) await demo.running.ask("globex");
  await demo.ask(
    "rateLimited",
    "globex may send three requests at once, and then one per second.",
    "globex",
    {
      status: "429",
      "X-Routed-To": "tier2",
      "X-Route-Reason": "tier",
      "Retry-After": "1",
      code: "rate-limited",
    },
  );
}

async function changing(demo: Demo): Promise<void> {
  const { running } = demo;
  const command = `set map ${running.folder}/keys.map ${keyInMap("initech")} tier2`;
  await running.engine.command(command);
  await demo.ask("keyMoved", `A key moves without a reload: ${command}`, "initech", served("tier2", "tier"));

  const health = { intervalMs: 100 };
  const next = { ...settings, placements: { ...settings.placements, tier3: { health } } };
  const plan = planChange(running.table(settings), running.table(next));
  if (!plan.reload) throw new BrokenPromiseError("a new health check was planned without a reload");
  await running.engine.reload(running.table(next));
  await demo.ask(
    "reloaded",
    `These need a reload: ${plan.why.join("; ")}.`,
    "hooli",
    served("tier3", "default"),
  );
}
