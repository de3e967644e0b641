// What all workers of a router have counted, as one: those that serve, those that are being replaced, and those that have
// ended. A scrape must never see a counter go down, or it takes that for a restart and counts everything once more.

import type { Worker } from "node:cluster";
import { AggregatorRegistry, Registry } from "prom-client";
import type { Clock } from "../clock.ts";
import { countDroppedLines } from "../metrics.ts";
import { contained, type FaultReport } from "../sockets/fault-report.ts";
import type { FromWorker, MetricJson, ToWorker } from "./worker-messages.ts";

/** A worker that is too busy to answer in this time, in milliseconds, is shown as it was. */
const answerDeadlineMs = 1_000;

// #region counts
export class WorkerCounts {
  readonly #clock: Clock;
  readonly #report: FaultReport;
  /** What the supervisor counts itself. */
  readonly #own = new Registry();
  readonly #living = new Set<Worker>();
  /** What each living worker said last. */
  readonly #lastSaid = new Map<Worker, readonly MetricJson[]>();
  /** What ended workers had counted: sums, and what has not been added to them yet. */
  readonly #past: (readonly MetricJson[])[] = [];
  #adding = false;
  #id = 0;

  constructor(clock: Clock, linesDropped: () => number, report: FaultReport) {
    this.#clock = clock;
    this.#report = report;
    countDroppedLines(this.#own, linesDropped);
  }

  /** Counts `worker` in, until it has said its last or has died. */
  add(worker: Worker): void {
    this.#living.add(worker);
    const end = contained((json: readonly MetricJson[]) => this.#end(worker, json), this.#report);
    worker.on("message", (message: FromWorker) => {
      if (message.type === "final-metrics") end(message.json);
    });
    // One that was killed said nothing at the end: what it said before is the best that is known.
    worker.once("exit", () => end(this.#lastSaid.get(worker) ?? []));
  }

  /** In the text format of Prometheus. */
  async text(): Promise<string> {
    // Before anything is awaited: a worker that ends meanwhile is in one of the two, and never in both.
    const past = [...this.#past];
    const id = ++this.#id;
    const present = await Promise.all([...this.#living].map((worker) => this.#ask(worker, id)));
    const own = await this.#own.getMetricsAsJSON();
    return AggregatorRegistry.aggregate([...past, ...present, own]).metrics();
  }

  async #ask(worker: Worker, id: number): Promise<readonly MetricJson[]> {
    const done = new AbortController();
    const answered = new Promise<readonly MetricJson[]>((resolve) => {
      const listen = (message: FromWorker): void => {
        if (message.type === "metrics" && message.id === id) this.#lastSaid.set(worker, message.json);
        else if (message.type !== "final-metrics") return;
        resolve(message.json);
      };
      worker.on("message", listen);
      done.signal.addEventListener("abort", () => worker.off("message", listen));
    });
    send(worker, { type: "metrics", id });
    const before = this.#lastSaid.get(worker) ?? [];
    const late = this.#clock.sleep(answerDeadlineMs, done.signal).then(
      () => before,
      () => before,
    );
    const json = await Promise.race([answered, late]);
    done.abort();
    return json;
  }

  #end(worker: Worker, json: readonly MetricJson[]): void {
    this.#lastSaid.delete(worker);
    if (!this.#living.delete(worker)) return;
    // A gauge says how things are, and nothing is in flight in a worker that has ended.
    this.#past.push(json.filter(({ type }) => type !== "gauge"));
    this.#addUp().catch(this.#report);
  }

  /** So that replacing workers for a year does not fill the memory. */
  async #addUp(): Promise<void> {
    if (this.#adding) return;
    this.#adding = true;
    try {
      while (this.#past.length > 1) {
        const [first = [], second = []] = this.#past;
        const sum = await AggregatorRegistry.aggregate([first, second]).getMetricsAsJSON();
        this.#past.splice(0, 2, sum);
      }
    } finally {
      this.#adding = false;
    }
  }
}
// #endregion counts

/** Says `message` to a worker. One that is just dying is noticed by its exit. */
export function send(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message, () => {});
}
