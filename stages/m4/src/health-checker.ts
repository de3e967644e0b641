// Probes every placement that has health settings, in a loop of its own and never in the request path: a request
// only reads the last result. How a probe is sent is an argument; what results mean is left to `health-state.ts`.

import type { Clock } from "./clock.ts";
import { upstreamErrorCode } from "./errors.ts";
import { type HealthState, INITIAL_HEALTH, nextHealth } from "./health-state.ts";
import type { HealthSettings } from "./resilience-settings.ts";

/** Whether the cell's response to `url` is good. A rejection is a failed probe. `signal` aborts when time is up. */
export type Probe = (url: string, signal: AbortSignal) => Promise<boolean>;

export type HealthListener = (placement: string, to: HealthState, from: HealthState) => void;

export interface HealthCheckerOptions {
  readonly clock: Clock;
  /** Returns a number in [0, 1). */
  readonly random: () => number;
  readonly probe: Probe;
  /** Called when a placement changes between healthy and unhealthy, not for each probe. */
  readonly onTransition?: HealthListener | undefined;
  /** Told what `onTransition` threw: checks go on, whatever a listener does. */
  readonly onFault?: ((error: unknown) => void) | undefined;
}

/** What the checker reads of a placement. */
export interface CheckedPlacement {
  readonly name: string;
  readonly url: string;
  readonly health?: HealthSettings | undefined;
}

interface Target {
  readonly name: string;
  readonly url: string;
  readonly settings: HealthSettings;
  readonly stop: AbortController;
  state: HealthState;
}

/** A probe's time is counted in steps of this length. */
const stepMs = 250;
/** A step that takes this much longer does not count: this process was paused, and has not read what came meanwhile. */
const standstillMs = 250;

// #region health-checker
export class HealthChecker {
  readonly #options: HealthCheckerOptions;
  // By placement, not by URL: two placements may share an endpoint and check it differently.
  readonly #targets = new Map<string, Target>();
  readonly #loops = new Set<Promise<void>>();
  #running = false;

  constructor(options: HealthCheckerOptions) {
    this.#options = options;
  }

  /** The last known state; healthy for a placement that is new, unknown or not checked. One look-up in memory. */
  isHealthy(placement: string): boolean {
    return this.#targets.get(placement)?.state.kind !== "unhealthy";
  }

  /** The counted state, for display; undefined for a placement that is not checked. */
  state(placement: string): HealthState | undefined {
    return this.#targets.get(placement)?.state;
  }

  /**
   * Follows a new table. An unchanged placement keeps its loop and its counts; one whose settings changed at
   * the same URL keeps its state, since the push did not repair the cell; a new URL starts as healthy.
   */
  update(placements: Iterable<CheckedPlacement>): void {
    const gone = new Map(this.#targets);
    for (const { name, url, health } of placements) {
      if (health === undefined) continue;
      const known = gone.get(name);
      if (known !== undefined && known.url === url && isSame(known.settings, health)) {
        gone.delete(name);
        continue;
      }
      const state = known?.url === url ? known.state : INITIAL_HEALTH;
      const target: Target = { name, url, settings: health, stop: new AbortController(), state };
      this.#targets.set(name, target);
      if (this.#running) this.#launch(target);
    }
    for (const [name, old] of gone) {
      old.stop.abort();
      if (this.#targets.get(name) === old) this.#targets.delete(name);
    }
  }

  /** Starts the loops, those of later tables included, until `signal` aborts or `close` is called. */
  start(signal: AbortSignal): void {
    if (this.#running || signal.aborted) return;
    this.#running = true;
    signal.addEventListener("abort", () => this.#stop(), { once: true });
    for (const target of this.#targets.values()) this.#launch(target);
  }

  /** Stops all loops and resolves when the last one has ended. The last results stay readable. */
  async close(): Promise<void> {
    this.#stop();
    await Promise.all(this.#loops);
  }

  #stop(): void {
    this.#running = false;
    for (const target of this.#targets.values()) target.stop.abort();
  }

  #launch(target: Target): void {
    const loop = this.#run(target).finally(() => this.#loops.delete(loop));
    this.#loops.add(loop);
  }

  async #run(target: Target): Promise<void> {
    const { clock, random } = this.#options;
    const { intervalMs } = target.settings;
    const { signal } = target.stop;
    try {
      // One push reaches the whole fleet at once. Without this, all first probes would reach the cell at once, too.
      await clock.sleep(random() * intervalMs, signal);
      while (!signal.aborted) {
        const succeeded = await this.#probe(target);
        if (signal.aborted) return;
        if (succeeded !== undefined) this.#count(target, succeeded);
        // ±10 %: loops that happen to run in step drift apart again.
        await clock.sleep(intervalMs * (0.9 + 0.2 * random()), signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Undefined when the probe says nothing about the cell. */
  async #probe(target: Target): Promise<boolean | undefined> {
    const { settings, stop } = target;
    const attempt = new AbortController();
    const abandon = () => attempt.abort();
    stop.signal.addEventListener("abort", abandon, { once: true });
    const timeIsUp = this.#runFor(settings.timeoutMs, attempt.signal).then(failed, failed);
    try {
      return await Promise.race([this.#ask(target, attempt.signal), timeIsUp]);
    } finally {
      // Ends the loser of the race: a probe that hangs must not hold its connection, nor a timer the process.
      stop.signal.removeEventListener("abort", abandon);
      attempt.abort();
    }
  }

  /** Resolves once this process has run for `ms`: a cell is not to blame for a router that was paused. */
  async #runFor(ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (let leftMs = ms; leftMs > 0; ) {
      const step = Math.min(leftMs, stepMs);
      const startedAtMs = clock.now();
      await clock.sleep(step, signal);
      if (clock.now() - startedAtMs <= step + standstillMs) leftMs -= step;
    }
  }

  async #ask({ url, settings }: Target, signal: AbortSignal): Promise<boolean | undefined> {
    try {
      return await this.#options.probe(new URL(settings.path, url).href, signal);
    } catch (error) {
      // Nothing was asked: this router could not open a connection.
      const isOwnFault = error instanceof Error && upstreamErrorCode(error) === "router-exhausted";
      return isOwnFault ? undefined : false;
    }
  }

  #count(target: Target, succeeded: boolean): void {
    const from = target.state;
    target.state = nextHealth(from, succeeded, target.settings);
    if (from.kind === target.state.kind) return;
    try {
      this.#options.onTransition?.(target.name, target.state, from);
    } catch (error) {
      this.#options.onFault?.(error);
    }
  }
}
// #endregion health-checker

const failed = () => false;

function isSame(a: HealthSettings, b: HealthSettings): boolean {
  return (
    a.path === b.path &&
    a.intervalMs === b.intervalMs &&
    a.timeoutMs === b.timeoutMs &&
    a.rise === b.rise &&
    a.fall === b.fall
  );
}
