// A reader of server-sent events that takes nothing for granted: every block must be well formed, every `data` JSON.

import { once } from "node:events";
import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { eventually } from "../../testkit/eventually.ts";

/** One event; its data is what the router says. */
export interface StreamedEvent {
  readonly id: number;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export class EventStream implements AsyncDisposable {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly events: StreamedEvent[] = [];
  readonly faults: string[] = [];
  readonly #response: IncomingMessage;
  #unread = "";
  isEnded = false;

  private constructor(response: IncomingMessage) {
    this.#response = response;
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    response.setEncoding("utf8");
    response.on("data", (text: string) => this.#take(text));
    response.on("close", () => {
      this.isEnded = true;
    });
    response.on("error", () => {});
  }

  static async open(adminUrl: string, fields: Readonly<Record<string, string>> = {}): Promise<EventStream> {
    const sent = request(`${adminUrl}/events`, { headers: fields, agent: false });
    sent.end();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    sent.on("error", () => {});
    return new EventStream(response);
  }

  /** Stops reading, so that the router's buffers fill. */
  stopReading(): void {
    this.#response.pause();
  }

  /** The first event, past or future, that `fits`. @throws Error with a malformed block, where there was one */
  async first(what: string, fits: (event: StreamedEvent) => boolean): Promise<StreamedEvent> {
    const found = await eventually(() => this.events.find(fits), {
      what: `an event: ${what}; there were ${JSON.stringify(this.events.slice(-10))}`,
      deadlineMs: 10_000,
    });
    if (this.faults.length > 0) throw new Error(`Not server-sent events: ${this.faults.join(" | ")}`);
    return found;
  }

  /** Changes of one placement so far, such as `closed → open`. */
  changes(type: "breaker" | "health", placement: string): string[] {
    return this.events
      .filter((event) => event.type === type && event.data["placement"] === placement)
      .map(({ data }) => `${data["from"]} → ${data["to"]}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#response.destroy();
    await eventually(() => this.isEnded, { what: "the event stream ends" });
  }

  #take(text: string): void {
    this.#unread += text;
    for (let end = this.#unread.indexOf("\n\n"); end >= 0; end = this.#unread.indexOf("\n\n")) {
      this.#read(this.#unread.slice(0, end));
      this.#unread = this.#unread.slice(end + 2);
    }
  }

  #read(block: string): void {
    const lines = block.split("\n");
    if (lines.every((line) => line.startsWith(":") || /^retry: \d+$/.test(line))) return;
    const match = /^id: (\d+)\nevent: ([a-z-]+)\ndata: (\{.*\})$/.exec(block);
    if (match === null) return void this.faults.push(block);
    const [, id, type = "", data = ""] = match;
    this.events.push({ id: Number(id), type, data: JSON.parse(data) as Record<string, unknown> });
  }
}
