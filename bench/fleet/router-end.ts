// What the fleet bench needs of a stage's router: its end of the link to the control plane, as the stage wrote it. One file a
// stage imports that stage's modules, since the fleet of m3 and the fleet of m5 must each be their own.
import type { Logger } from "pino";

/** What a stage's decoder made of a table; passed on to the stage's receiver as it is. */
export type Decoded = Awaited<
  ReturnType<typeof import("../../stages/m3/src/table-decoder.ts").decodeTableOffloaded>
>;

export type RouterEndOptions = {
  /** Of m3, also several with commas between: the router moves on from one that it has lost. */
  readonly url: string;
  readonly token: string;
  readonly routerId: string;
  readonly maxMessageBytes: number;
  readonly logger: Logger;
  /** Sees each message first, and may put another buffer with the same bytes in its place. */
  readonly incoming: (message: Uint8Array) => Uint8Array;
  readonly validate: (tableJson: Uint8Array) => Promise<Decoded>;
  /** Undefined: the router does not offer to take deltas, as routers before m5. */
  readonly patch: ((documentJson: Uint8Array, patchJson: Uint8Array) => Promise<Uint8Array>) | undefined;
  /** A revision is applied and about to be acknowledged. */
  readonly onApplied: (revision: number) => void;
};

export type RouterEnd = {
  /** Reads and checks a table as the stage's router does: a small one at once, a large one in another thread. */
  readonly validate: (tableJson: Uint8Array) => Promise<Decoded>;
  /** The same for a merge patch; undefined in a stage that knows no deltas. */
  readonly patch: RouterEndOptions["patch"];
  /** Starts one router's link. It runs until the process ends. */
  readonly start: (options: RouterEndOptions) => void;
};

/** A stage's receiver that is given what `incoming` makes of each message. */
export function sharing<Receiver extends { receive(message: Uint8Array, link: never): unknown }>(
  receiver: Receiver,
  incoming: RouterEndOptions["incoming"],
): Receiver {
  const receive = receiver.receive.bind(receiver);
  receiver.receive = (message, link) => receive(incoming(message), link);
  return receiver;
}

export type FleetStage = "m3" | "m5";
