// Why a request to etcd came to nothing, and the one thing that matters then: can it have changed anything?

import { z } from "zod";

/**
 * `not-sent`: no connection, so nothing has changed. `refused`: etcd says that it did nothing. `full`: etcd has no space;
 * it may have taken effect, and if not, it never will. `unclear`: sent, and no response that says what became of it; it
 * may still take effect, even later.
 */
export type EtcdErrorKind = "not-sent" | "refused" | "full" | "unclear";

export class EtcdError extends Error {
  override readonly name = "EtcdError";
  readonly kind: EtcdErrorKind;
  /** The request is longer than etcd takes. */
  readonly isTooLarge: boolean;
  /** The response is longer than this process takes; from another node it would be as long. */
  readonly isTooLong: boolean;

  constructor(
    kind: EtcdErrorKind,
    message: string,
    options: ErrorOptions & { isTooLarge?: boolean; isTooLong?: boolean } = {},
  ) {
    super(message, options);
    this.kind = kind;
    this.isTooLarge = options.isTooLarge ?? false;
    this.isTooLong = options.isTooLong ?? false;
  }
}

const refusal = z.object({ message: z.string(), code: z.number() });

/**
 * gRPC codes after which etcd has not begun to apply a request: a malformed one, one without permission, one too many.
 * Timeouts (4, 14) are none of them: the request may be in a log that a majority has.
 * @see https://grpc.io/docs/guides/status-codes/
 */
const refusedCodes = new Set([3, 5, 7, 8, 9, 11, 12, 16]);

/** The error in a response that is not 200. */
export function refusalOf(endpoint: string, status: number, body: string): EtcdError {
  const parsed = refusal.safeParse(parseJson(body));
  if (!parsed.success) return new EtcdError("unclear", `${endpoint} responds with status ${status}`);
  const { message, code } = parsed.data;
  // The write that meets the limit is applied, and gets this error nevertheless; those after it are not applied.
  // https://github.com/etcd-io/etcd/blob/v3.4.23/etcdserver/apply.go (quotaApplierV3)
  const isFull = message.includes("database space exceeded");
  // The first is etcd's limit, and the second, for what is larger still, that of gRPC.
  const isTooLarge = /request is too large|message larger than max/.test(message);
  const kind = isFull ? "full" : refusedCodes.has(code) ? "refused" : "unclear";
  return new EtcdError(kind, `${endpoint}: ${message}`, { isTooLarge });
}

/** Errors of Node and undici from before the first byte. */
const notSentCodes = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** The error of a request that got no response. */
export function failureOf(endpoint: string, error: unknown): EtcdError {
  if (error instanceof EtcdError) return error;
  if (error instanceof z.ZodError) {
    const faults = error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    return new EtcdError("unclear", `${endpoint}: no response of etcd's: ${faults.join(", ")}`, {
      cause: error,
    });
  }
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const words = error instanceof Error ? error.message || code : String(error);
  const kind = notSentCodes.has(code) ? "not-sent" : "unclear";
  return new EtcdError(kind, `${endpoint}: ${words}`, { cause: error });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
