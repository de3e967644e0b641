// What a control plane and a router say to each other, and the rule by which a router takes a snapshot or leaves it.
// No sockets, no files, no Node API: the same module runs on both ends, in a test's simulated network and in a browser.
// It leaves out how messages travel (`control-plane-client.ts`, `control-plane/server.ts`).

import { z } from "zod";
import type { RoutingTable } from "./routing-table.ts";

/** Changes when an old peer would misread a message. New optional fields do not change it: unknown fields are skipped. */
export const protocolVersion = 1;

// #region messages
/**
 * A point in the history of one routing table. Revisions grow within an epoch; a store that lost a part of its history
 * starts a new epoch, because its next revision number may have been given out before.
 */
export interface Position {
  readonly epoch: string;
  readonly revision: number;
  /** SHA-256 of the canonical routing document: the same position with other content is a broken history. */
  readonly checksum: string;
}

export function isSamePosition(a: Position, b: Position): boolean {
  return a.epoch === b.epoch && a.revision === b.revision && a.checksum === b.checksum;
}

const epoch = z.string().min(1).max(64);
const revision = z.number().int().min(1);
const checksum = z.string().regex(/^[0-9a-f]{64}$/);
const position = z.object({ epoch, revision, checksum });
const routerId = z.string().regex(/^[A-Za-z0-9._-]{1,128}$/);

/** First message of a link: who the router is and what it has. The control plane sends only what is missing. */
const hello = z.object({
  type: z.literal("hello"),
  protocol: z.number().int(),
  routerId,
  have: position.nullable(),
});
/** The router runs this position now; also its answer to a snapshot that it had no need of. */
const ack = z.object({ type: z.literal("ack"), epoch, revision });
/** The router refused this position and goes on with what it has. */
const nack = z.object({
  type: z.literal("nack"),
  epoch,
  revision,
  reasons: z.array(z.string().max(1_000)).min(1).max(101),
});
/**
 * The head of a whole routing table. The table follows after a newline, as JSON: a router that has no use for it never
 * reads it, and one that has can leave the reading to another thread.
 */
const snapshot = z.object({ type: z.literal("snapshot"), ...position.shape });
/** Answer to a `hello` that needs no snapshot: what the router has is the newest. */
const current = z.object({ type: z.literal("current"), ...position.shape });

const fromRouter = z.discriminatedUnion("type", [hello, ack, nack]);
const fromControlPlane = z.discriminatedUnion("type", [snapshot, current]);

export type Hello = Readonly<z.infer<typeof hello>>;
export type RouterMessage = Readonly<z.infer<typeof fromRouter>>;
export type ControlPlaneMessage = Readonly<z.infer<typeof fromControlPlane>>;
// #endregion messages

/**
 * Codes with which a link is closed on purpose, each with a reason in words.
 * @see https://www.rfc-editor.org/rfc/rfc6455#section-7.4.2 4000–4999 are for private use
 */
export const closeCodes = {
  /** The peer stops; RFC 6455 §7.4.1. */
  goingAway: 1001,
  /** A message that is not one of this protocol. */
  notUnderstood: 4400,
  /** `hello` named a protocol version that is not spoken here. */
  protocolVersion: 4406,
  /** No `hello` in time. */
  helloTimeout: 4408,
} as const;

/** `words` as a close frame can carry them: at most 123 bytes. RFC 6455 §5.5. */
export function closeReason(words: string): string {
  return words.replace(/[^\x20-\x7e]/g, "?").slice(0, 123);
}

// #region codec
export type Decoded<Message> =
  | { readonly ok: true; readonly message: Message }
  | { readonly ok: false; readonly fault: string };

/** A longer head is not of this protocol. */
const maxHeadBytes = 4_096;
const newline = 0x0a;

export function encode(message: RouterMessage | ControlPlaneMessage): string {
  return JSON.stringify(message);
}

/** A snapshot ready to be sent, to any number of routers. `tableJson` is the routing document. */
export function encodeSnapshot({ epoch, revision, checksum }: Position, tableJson: string): Uint8Array {
  const head = encode({ type: "snapshot", epoch, revision, checksum });
  return new TextEncoder().encode(`${head}\n${tableJson}`);
}

/** What a control plane makes of a message from a router. */
export function decodeFromRouter(bytes: Uint8Array): Decoded<RouterMessage> {
  return decode(fromRouter, bytes);
}

/**
 * What a router makes of the head of a message from its control plane, and the `body` after it: the table of a snapshot,
 * unread.
 */
export function decodeFromControlPlane(
  bytes: Uint8Array,
): Decoded<ControlPlaneMessage> & { readonly body: Uint8Array } {
  const at = bytes.indexOf(newline);
  const head = at < 0 ? bytes : bytes.subarray(0, at);
  const body = at < 0 ? bytes.subarray(bytes.length) : bytes.subarray(at + 1);
  if (head.length > maxHeadBytes) return { ok: false, fault: `A head of ${head.length} bytes`, body };
  return { ...decode(fromControlPlane, head), body };
}

function decode<Message>(schema: z.ZodType<Message>, bytes: Uint8Array): Decoded<Message> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return { ok: false, fault: "Not JSON" };
  }
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, message: result.data };
  const faults = result.error.issues.map(({ path, message }) => `${path.join(".") || "message"}: ${message}`);
  return { ok: false, fault: faults.join("; ").slice(0, 1_000) };
}

/** A `nack` that fits its bounds, whatever the number and length of the faults. */
export function nackOf(
  offered: Pick<Position, "epoch" | "revision">,
  faults: readonly string[],
): RouterMessage {
  const maxReasons = 100;
  const reasons = faults.slice(0, maxReasons).map((fault) => fault.slice(0, 300));
  if (faults.length > maxReasons) reasons.push(`… and ${faults.length - maxReasons} more faults`);
  return { type: "nack", epoch: offered.epoch, revision: offered.revision, reasons };
}
// #endregion codec

// #region decide
/** What a look into a snapshot's table found. */
export type Validated =
  | { readonly ok: true; readonly table: RoutingTable; readonly checksum: string }
  | { readonly ok: false; readonly faults: readonly string[] };

export type Verdict =
  /** The position is acceptable; look into the table and decide again. */
  | { readonly kind: "validate" }
  | { readonly kind: "apply"; readonly table: RoutingTable }
  /** `same` and `older`: late or repeated. `superseded`: of an epoch that this link has already moved on from. */
  | { readonly kind: "ignore"; readonly why: "same" | "older" | "superseded" }
  | { readonly kind: "nack"; readonly reasons: readonly string[] };

/**
 * Whether a router that holds `held` takes `offered`.
 *
 * Within an epoch only a higher revision is taken: messages may be late, repeated or out of order, and the table must
 * never go back. Another epoch is taken whatever its revision, because the two numbers have no order. The table
 * comes last, since validating it is the costly part: call without `validated` first, and again with it when the verdict
 * is `validate`. The second call checks the position anew, so the validation may take its time.
 *
 * @param superseded Epochs that this link has moved on from: a snapshot of one of them was overtaken on the way.
 */
export function decide(
  held: Position | undefined,
  offered: Position,
  superseded: ReadonlySet<string>,
  validated?: Validated,
): Verdict {
  if (held?.epoch === offered.epoch) {
    if (offered.revision < held.revision) return { kind: "ignore", why: "older" };
    if (offered.revision === held.revision) {
      if (offered.checksum === held.checksum) return { kind: "ignore", why: "same" };
      const reason = `revision ${held.revision} of this epoch was applied before with other content`;
      return { kind: "nack", reasons: [reason] };
    }
  } else if (superseded.has(offered.epoch)) {
    return { kind: "ignore", why: "superseded" };
  }
  if (validated === undefined) return { kind: "validate" };
  if (!validated.ok) return { kind: "nack", reasons: validated.faults };
  if (validated.checksum !== offered.checksum) {
    const reason = `checksum: expected ${offered.checksum}, the table that arrived has ${validated.checksum}`;
    return { kind: "nack", reasons: [reason] };
  }
  return { kind: "apply", table: validated.table };
}
// #endregion decide
