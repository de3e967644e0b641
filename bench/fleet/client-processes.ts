// The fleet bench's children: processes that hold the clients, as the parent sees them.
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import type { ClientsJob, ClientsReport } from "./router-clients.ts";

/** A process that holds some of the clients. */
export class ClientProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (report: ClientsReport) => void>();
  readonly #early = new Map<number, ClientsReport>();
  #fail: (error: Error) => void = () => {};
  readonly #failed: Promise<never>;

  /** Whoever waits is told the reason of `signal` when it aborts. */
  constructor(job: ClientsJob, signal: AbortSignal) {
    const script = join(import.meta.dirname, "clients-process.ts");
    this.#child = fork(script, [JSON.stringify(job)], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    // Told to whoever waits; nobody may be waiting yet.
    this.#failed.catch(() => {});
    this.#child.on("message", (message) => this.#take(message as ClientsReport));
    this.#child.once("exit", (code) => this.#fail(new Error(`A process of clients ended with ${code}`)));
    signal.addEventListener("abort", () => this.#fail(signal.reason as Error), { once: true });
  }

  /** Resolves when every client of this process runs `revision`. */
  acked(revision: number): Promise<ClientsReport> {
    const early = this.#early.get(revision);
    if (early !== undefined) return Promise.resolve(early);
    const report = new Promise<ClientsReport>((resolve) => this.#waiting.set(revision, resolve));
    return Promise.race([report, this.#failed]);
  }

  stop(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  #take(report: ClientsReport): void {
    const waiting = this.#waiting.get(report.revision);
    if (waiting === undefined) this.#early.set(report.revision, report);
    else waiting(report);
  }
}

/** Divides `routers` clients among `processes` processes. */
export function startClients(
  job: Omit<ClientsJob, "first" | "count">,
  { routers, processes, signal }: { routers: number; processes: number; signal: AbortSignal },
): ClientProcess[] {
  const each = Math.ceil(routers / processes);
  const used = Math.ceil(routers / each);
  return Array.from({ length: used }, (_, index) => {
    const first = index * each;
    return new ClientProcess({ ...job, first, count: Math.min(each, routers - first) }, signal);
  });
}
