// Our control plane as Envoy's brain: speaks m3's protocol with it, as a router does, and puts each table in front of Envoy. It acks what
// Envoy has taken and nacks what Envoy refuses, in Envoy's words. The link, its reconnects and the rule which snapshot to take are
// m4's own modules; this adds what lies between a valid table and an ack.

import pino from "pino";
import { systemClock as clock } from "../../stages/m4/src/clock.ts";
import { ControlPlaneClient, type LinkStatus } from "../../stages/m4/src/control-plane-client.ts";
import { IntakeBudget } from "../../stages/m4/src/intake-budget.ts";
import { decodeFromControlPlane, type Validated } from "../../stages/m4/src/protocol.ts";
import { type Link, type Received, SnapshotReceiver } from "../../stages/m4/src/snapshot-receiver.ts";
import { TableValidator } from "../../stages/m4/src/table-validator.ts";
import type { EnvoyFiles } from "./envoy-files.ts";

export interface EnvoyAgentOptions {
  /** Such as `ws://127.0.0.1:8081/v1/connect`. */
  readonly controlPlaneUrl: string;
  readonly token: string;
  /** How the control plane calls this Envoy. */
  readonly routerId: string;
  readonly files: EnvoyFiles;
}

export class EnvoyAgent implements AsyncDisposable {
  readonly #client: ControlPlaneClient;
  readonly #validator = new TableValidator(clock);

  constructor({ controlPlaneUrl, token, routerId, files }: EnvoyAgentOptions) {
    this.#client = new ControlPlaneClient({
      urls: [controlPlaneUrl],
      readToken: async () => token,
      routerId,
      receiver: new EnvoyReceiver(files, this.#validator),
      // Envoy's files are on disk already.
      onApplied: () => {},
      maxMessageBytes: 16 * 1024 * 1024,
      budget: new IntakeBudget(clock.now()),
      clock,
      random: () => Math.random(),
      wallClock: () => new Date(),
      logger: pino({ level: "silent" }),
    });
  }

  /** Starts connecting, and returns at once. */
  start(): void {
    this.#client.start();
  }

  status(): LinkStatus {
    return this.#client.status();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#client.close();
    this.#validator.close();
    await closed;
  }
}

// #region receiver
/** A router's end of the protocol whose "apply" is Envoy's, so it may fail. */
class EnvoyReceiver extends SnapshotReceiver {
  #offered = { version: "", checksum: "" };

  constructor(files: EnvoyFiles, validator: TableValidator) {
    super({
      validate: async (tableJson): Promise<Validated> => {
        const validated = await validator.validate(tableJson);
        // A table that is not the one announced is nacked by the protocol, and never gets to Envoy.
        if (!validated.ok || validated.checksum !== this.#offered.checksum) return validated;
        const applied = await files.apply(validated.table, this.#offered.version);
        if (applied.ok) return validated;
        return { ok: false, faults: [`Envoy refuses the ${applied.refused}: ${applied.reason}`] };
      },
      apply: () => {},
    });
  }

  override receive(bytes: Uint8Array, link: Link): Promise<Received> {
    const decoded = decodeFromControlPlane(bytes);
    if (decoded.ok) {
      const { epoch, revision, checksum } = decoded.message;
      this.#offered = { version: `${epoch}/${revision}`, checksum };
    }
    return super.receive(bytes, link);
  }
}
// #endregion receiver
