// One attempt to serve one request at one endpoint: sends it, streams both bodies, and says how it ended.
// It decides nothing: its callers choose the endpoint, whether to try again, and what an error looks like.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Dispatcher } from "undici";
import { BodyPieces } from "../../../stages/m1/src/body-pieces.ts";
import { ClientError, causeOf, type ErrorCode, upstreamErrorCode } from "../../../stages/m1/src/errors.ts";
import {
  downstreamHeaders,
  endToEndTrailers,
  type RoutingFields,
  valuesOf,
} from "../../../stages/m1/src/headers.ts";
import { forwardInterim } from "../../../stages/m1/src/interim-response.ts";
import { RequestBody } from "../../../stages/m1/src/request-body.ts";
import { isFromUsedConnection } from "../../../stages/m1/src/upstreams.ts";

export type AttemptResult =
  /** The response was passed on whole. */
  | { readonly kind: "complete"; readonly status: number }
  /** The client left before the response's end. */
  | { readonly kind: "client-aborted" }
  | {
      readonly kind: "failed";
      readonly code: ErrorCode;
      /** Machine-readable cause for the log, such as `ECONNREFUSED`. */
      readonly cause: string;
      /** The client has already seen the head of a response. */
      readonly headSent: boolean;
      /** The connection had been used before and not a byte of a response came: the cell may never have read this request. */
      readonly staleConnection: boolean;
    };

export interface AttemptRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: string[];
  readonly hasBody: boolean;
  /** What the response will tell the client about the decision. */
  readonly routing: RoutingFields;
}

/** Bytes of both bodies so far; a record that outlives one attempt, for the log. */
export interface TransferCounts {
  bytesIn: number;
  bytesOut: number;
}

/** Sends the request and resolves when it has ended, one way or another. Never rejects. */
export function attempt(
  upstream: Dispatcher,
  request: AttemptRequest,
  req: IncomingMessage,
  res: ServerResponse,
  counts: TransferCounts,
): Promise<AttemptResult> {
  return new Promise((resolve) => {
    if (res.closed) return resolve({ kind: "client-aborted" });
    const body = request.hasBody ? new RequestBody(req, counts) : null;
    const handler = new Attempt(request, res, counts, (result) => {
      // If no connection was made, the HTTP client has not touched it.
      body?.destroy();
      resolve(result);
    });
    const { method, path, headers } = request;
    upstream.dispatch({ method: method as Dispatcher.HttpMethod, path, headers, body }, handler);
  });
}

class Attempt implements Dispatcher.DispatchHandler {
  readonly #request: AttemptRequest;
  readonly #res: ServerResponse;
  readonly #counts: TransferCounts;
  readonly #resolve: (result: AttemptResult) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #pieces: BodyPieces | undefined;
  #responseStarted = false;
  #headSent = false;
  #routerFailed = false;
  #clientLeft = false;
  #trailersPass = false;

  constructor(
    request: AttemptRequest,
    res: ServerResponse,
    counts: TransferCounts,
    resolve: (result: AttemptResult) => void,
  ) {
    this.#request = request;
    this.#res = res;
    this.#counts = counts;
    this.#resolve = resolve;
    res.on("close", this.#onClose);
  }

  /** The exchange with the client is over: complete, or because the client left. Then the cell's request is aborted. */
  readonly #onClose = (): void => {
    if (this.#res.writableFinished) {
      this.#settle({ kind: "complete", status: this.#res.statusCode });
      return;
    }
    this.#clientLeft = true;
    this.#settle({ kind: "client-aborted" });
    this.#controller?.abort(new Error("The client left."));
  };

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // The client can leave while the request still waits for a connection.
    if (this.#clientLeft) controller.abort(new Error("The client left."));
  }

  onResponseStarted(): void {
    this.#responseStarted = true;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, _: unknown, reason = ""): void {
    try {
      this.#onHead(controller, status, reason);
    } catch (error) {
      // This router's own fault. Left to itself, the HTTP client would make it look like the cell's.
      this.#routerFailed = true;
      controller.abort(error instanceof Error ? error : new Error(String(error)));
    }
  }

  // #region response-head
  #onHead(controller: Dispatcher.DispatchController, status: number, reason: string): void {
    const raw = rawFields(controller.rawHeaders);
    // Nobody offered another protocol, and there is no status below 100.
    if (status < 100 || status === 101) return controller.abort(new Error("The status was not asked for."));
    if (status < 200) {
      forwardInterim(this.#res, status, raw);
      return;
    }
    const { method, routing } = this.#request;
    const codings = valuesOf(raw, "transfer-encoding");
    const chunked = codings.length === 1 && codings[0]?.toLowerCase() === "chunked";
    // undici decodes `chunked` and knows no other coding: the body would reach the client as if it were plain.
    if (codings.length > 0 && !chunked)
      return controller.abort(new Error("The response has an unknown transfer coding."));
    // Trailers can follow only where the client's copy is chunked: not for HTTP/1.0, and not without a body.
    const bodyless = method === "HEAD" || status === 204 || status === 304;
    this.#trailersPass = chunked && !bodyless && this.#res.req.httpVersion === "1.1";
    const lengthPasses = !chunked && status !== 204;
    const fields = downstreamHeaders(raw, routing, { lengthPasses, trailersPass: this.#trailersPass });
    // A reason phrase may hold bytes that Node refuses to write; the phrase means nothing, so the usual one will do.
    if (reason !== "" && /^[\t\x20-\x7e]*$/.test(reason)) this.#res.writeHead(status, reason, fields);
    else this.#res.writeHead(status, fields);
    this.#headSent = true;
    // Node holds the head back until the first piece of body. If none has come yet, the head goes alone: the client of
    // a slow stream must not wait for its first event to learn that the stream is open.
    queueMicrotask(() => {
      if (this.#counts.bytesOut === 0 && !this.#res.writableEnded && !this.#res.destroyed)
        this.#res.flushHeaders();
    });
  }
  // #endregion response-head

  // #region response-body
  onResponseData(controller: Dispatcher.DispatchController, piece: Buffer): void {
    this.#counts.bytesOut += piece.length;
    this.#pieces ??= new BodyPieces((bytes) => this.#write(controller, bytes));
    this.#pieces.add(piece);
  }

  #write(controller: Dispatcher.DispatchController, bytes: Buffer): void {
    if (this.#res.destroyed || this.#res.write(bytes) || controller.paused) return;
    // The client reads more slowly than the cell writes: stop reading from the cell until the client has caught up.
    controller.pause();
    this.#res.once("drain", () => controller.resume());
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    this.#pieces?.flush();
    if (this.#trailersPass) this.#res.addTrailers(endToEndTrailers(rawFields(controller.rawTrailers)));
    this.#res.end();
  }
  // #endregion response-body

  onResponseError(_: unknown, error: Error): void {
    const staleConnection = !this.#responseStarted && isFromUsedConnection(error);
    const failure = error instanceof ClientError ? error.code : upstreamErrorCode(error);
    const code = this.#routerFailed ? "router-fault" : failure;
    const cause = this.#routerFailed ? (error.stack ?? error.message) : causeOf(error);
    // Ending the response here would make a cut body look whole; a broken connection cannot be mistaken for an end.
    if (this.#headSent) this.#cut();
    this.#settle({ kind: "failed", code, cause, headSent: this.#headSent, staleConnection });
  }

  #cut(): void {
    const { socket, req } = this.#res;
    // To an HTTP/1.0 client the end of the connection is the end of the body: only a reset says that it was cut.
    if (socket !== null && req.httpVersion === "1.0") socket.resetAndDestroy();
    else this.#res.destroy();
  }

  #settle(result: AttemptResult): void {
    this.#res.off("close", this.#onClose);
    this.#resolve(result);
  }
}

/** undici gives fields as bytes; one Latin-1 character per byte keeps them as they are. */
function rawFields(raw: Dispatcher.DispatchController["rawHeaders"]): string[] {
  return Array.isArray(raw)
    ? raw.map((each) => (typeof each === "string" ? each : each.toString("latin1")))
    : [];
}
